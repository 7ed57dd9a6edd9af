using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>What the kinds of policies write alike: selectors as peers, blocks, ports, policyTypes.</summary>
internal static class PolicyParts
{
    /// <summary>The directions that policyTypes names; null when it names none, which the API treats as its absence.</summary>
    public static (bool Ingress, bool Egress)? PolicyTypes(Fields spec, int most = int.MaxValue)
    {
        if (spec.Items("policyTypes", most) is not { Length: > 0 } items)
            return null;
        var named = items.Select(t => t.OneOf("Ingress", "Egress")).ToList();
        return (named.Contains("Ingress"), named.Contains("Egress"));
    }

    /// <param name="field">"ingress" or "egress".</param>
    public static void WarnIdle(Fields spec, string field, bool isOn, int rules)
    {
        if (!isOn && rules > 0)
            spec.Get(field)?.Warning("idle-rules", $"policyTypes does not have {char.ToUpperInvariant(field[0])}{field[1..]}; add it to make these rules count",
                "the rules have no effect, as in Kubernetes");
    }

    /// <summary>"ingress[0]" of the rule at "spec.ingress[0]".</summary>
    public static string RuleName(Fields rule) => rule.Path[(rule.Path.IndexOf('.') + 1)..];

    /// <summary>The pod peer of a map that has podSelector, namespaceSelector or both; null when it has neither.</summary>
    /// <param name="own">Whose pods a podSelector alone means.</param>
    /// <param name="most">As <see cref="Selectors.Read"/> takes it.</param>
    public static PodPeer? Pods(Fields peer, NamespaceMatch own, (int Expressions, int Values)? most = null)
    {
        var pods = peer.Get("podSelector");
        var namespaces = peer.Get("namespaceSelector");
        if (pods is null && namespaces is null)
            return null;
        return new PodPeer(Selectors.Read(pods, most), namespaces is null ? own : Selectors.Namespaces(namespaces, most));
    }

    public static CidrPeer? Block(Value? value, int mostExcepts = int.MaxValue)
    {
        using var block = value?.Map();
        if (block is null)
            return null;
        var cidr = block.Require("cidr") is { } c ? Ports.Block(c) : null;
        var excepts = new List<IpPrefix>();
        foreach (var item in block.Items("except", mostExcepts))
        {
            if (Ports.Block(item) is not { } except)
                continue;
            if (cidr is { } whole && (!whole.Contains(except) || whole == except))
                item.Error("bad-cidr", $"{except} is not a smaller block inside {whole}, so it cannot be excepted from it");
            excepts.Add(except);
        }
        return cidr is { } known ? new CidrPeer(known, [.. excepts.Distinct().Order()]) : null;
    }

    /// <summary>{protocol, port, endPort}: protocol TCP when absent, every port of it when there is no port.</summary>
    public static PortMatch? Port(Value item)
    {
        using var p = item.Map();
        return p is null ? null : Port(p, Ports.ReadProtocol(p.Get("protocol")));
    }

    /// <summary>port and endPort of a protocol that has ports.</summary>
    public static PortMatch? Port(Fields p, Protocol protocol)
    {
        var end = p.Get("endPort");
        if (p.Get("port") is not { } port)
        {
            end?.Error("missing-field", "endPort needs a port before it; add 'port', the first of the range");
            return PortMatch.All(protocol);
        }

        if (port.Node is ApiScalar { Kind: ScalarKind.Text })
        {
            end?.Error("bad-value", "endPort cannot follow a port's name; give 'port' as a number or remove endPort");
            return Ports.Name(port) is { } name ? new PortMatch(protocol, 0, 0, name) : null;
        }

        if (Ports.Number(port) is not { } first)
            return null;
        if (end is not { } e)
            return new PortMatch(protocol, first, first, null);
        if (Ports.Number(e) is not { } last)
            return null;
        if (last < first)
            e.Error("out-of-range", $"endPort {last} is below port {first}");
        return new PortMatch(protocol, first, last, null);
    }

    /// <summary>Null when an entry could not be read, so that a list of broken entries never looks like an empty one.</summary>
    public static ImmutableArray<T>? ReadAll<T>(ImmutableArray<Value> items, Func<Value, T?> read) where T : class
    {
        var result = ImmutableArray.CreateBuilder<T>(items.Length);
        var broken = false;
        foreach (var item in items)
            if (read(item) is { } t)
                result.Add(t);
            else
                broken = true;
        return broken ? null : result.ToImmutable();
    }

    public static ImmutableArray<PortMatch> ReadPorts(ImmutableArray<Value> items, Func<Value, PortMatch?> read)
    {
        var result = ImmutableArray.CreateBuilder<PortMatch>(items.Length);
        foreach (var item in items)
            if (read(item) is { } p)
                result.Add(p);
        return result.ToImmutable();
    }
}
