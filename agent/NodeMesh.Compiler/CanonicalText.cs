using System.Collections.Immutable;
using System.Text;
using NodeMesh.Model;

namespace NodeMesh.Compiler;

/// <summary>Texts that are equal exactly when what they describe is equal; ids are derived from them.</summary>
internal static class CanonicalText
{
    public static string Of(ImmutableSortedDictionary<string, string> labels) =>
        string.Join(",", labels.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => $"{l.Key}={l.Value}"));

    public static string Of(LabelSelector selector) =>
        string.Join(",", selector.Requirements.Select(r => r.Operator is SelectorOperator.In or SelectorOperator.NotIn
            ? $"{r.Key} {r.Operator} ({string.Join(",", r.Values.Order(StringComparer.Ordinal))})"
            : $"{r.Key} {r.Operator}").Order(StringComparer.Ordinal));

    public static string Of(NamespaceMatch match) => match switch
    {
        { Name: { } name, Selector: { } selector } => $"{name}+[{Of(selector)}]",
        { Name: { } name } => name,
        { Selector: { } selector } => $"[{Of(selector)}]",
        _ => "*",
    };

    public static string Of(PolicyPeer peer) => peer switch
    {
        PodPeer p => $"pods [{Of(p.Pods)}] in {Of(p.Namespaces)}",
        CidrPeer c when c.Except.Length > 0 => $"cidr {c.Cidr} except {string.Join(",", c.Except.Order())}",
        CidrPeer c => $"cidr {c.Cidr}",
        EntityPeer e => $"entity {e.Entity}",
        NodePeer n => $"nodes [{Of(n.Nodes)}]",
        _ => throw new ArgumentOutOfRangeException(nameof(peer), peer.GetType().Name, "a kind of peer this build does not know"),
    };

    public static string Of(PortMatch port) => port.Named is { } name
        ? $"{port.Protocol} {name}"
        : $"{port.Protocol} {port.First}-{port.Last}";

    public static string Of(HttpMatch http)
    {
        var text = new StringBuilder("http");
        AppendList(text, "method", http.Methods.Order(StringComparer.Ordinal));
        AppendList(text, "path", http.Paths.Select(p => $"{p.Type} {p.Value}").Order(StringComparer.Ordinal));
        AppendList(text, "host", http.Hosts.Order(StringComparer.Ordinal));
        AppendList(text, "header", http.Headers.Select(h => $"{h.Name} {h.Type} {h.Value}").Order(StringComparer.Ordinal));
        return text.ToString();
    }

    // Quoted, since a regular expression may hold any character that separates.
    private static void AppendList(StringBuilder text, string name, IEnumerable<string> values)
    {
        foreach (var value in values)
            text.Append(' ').Append(name).Append("=\"").Append(value.Replace("\\", "\\\\").Replace("\"", "\\\"")).Append('"');
    }
}
