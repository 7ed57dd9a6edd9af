using NodeMesh.Flows.Metrics;
using NodeMesh.Sources.Kubernetes;

namespace NodeMesh.Agent.Hosting;

/// <summary>What the API server's watches do, as metrics. Secrets, each of which has a watch of its own, are one resource.</summary>
internal static class SourceMetrics
{
    public static void Fill(MetricPage page, KubernetesState cluster, DateTimeOffset now)
    {
        foreach (var resource in cluster.Resources.GroupBy(r => r.Resource))
        {
            page.Set(MetricCatalog.SourceConnected, resource.All(r => r.Trouble.Length == 0) ? 1 : 0, resource.Key);
            page.Set(MetricCatalog.SourceSynced, resource.All(r => r.IsSynced) ? 1 : 0, resource.Key);
            page.Set(MetricCatalog.SourceObjects, resource.Sum(r => r.Objects), resource.Key);
            page.Set(MetricCatalog.SourceStale, resource.Sum(r => r.Stale), resource.Key);
            page.Count(MetricCatalog.SourceLists, resource.Sum(r => r.Lists), resource.Key);
            page.Count(MetricCatalog.SourceWatches, resource.Sum(r => r.Watches), resource.Key);
            page.Count(MetricCatalog.SourceEvents, resource.Sum(r => r.Events), resource.Key);
            page.Count(MetricCatalog.SourceErrors, resource.Sum(r => r.Errors), resource.Key);
        }

        page.Set(MetricCatalog.SourceCacheBytes, cluster.CacheBytes);
        page.Set(MetricCatalog.SourceSince, cluster.TroubledSince is { } since ? Math.Max(0, (now - since).TotalSeconds) : 0);
    }
}
