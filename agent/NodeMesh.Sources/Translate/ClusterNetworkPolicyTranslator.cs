using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>policy.networking.k8s.io/v1alpha2 ClusterNetworkPolicy, its limits included: what the API server would not take is not taken from a file.</summary>
internal static class ClusterNetworkPolicyTranslator
{
    private const int MaxItems = 25;
    private const int MaxName = 100;
    private const int MaxPriority = 1000;

    public static Policy Translate(ApiObject obj, Fields root)
    {
        Metadata.Read(root, obj);
        root.Ignore("status");
        using var spec = root.Require("spec")?.Map();
        if (spec is null)
            return Closed(obj);
        var tier = spec.Require("tier")?.OneOf("Admin", "Baseline") == "Baseline" ? PolicyTier.Baseline : PolicyTier.Admin;
        var priority = (int)(spec.Require("priority")?.Integer(0, MaxPriority) ?? 0);
        var subject = Subject(spec.Require("subject"));
        var ingress = PolicyParts.ReadAll(spec.Items("ingress", MaxItems), item => Rule(item, "from")) ?? [];
        var egress = PolicyParts.ReadAll(spec.Items("egress", MaxItems), item => Rule(item, "to")) ?? [];
        if (ingress.Length + egress.Length == 0 && !spec.Report.Failed)
            spec.Report.Warning("idle-policy", spec.Path, spec.At, "the policy has no rule; add ingress or egress rules", "the policy has no effect");
        return new Policy(PolicyKind.ClusterNetworkPolicy, obj.Name, subject?.Pods ?? LabelSelector.Everything, subject?.Namespaces ?? NamespaceMatch.All,
            false, false, ingress, egress, obj.Location)
        {
            Tier = tier,
            Priority = priority,
        };
    }

    private static PolicyRule? Rule(Value item, string peersField)
    {
        using var rule = item.Map();
        if (rule is null)
            return null;
        var name = rule.Get("name");
        var words = name?.Text();
        if (words is { Length: > MaxName })
            name!.Value.Error("out-of-range", $"the rule's name has {words.Length} characters; at most {MaxName} may be");
        var action = rule.Require("action")?.OneOf("Accept", "Deny", "Pass") switch
        {
            "Accept" => PolicyAction.Allow,
            "Pass" => PolicyAction.Pass,
            _ => PolicyAction.Deny,
        };
        var peerItems = Required(rule, peersField);
        var peers = PolicyParts.ReadAll(peerItems, p => Peers(p, isEgress: peersField == "to"));
        var protocolItems = rule.Has("protocols") ? Required(rule, "protocols") : [];
        var ports = PolicyParts.ReadPorts(protocolItems, Port);
        if (peers is not { } known)
            return null;

        var all = known.SelectMany(p => p.Peers).ToImmutableArray();
        for (var i = 0; i < Math.Min(ports.Length, protocolItems.Length); i++)
            if (ports[i].Named is not null && all.Any(p => p is not PodPeer))
                protocolItems[i].Error("bad-value", "only pods have named ports; put networks and nodes in a rule of their own, or give the port as a number");
        return new PolicyRule(action, all, ports, []) { Name = words is { Length: > 0 } ? $"{PolicyParts.RuleName(rule)} ({words})" : PolicyParts.RuleName(rule) };
    }

    private static PodPeer? Subject(Value? value)
    {
        using var subject = value?.Map();
        return subject is not null && OnlyOne(subject, "subject", "namespaces", "pods") ? Pods(subject) : null;
    }

    /// <summary>An entry of from or to; several blocks in one entry are several peers.</summary>
    private sealed record PeerList(ImmutableArray<PolicyPeer> Peers);

    private static PeerList? Peers(Value item, bool isEgress)
    {
        using var peer = item.Map();
        if (peer is null)
            return null;
        if (!isEgress)
            return OnlyOne(peer, "peer", "namespaces", "pods") && Pods(peer) is { } source ? new PeerList([source]) : null;

        // The names would have to be watched in DNS answers, which is not done here; without the entry the rule would be another.
        peer.Refuse("domainNames");
        if (peer.Has("domainNames") || !OnlyOne(peer, "peer", "namespaces", "pods", "nodes", "networks"))
            return null;
        if (peer.Get("nodes") is { } nodes)
            return new PeerList([new NodePeer(Selectors.Read(nodes))]);
        if (peer.Has("networks"))
            return new PeerList([.. Required(peer, "networks").Select(n => Ports.Block(n)).OfType<IpPrefix>().Distinct().Select(b => new CidrPeer(b, []))]);
        return Pods(peer) is { } pods ? new PeerList([pods]) : null;
    }

    private static PodPeer? Pods(Fields of)
    {
        if (of.Get("namespaces") is { } namespaces)
            return new PodPeer(LabelSelector.Everything, Selectors.Namespaces(namespaces));
        using var pods = of.Map("pods");
        return pods is null ? null : new PodPeer(Selectors.Read(pods.Require("podSelector")), Selectors.Namespaces(pods.Get("namespaceSelector")));
    }

    private static PortMatch? Port(Value item)
    {
        using var entry = item.Map();
        if (entry is null || !OnlyOne(entry, "entry", "tcp", "udp", "sctp", "destinationNamedPort"))
            return null;
        if (entry.Get("destinationNamedPort") is { } named)
            return Ports.Name(named) is { } name ? new PortMatch(Protocol.Any, 0, 0, name) : null;
        var (field, protocol) = entry.Has("tcp") ? ("tcp", Protocol.Tcp) : entry.Has("udp") ? ("udp", Protocol.Udp) : ("sctp", Protocol.Sctp);
        using var attributes = entry.Map(field);
        using var port = attributes?.Require("destinationPort")?.Map();
        if (port is null || !OnlyOne(port, "port", "number", "range"))
            return null;
        if (port.Get("number") is { } number)
            return Ports.Number(number) is { } n ? new PortMatch(protocol, n, n, null) : null;
        using var range = port.Map("range");
        var first = Ports.Number(range?.Require("start"));
        var last = Ports.Number(range?.Require("end"));
        if (first >= last)
            range!.Error("out-of-range", $"the range's start {first} is not below its end {last}");
        return first is { } f && last is { } l ? new PortMatch(protocol, f, l, null) : null;
    }

    /// <summary>The API has unions of which exactly one member is set.</summary>
    private static bool OnlyOne(Fields of, string what, params ReadOnlySpan<string> members)
    {
        var given = 0;
        foreach (var member in members)
            given += of.Has(member) ? 1 : 0;
        if (given != 1)
            of.Error(given == 0 ? "missing-field" : "bad-value", $"the {what} must have exactly one of {string.Join(", ", members!)}");
        return given == 1;
    }

    private static ImmutableArray<Value> Required(Fields of, string field)
    {
        var items = of.Require(field) is null ? [] : of.Items(field, MaxItems);
        if (of.Get(field) is { Node: ApiList } list && items.IsEmpty)
            list.Error("missing-field", $"'{field}' needs at least one entry");
        return items;
    }

    private static Policy Closed(ApiObject obj) =>
        new(PolicyKind.ClusterNetworkPolicy, obj.Name, LabelSelector.Everything, NamespaceMatch.All, false, false, [], [], obj.Location);
}
