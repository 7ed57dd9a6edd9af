using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Unit.Tests.Compiler;

/// <summary>Small meshes with many overlaps: few labels, nested blocks, touching port ranges.</summary>
internal sealed class RandomMesh(Random random)
{
    public static readonly NodeFacts Node = new("here", [IpAddr.Parse("192.168.0.1"), IpAddr.Parse("fd00:1::1")], []);

    public static readonly ushort[] Ports = [1, 79, 80, 81, 443, 1023, 1024, 8000, 8079, 8080, 8081, 8100, 8101, 40000, 65535];

    /// <summary>Types and codes of ICMP, as they stand in a key: echo, echo's reply, unreachable by two codes, and one that no rule names.</summary>
    public static readonly ushort[] IcmpTypes = [0x0800, 0x0000, 0x0301, 0x0304, 0x0b00];

    /// <summary>Protocols without ports.</summary>
    public static readonly Protocol[] Bare = [(Protocol)47, (Protocol)50];

    public static readonly string[] Methods = ["GET", "POST", "DELETE"];

    public static readonly ImmutableArray<IpAddr> Outside =
        [.. new[] { "192.168.0.1", "192.168.0.2", "192.168.0.3", "10.0.0.200", "10.0.1.9", "172.16.3.4", "8.8.8.8", "fd00:1::2", "fd00:2::99", "2001:db8::1" }.Select(IpAddr.Parse)];

    private static readonly string[] s_blocks =
        ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.0/29", "10.0.0.3/32", "192.168.0.0/24", "172.16.0.0/12", "::/0", "fd00:2::/64", "fd00:2::2/127"];

    public MeshSnapshot Next()
    {
        ImmutableArray<MeshNamespace> namespaces = [.. new[] { "a", "b", "c" }.Select(n => new MeshNamespace(n, Labels("team")))];
        ImmutableArray<Workload> pods = [.. Enumerable.Range(1, 7).Select(Pod).OrderBy(p => p.Name)];
        ImmutableArray<MeshNode> nodes =
        [
            Machine("elsewhere", [IpAddr.Parse("192.168.0.3")]),
            Machine("here", Node.Addresses),
            Machine("there", [IpAddr.Parse("192.168.0.2"), IpAddr.Parse("fd00:1::2")]),
        ];
        ImmutableArray<Service> services = [Service("default", "kubernetes", ["192.168.0.3", "172.16.3.4"]), Service("a", "s", [.. pods.Take(3).Select(p => p.Addresses[0].ToString()), "8.8.8.8"])];
        ImmutableArray<Policy> policies = [.. Enumerable.Range(0, random.Next(7)).Select(AnyPolicy).OrderBy(p => p.Name).ThenBy(p => p.Kind)];
        return MeshSnapshot.Empty with { Namespaces = namespaces, Workloads = pods, Nodes = nodes, Services = [.. services.OrderBy(s => s.Name)], Policies = policies };
    }

    private MeshNode Machine(string name, ImmutableArray<IpAddr> addresses) => new(name, Labels("zone"), addresses, []);

    /// <summary>Backends of one service port need not have the same target port.</summary>
    private Service Service(string ns, string name, string[] addresses) => new(new ObjectName(ns, name), [],
    [
        new ServicePort("main", Protocol.Tcp, 80, "", [.. addresses.Select(a => new Backend(IpAddr.Parse(a), Pick<ushort>(80, 8080), "")).Order()]),
        new ServicePort("more", Protocol.Udp, 443, "", [.. addresses.Take(2).Select(a => new Backend(IpAddr.Parse(a), 443, "")).Order()]),
    ]);

    private Workload Pod(int number)
    {
        ImmutableArray<IpAddr> addresses = random.Next(3) == 0
            ? [IpAddr.Parse($"10.0.0.{number}"), IpAddr.Parse($"fd00:2::{number}")]
            : [IpAddr.Parse($"10.0.0.{number}")];
        ImmutableArray<NamedPort> ports = random.Next(3) == 0 ? [] : [new NamedPort("web", Protocol.Tcp, Pick<ushort>([80, 8080]))];
        var isHere = random.Next(3) > 0;
        return new Workload(new ObjectName(Pick("a", "b", "c"), $"p{number}"), Labels("app", "tier"), addresses, ports, isHere ? "here" : "there",
            false, true, false, isHere ? new Attachment($"p{number}", "") : default);
    }

    private Policy AnyPolicy(int number) => random.Next(4) == 0 ? ClusterNetworkPolicy(number) : Policy(number);

    private Policy Policy(int number)
    {
        var kind = Pick(PolicyKind.NetworkPolicy, PolicyKind.MeshPolicy, PolicyKind.ClusterMeshPolicy);
        var ns = Pick("a", "b", "c");
        var isCluster = kind == PolicyKind.ClusterMeshPolicy;
        var own = isCluster ? NamespaceMatch.All : new NamespaceMatch(ns, null);
        var ingress = Rules("ingress", random.Next(3), () => Rule(kind, own, isEgress: false));
        var egress = Rules("egress", random.Next(3), () => Rule(kind, own, isEgress: true));
        var hasTypes = kind == PolicyKind.NetworkPolicy || random.Next(4) == 0;
        return new Policy(kind, new ObjectName(isCluster ? "" : ns, $"policy{number}"), Selector("app", "tier"), own,
            hasTypes ? ingress.Length > 0 || random.Next(2) == 0 : ingress.Any(r => r.Action == PolicyAction.Allow),
            hasTypes ? egress.Length > 0 || random.Next(2) == 0 : egress.Any(r => r.Action == PolicyAction.Allow),
            ingress, egress)
        {
            IsAudit = kind != PolicyKind.NetworkPolicy && random.Next(4) == 0,
        };
    }

    private Policy ClusterNetworkPolicy(int number)
    {
        var ingress = Rules("ingress", random.Next(4), () => TierRule(isEgress: false));
        var egress = Rules("egress", random.Next(4), () => TierRule(isEgress: true));
        return new Policy(PolicyKind.ClusterNetworkPolicy, new ObjectName("", $"policy{number}"), Selector("app", "tier"),
            random.Next(2) == 0 ? NamespaceMatch.All : new NamespaceMatch(null, Selector("team", "team")), false, false, ingress, egress)
        {
            Tier = Pick(PolicyTier.Admin, PolicyTier.Baseline),
            Priority = random.Next(3),
        };
    }

    private static ImmutableArray<PolicyRule> Rules(string direction, int count, Func<PolicyRule> rule) =>
        [.. Enumerable.Range(0, count).Select(i => rule() with { Name = $"{direction}[{i}]" })];

    private PolicyRule TierRule(bool isEgress)
    {
        ImmutableArray<PolicyPeer> peers = [.. Enumerable.Range(0, 1 + random.Next(2)).Select(_ => TierPeer(isEgress))];
        ImmutableArray<PortMatch> ports = [.. Enumerable.Range(0, random.Next(3)).Select(_ => Port(tcpOnly: false))];
        return new PolicyRule(Pick(PolicyAction.Allow, PolicyAction.Deny, PolicyAction.Pass), peers, ports, []);
    }

    private PolicyPeer TierPeer(bool isEgress) => random.Next(isEgress ? 4 : 2) switch
    {
        0 => new PodPeer(LabelSelector.Everything, new NamespaceMatch(null, Selector("team", "kubernetes.io/metadata.name"))),
        1 => new PodPeer(Selector("app", "tier"), NamespaceMatch.All),
        2 => new NodePeer(Selector("zone", "zone")),
        _ => new CidrPeer(IpPrefix.Parse(Pick(s_blocks)), []),
    };

    private PolicyRule Rule(PolicyKind kind, NamespaceMatch own, bool isEgress)
    {
        var isMesh = kind != PolicyKind.NetworkPolicy;
        ImmutableArray<PolicyPeer> peers = [.. Enumerable.Range(0, random.Next(3)).Select(_ => Peer(isMesh, own))];
        ImmutableArray<HttpMatch> http = isMesh && random.Next(3) == 0 ? [new HttpMatch([Pick(Methods)], [], [], [])] : [];
        ImmutableArray<PortMatch> ports = [.. Enumerable.Range(0, random.Next(3)).Select(_ => !isMesh || http.Length > 0 || random.Next(3) > 0 ? Port(http.Length > 0) : MeshPort())];
        return new PolicyRule(isMesh && random.Next(3) == 0 ? PolicyAction.Deny : PolicyAction.Allow, peers, ports, http)
        {
            Services = isMesh && isEgress && random.Next(4) == 0 ? [Pick(new ObjectName("a", "s"), new ObjectName("a", "none"))] : [],
        };
    }

    private PortMatch MeshPort() => random.Next(4) switch
    {
        0 => PortMatch.All(Protocol.Icmp),
        1 => PortMatch.Icmp(Protocol.Icmp, 8, null),
        2 => PortMatch.Icmp(Protocol.Icmp, 3, 4),
        _ => PortMatch.All(Bare[0]),
    };

    private PolicyPeer Peer(bool isMesh, NamespaceMatch own) => random.Next(isMesh ? 4 : 3) switch
    {
        0 => new PodPeer(Selector("app", "tier"), random.Next(2) == 0 ? own : new NamespaceMatch(null, Selector("team", "team"))),
        1 => new PodPeer(LabelSelector.Everything, new NamespaceMatch(null, Selector("team", "kubernetes.io/metadata.name"))),
        2 => Block(),
        _ => new EntityPeer(Pick(Enum.GetValues<PolicyEntity>())),
    };

    private CidrPeer Block()
    {
        var block = IpPrefix.Parse(Pick(s_blocks));
        var inside = s_blocks.Select(IpPrefix.Parse).Where(b => b != block && block.Contains(b) && b.Address.IsIPv4 == block.Address.IsIPv4).ToArray();
        return new CidrPeer(block, inside.Length > 0 && random.Next(2) == 0 ? [Pick(inside)] : []);
    }

    private PortMatch Port(bool tcpOnly)
    {
        var protocol = tcpOnly || random.Next(3) > 0 ? Protocol.Tcp : Protocol.Udp;
        return random.Next(6) switch
        {
            0 => new PortMatch(protocol, 0, 65535, null),
            1 => new PortMatch(tcpOnly ? protocol : Pick(protocol, Protocol.Any), 0, 0, "web"),
            2 => new PortMatch(protocol, 8000, 8100, null),
            3 => new PortMatch(protocol, 1, 1023, null),
            4 => new PortMatch(protocol, 80, (ushort)random.Next(80, 9000), null),
            _ => Pick(Ports) is var p ? new PortMatch(protocol, p, p, null) : default,
        };
    }

    private LabelSelector Selector(string key, string other) => random.Next(5) switch
    {
        0 => LabelSelector.Everything,
        1 => new LabelSelector([new Requirement(key, SelectorOperator.In, ["x"])]),
        2 => new LabelSelector([new Requirement(key, SelectorOperator.NotIn, ["x", "y"])]),
        3 => new LabelSelector([new Requirement(other, SelectorOperator.Exists, [])]),
        _ => new LabelSelector([new Requirement(key, SelectorOperator.In, ["y", "z", "a"]), new Requirement(other, SelectorOperator.DoesNotExist, [])]),
    };

    private ImmutableSortedDictionary<string, string> Labels(params string[] keys)
    {
        var labels = ImmutableSortedDictionary<string, string>.Empty;
        foreach (var key in keys)
            if (random.Next(3) > 0)
                labels = labels.Add(key, Pick("x", "y", "z"));
        return labels;
    }

    private T Pick<T>(params T[] of) => of[random.Next(of.Length)];
}
