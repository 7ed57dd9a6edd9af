using System.Globalization;
using System.Text;
using NodeMesh.Datapath;

namespace NodeMesh.Agent.Options;

/// <summary>docs/options.md and deploy/configmap.yaml.</summary>
internal static class OptionDocs
{
    /// <summary>Where a cluster wants another value than a node by itself.</summary>
    private static readonly Dictionary<OptionSpec, string> s_inCluster = new() { [OptionTable.CniGate] = "fail-closed" };

    /// <summary>Every option as a variable of the DaemonSet's pods. The node's name is not among them, since it differs from pod to pod.</summary>
    public static string ConfigMap()
    {
        var map = new StringBuilder();
        map.Append("# Every option of the agent, see docs/options.md; empty: its default. Written by `nodemesh docs`: change values in an overlay.\n");
        map.Append("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: nodemesh-agent\n  namespace: nodemesh-system\ndata:\n");
        foreach (var option in OptionTable.All.Where(o => o != OptionTable.NodeName))
            map.Append(CultureInfo.InvariantCulture, $"  # {option.Help}\n  {option.Environment}: \"{s_inCluster.GetValueOrDefault(option, option.Default)}\"\n");
        return map.ToString();
    }

    public static string Page()
    {
        var page = new StringBuilder();
        page.Append("# Options of the agent\n\nWritten by `nodemesh docs` from the table that reads them; do not edit.\n\n");
        page.Append("Each is an option of `nodemesh agent` and a variable of the environment; the command line wins. Options marked * may be given several times;\n");
        page.Append("their variable takes a list with commas.\n\n| option | variable | default | meaning |\n|---|---|---|---|\n");
        foreach (var o in OptionTable.All)
        {
            var form = o.IsFlag ? o.Name : $"{o.Name} {o.Argument}";
            var standard = o.DefaultWords.Length > 0 ? o.DefaultWords : o.Default.Length > 0 ? $"`{o.Default}`" : "must be given";
            page.Append($"| `{form}`{(o.Repeatable ? " *" : "")} | `{o.Environment}` | {standard} | {o.Help} |\n");
        }

        page.Append("\n## Table sizes\n\nNames for `--map-size`. A table that is full is an error in the log, in `nodemesh status` and in the metric `nodemesh_datapath_errors_total`;\n");
        page.Append("what was in force stays in force. Memory is what the kernel takes for a full table; for tables marked \"at start\" it takes it then.\n\n");
        page.Append("| name | holds | rows | bytes per row | memory when full | taken |\n|---|---|---|---|---|---|\n");
        var sizes = new MapSizes();
        foreach (var t in MapTables.All)
        {
            var rows = t.Size(sizes);
            var memory = (rows * (double)t.RowBytes / (1 << 20)).ToString("0.0", CultureInfo.InvariantCulture);
            page.Append($"| `{t.Option}` | {t.Holds} | {rows} | {t.RowBytes} | {memory} MiB | {(t.Preallocated ? "at start" : "as rows come")} |\n");
        }

        page.Append("\n`counters` and `rule-hits` are kept per CPU: their memory is per CPU too.\n");
        return page.ToString();
    }
}
