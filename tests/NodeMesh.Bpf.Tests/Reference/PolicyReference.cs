using System.Globalization;
using System.Text.Json.Nodes;

namespace NodeMesh.Bpf.Tests.Reference;

/// <summary>
/// Judges a connection by the policies as they are written, in the order of docs/policies.md, with nothing worked out before: no identity, class, set or prefix.
/// What the kernel says is held against it.
/// </summary>
internal sealed class PolicyReference(Objects objects)
{
    private const string TcpProtocol = "TCP";

    /// <param name="subject">The pod at this end.</param>
    /// <param name="ingress">It is connected to; otherwise it connects.</param>
    /// <param name="peer">Address of the other end.</param>
    public Judgement Judge(JsonObject subject, bool ingress, string peer, Traffic traffic)
    {
        var enforced = Judge(subject, ingress, peer, traffic, withAudit: false);
        if (Refuses(enforced))
            return new Judgement(enforced);
        var all = Judge(subject, ingress, peer, traffic, withAudit: true);
        // To see which requests would be refused takes the proxy, as refusing them would.
        return Refuses(all) ? new Judgement(enforced, all) : new Judgement(all == Ruling.Proxy ? all : enforced);
    }

    private static bool Refuses(Ruling ruling) => ruling is Ruling.Deny or Ruling.DefaultDeny;

    private Ruling Judge(JsonObject subject, bool ingress, string peer, Traffic traffic, bool withAudit)
    {
        if (Tier("Admin", subject, ingress, peer, traffic) is { } admin)
            return admin;
        var (middle, byRequest) = Middle(subject, ingress, peer, traffic, withAudit);
        var decided = middle ?? Tier("Baseline", subject, ingress, peer, traffic) ?? Ruling.Allow;
        return byRequest && decided == Ruling.Allow ? Ruling.Proxy : decided;
    }

    /// <summary>Null: nothing here decides.</summary>
    private Ruling? Tier(string tier, JsonObject subject, bool ingress, string peer, Traffic traffic)
    {
        var policies = objects.OfKind("ClusterNetworkPolicy")
            .Where(p => p.Text("spec", "tier") == tier && IsSubject(p["spec"]!["subject"]!, subject))
            .OrderBy(p => (int)p["spec"]!["priority"]!).ThenBy(p => p.Text("metadata", "name"), StringComparer.Ordinal);
        foreach (var rule in policies.SelectMany(p => p["spec"].List(ingress ? "ingress" : "egress")))
        {
            if (!rule.List(ingress ? "from" : "to").Any(p => IsTierPeer(p, peer)) || !IsTierPort(rule, ingress ? subject : objects.PodAt(peer), traffic))
                continue;
            return rule.Text("action") switch { "Accept" => Ruling.Allow, "Deny" => Ruling.Deny, _ => null };
        }

        return null;
    }

    private bool IsSubject(JsonNode match, JsonObject pod)
    {
        var ns = objects.NamespaceLabels(Objects.NamespaceOf(pod));
        return match["namespaces"] is { } namespaces
            ? Objects.Selects(namespaces, ns)
            : match["pods"] is { } pods && Objects.Selects(pods["namespaceSelector"], ns) && Objects.Selects(pods["podSelector"], Objects.Labels(pod));
    }

    private bool IsTierPeer(JsonNode peer, string address)
    {
        if (peer["networks"] is JsonArray networks)
            return !objects.IsThisNode(address) && networks.Any(n => Objects.InBlock((string)n!, address));
        if (peer["nodes"] is { } nodes)
            return !objects.IsThisNode(address) && objects.OfKind("Node").Any(n => Objects.Selects(nodes, Objects.Labels(n)) && Objects.NodeAddresses(n).Contains(address));
        return objects.PodAt(address) is { } pod && IsSubject(peer, pod);
    }

    private static bool IsTierPort(JsonNode rule, JsonObject? target, Traffic traffic)
    {
        if (rule["protocols"] is not JsonArray { Count: > 0 } protocols)
            return true;
        foreach (var entry in protocols.OfType<JsonObject>())
        {
            if (entry["destinationNamedPort"] is { } name)
            {
                if (IsNamed(target, (string)name!, null, traffic))
                    return true;
                continue;
            }

            var (protocol, what) = (entry.First().Key.ToUpperInvariant(), entry.First().Value);
            if (NumberOf(protocol) != traffic.Protocol)
                continue;
            var port = what?["destinationPort"];
            if (port is null || (port["number"] is { } number && (int)number == traffic.Port)
                || (port["range"] is { } range && (int)range["start"]! <= traffic.Port && traffic.Port <= (int)range["end"]!))
                return true;
        }

        return false;
    }

    /// <summary>NetworkPolicy, MeshPolicy and ClusterMeshPolicy together.</summary>
    /// <returns>Null: none of them decides; and whether a rule by request may refuse what is allowed.</returns>
    private (Ruling? Ruling, bool ByRequest) Middle(JsonObject subject, bool ingress, string peer, Traffic traffic, bool withAudit)
    {
        var policies = ((string[])["NetworkPolicy", "MeshPolicy", "ClusterMeshPolicy"]).SelectMany(objects.OfKind)
            .Where(p => withAudit || p.Text("spec", "action") != "Audit").Where(p => IsAbout(p, subject)).ToList();
        var matching = (from policy in policies
                        where Counts(policy, ingress)
                        from rule in policy["spec"].List(ingress ? "ingress" : "egress")
                        where (IsPeer(policy, rule, ingress, peer) && IsPort(rule, ingress, subject, peer, traffic)) || IsService(policy, rule, ingress, peer, traffic)
                        select rule).ToList();
        bool Any(string action, bool byRequest) =>
            matching.Any(r => (r.Text("action") is { Length: > 0 } a ? a : "Allow") == action && r.List("http").Any() == byRequest);

        if (Any("Deny", byRequest: false))
            return (Ruling.Deny, false);
        if (Any("Allow", byRequest: false))
            return (Ruling.Allow, Any("Deny", byRequest: true));
        if (Any("Allow", byRequest: true))
            return (Ruling.Allow, true);
        return policies.Any(p => Isolates(p, ingress)) ? (Ruling.DefaultDeny, false) : (null, Any("Deny", byRequest: true));
    }

    private bool IsAbout(JsonObject policy, JsonObject pod)
    {
        var ns = Objects.NamespaceOf(pod);
        var isThere = policy.Text("kind") == "ClusterMeshPolicy"
            ? Objects.Selects(policy["spec"]?["namespaceSelector"], objects.NamespaceLabels(ns))
            : Objects.NamespaceOf(policy) == ns;
        return isThere && Objects.Selects(policy["spec"]?["podSelector"], Objects.Labels(pod));
    }

    /// <summary>Whether rules of a direction have effect.</summary>
    private static bool Counts(JsonObject policy, bool ingress) =>
        (policy.Text("kind") != "NetworkPolicy" && !policy["spec"].List("policyTypes").Any()) || Isolates(policy, ingress);

    private static bool Isolates(JsonObject policy, bool ingress)
    {
        var spec = policy["spec"];
        var types = spec.List("policyTypes").Select(t => (string)t!).ToList();
        if (types.Count > 0)
            return types.Contains(ingress ? "Ingress" : "Egress");
        if (policy.Text("kind") == "NetworkPolicy")
            return ingress || spec.List("egress").Any();
        return spec.List(ingress ? "ingress" : "egress").Any(r => r.Text("action") != "Deny");
    }

    private bool IsPeer(JsonObject policy, JsonNode rule, bool ingress, string address)
    {
        var peers = rule.List(ingress ? "from" : "to").ToList();
        return (peers.Count == 0 && !rule.List("toServices").Any()) || peers.Any(p => IsPeer(policy, p, address));
    }

    /// <summary>A backend of a service that the rule names: at the ports of the rule, or where it has none at those that the service leads to.</summary>
    private bool IsService(JsonObject policy, JsonNode rule, bool ingress, string peer, Traffic traffic)
    {
        var backends = rule.List("toServices").SelectMany(s => objects.Backends(s.Text("namespace") is { Length: > 0 } ns ? ns : Objects.NamespaceOf(policy), s.Text("name")))
            .Where(b => b.Address == peer).ToList();
        return rule.List("ports").Any()
            ? backends.Count > 0 && rule.List("ports").Any(p => IsPort(p, objects.PodAt(peer), traffic))
            : backends.Any(b => NumberOf(b.Protocol) == traffic.Protocol && b.Port == traffic.Port);
    }

    private bool IsPeer(JsonObject policy, JsonNode peer, string address)
    {
        // A pod and its node always reach each other; to a block the node is nobody.
        if (peer["ipBlock"] is { } block)
            return !objects.IsThisNode(address) && Objects.InBlock(block.Text("cidr"), address) && !block.List("except").Any(e => Objects.InBlock((string)e!, address));
        var pod = objects.PodAt(address);
        var isNode = objects.IsThisNode(address) || objects.IsOtherNode(address);
        if (peer["entity"] is { } entity)
            return (string)entity! switch
            {
                "host" => objects.IsThisNode(address),
                "remote-node" => objects.IsOtherNode(address),
                "cluster" => isNode || pod is not null,
                "world" => !isNode && pod is null,
                "all" => true,
                "kube-apiserver" => objects.Backends("default", "kubernetes").Any(b => b.Address == address),
                _ => throw new InvalidOperationException(peer.ToJsonString()),
            };
        if (pod is null)
            return false;
        var ns = Objects.NamespaceOf(pod);
        var isThere = peer["namespaceSelector"] is { } selector
            ? Objects.Selects(selector, objects.NamespaceLabels(ns))
            : policy.Text("kind") == "ClusterMeshPolicy" || Objects.NamespaceOf(policy) == ns;
        return isThere && Objects.Selects(peer["podSelector"], Objects.Labels(pod));
    }

    private bool IsPort(JsonNode rule, bool ingress, JsonObject subject, string peer, Traffic traffic)
    {
        var ports = rule.List("ports").ToList();
        if (ports.Count == 0)
            return !rule.List("http").Any() || traffic.Protocol == Packet.ProtoTcp;
        return ports.Any(p => IsPort(p, ingress ? subject : objects.PodAt(peer), traffic));
    }

    /// <param name="target">The pod that is connected to, if it is one.</param>
    private static bool IsPort(JsonNode entry, JsonObject? target, Traffic traffic)
    {
        var protocol = entry.Text("protocol") is { Length: > 0 } given ? given : TcpProtocol;
        if (NumberOf(protocol) != traffic.Protocol)
            return false;
        if (entry["icmpType"] is { } type)
            return IcmpType(protocol, type) == traffic.Port >> 8 && (entry["icmpCode"] is not { } code || (int)code == (traffic.Port & 255));
        if (entry["port"] is not JsonValue port)
            return true;
        if (!port.TryGetValue<int>(out var first))
            return IsNamed(target, (string)port!, protocol, traffic);
        return first <= traffic.Port && traffic.Port <= (entry["endPort"] is { } end ? (int)end : first);
    }

    private static bool IsNamed(JsonObject? target, string name, string? protocol, Traffic traffic) => target is not null && Objects.NamedPorts(target).Any(p =>
        p.Name == name && (protocol is null || p.Protocol == protocol) && NumberOf(p.Protocol) == traffic.Protocol && p.Number == traffic.Port);

    private static int NumberOf(string protocol) => protocol switch
    {
        TcpProtocol => Packet.ProtoTcp,
        "UDP" => Packet.ProtoUdp,
        "SCTP" => Packet.ProtoSctp,
        "ICMP" => Packet.ProtoIcmp,
        "ICMPv6" => Packet.ProtoIcmp6,
        _ => int.Parse(protocol, CultureInfo.InvariantCulture),
    };

    /// <summary>By IANA's numbers of its names.</summary>
    private static int IcmpType(string protocol, JsonNode type) => (protocol, type.ToString()) switch
    {
        ("ICMP", "EchoRequest") => 8,
        ("ICMP", "TimestampRequest") => 13,
        ("ICMPv6", "EchoRequest") => 128,
        _ => (int)type,
    };
}
