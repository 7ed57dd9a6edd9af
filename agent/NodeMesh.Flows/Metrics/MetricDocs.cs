using System.Text;

namespace NodeMesh.Flows.Metrics;

/// <summary>docs/metrics.md.</summary>
public static class MetricDocs
{
    public static string Page()
    {
        var page = new StringBuilder();
        page.Append("# Metrics\n\nWritten by `nodemesh docs` from the table that registers them; do not edit.\n\n");
        page.Append("The agent serves them at `/metrics` of `--metrics-address`. Histograms have the buckets ");
        page.AppendJoin(", ", HistogramFeed.Bounds.Select(b => b.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        page.Append(" seconds.\n\n| name | type | labels | meaning |\n|---|---|---|---|\n");
        foreach (var m in MetricCatalog.All)
        {
            var labels = m.Labels.Length == 0 ? "" : string.Join(", ", m.Labels.Select(l => $"`{l}`"));
            page.Append($"| `{m.Name}` | {m.Type.ToString().ToLowerInvariant()} | {labels} | {m.Help} |\n");
        }

        return page.ToString();
    }
}
