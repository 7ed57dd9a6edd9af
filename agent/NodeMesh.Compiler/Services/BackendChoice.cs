using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Services;

/// <summary>
/// Which of a service port's backends take new connections, as kube-proxy chooses them: ready ones, nearer ones where every one says for whom it is; while
/// none is ready, those that end but still serve.
/// </summary>
internal static class BackendChoice
{
    /// <summary>For traffic policy Cluster.</summary>
    public static ImmutableArray<Backend> OfCluster(IReadOnlyCollection<Backend> backends, NodeView node)
    {
        ImmutableArray<Backend> ready = [.. backends.Where(b => !b.NotReady)];
        return ready.Length > 0 ? Nearest(ready, node) : [.. backends.Where(IsLastResort)];
    }

    /// <summary>For traffic policy Local; hints do not count.</summary>
    public static ImmutableArray<Backend> OfNode(IReadOnlyCollection<Backend> backends, NodeView node)
    {
        ImmutableArray<Backend> here = [.. backends.Where(b => b.NodeName.Length > 0 && b.NodeName == node.Name)];
        ImmutableArray<Backend> ready = [.. here.Where(b => !b.NotReady)];
        return ready.Length > 0 ? ready : [.. here.Where(IsLastResort)];
    }

    /// <summary>For what comes to the cluster address.</summary>
    public static ImmutableArray<Backend> Inside(Service service, ServicePort port, bool ipv4, NodeView node)
    {
        var family = port.Backends.Where(b => b.Address.IsIPv4 == ipv4).ToList();
        return service.InternalPolicy == TrafficPolicy.Local ? OfNode(family, node) : OfCluster(family, node);
    }

    /// <summary>Some backend somewhere would serve: a caller that finds none here is dropped rather than refused.</summary>
    public static bool IsServed(IEnumerable<Backend> backends) => backends.Any(b => !b.NotReady || IsLastResort(b));

    private static bool IsLastResort(Backend backend) => backend is { NotServing: false, Terminating: true };

    private static ImmutableArray<Backend> Nearest(ImmutableArray<Backend> ready, NodeView node)
    {
        if (ready.All(b => b.ForNodes is not null))
        {
            ImmutableArray<Backend> same = [.. ready.Where(b => Names(b.ForNodes, node.Name))];
            if (same.Length > 0)
                return same;
        }

        if (ready.All(b => b.ForZones is not null))
        {
            ImmutableArray<Backend> same = [.. ready.Where(b => Names(b.ForZones, node.Zone))];
            if (same.Length > 0)
                return same;
        }

        return ready;
    }

    private static bool Names(string? hint, string name) => name.Length > 0 && hint is not null && (hint == name || hint.Split(',').Contains(name, StringComparer.Ordinal));
}
