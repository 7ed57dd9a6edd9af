using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Unit.Tests.Compiler;

/// <summary>Small meshes with many overlaps: few labels, nested blocks, touching port ranges.</summary>
internal sealed class RandomMesh(Random random)
{
    public static readonly NodeFacts Node = new("here", [IpAddr.Parse("192.168.0.1"), IpAddr.Parse("fd00:1::1")], []);

    public static readonly ushort[] Ports = [1, 79, 80, 81, 443, 1023, 1024, 8000, 8079, 8080, 8081, 8100, 8101, 40000, 65535];

    public static readonly string[] Methods = ["GET", "POST", "DELETE"];

    public static readonly ImmutableArray<IpAddr> Outside =
        [.. new[] { "192.168.0.1", "192.168.0.2", "10.0.0.200", "10.0.1.9", "172.16.3.4", "8.8.8.8", "fd00:1::2", "fd00:2::99", "2001:db8::1" }.Select(IpAddr.Parse)];

    private static readonly string[] s_blocks =
        ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.0/29", "10.0.0.3/32", "192.168.0.0/24", "172.16.0.0/12", "::/0", "fd00:2::/64", "fd00:2::2/127"];

    public MeshSnapshot Next()
    {
        ImmutableArray<MeshNamespace> namespaces = [.. new[] { "a", "b", "c" }.Select(n => new MeshNamespace(n, Labels("team")))];
        ImmutableArray<Workload> pods = [.. Enumerable.Range(1, 7).Select(Pod).OrderBy(p => p.Name)];
        ImmutableArray<MeshNode> nodes = [Machine("here", Node.Addresses), Machine("there", [IpAddr.Parse("192.168.0.2"), IpAddr.Parse("fd00:1::2")])];
        ImmutableArray<Policy> policies = [.. Enumerable.Range(0, random.Next(6)).Select(Policy).OrderBy(p => p.Name)];
        return MeshSnapshot.Empty with { Namespaces = namespaces, Workloads = pods, Nodes = nodes, Policies = policies };
    }

    private static MeshNode Machine(string name, ImmutableArray<IpAddr> addresses) =>
        new(name, ImmutableSortedDictionary<string, string>.Empty, addresses, []);

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

    private Policy Policy(int number)
    {
        var kind = Pick(PolicyKind.NetworkPolicy, PolicyKind.MeshPolicy, PolicyKind.ClusterMeshPolicy);
        var ns = Pick("a", "b", "c");
        var isCluster = kind == PolicyKind.ClusterMeshPolicy;
        var own = isCluster ? NamespaceMatch.All : new NamespaceMatch(ns, null);
        ImmutableArray<PolicyRule> ingress = [.. Enumerable.Range(0, random.Next(3)).Select(_ => Rule(kind, own))];
        ImmutableArray<PolicyRule> egress = [.. Enumerable.Range(0, random.Next(3)).Select(_ => Rule(kind, own))];
        var isNetworkPolicy = kind == PolicyKind.NetworkPolicy;
        return new Policy(kind, new ObjectName(isCluster ? "" : ns, $"policy{number}"), Selector("app", "tier"), own,
            isNetworkPolicy ? ingress.Length > 0 || random.Next(2) == 0 : ingress.Any(r => r.Action == PolicyAction.Allow),
            isNetworkPolicy ? egress.Length > 0 || random.Next(2) == 0 : egress.Any(r => r.Action == PolicyAction.Allow),
            ingress, egress);
    }

    private PolicyRule Rule(PolicyKind kind, NamespaceMatch own)
    {
        var isMesh = kind != PolicyKind.NetworkPolicy;
        ImmutableArray<PolicyPeer> peers = [.. Enumerable.Range(0, random.Next(3)).Select(_ => Peer(isMesh, own))];
        ImmutableArray<HttpMatch> http = isMesh && random.Next(3) == 0 ? [new HttpMatch([Pick(Methods)], [], [], [])] : [];
        ImmutableArray<PortMatch> ports = [.. Enumerable.Range(0, random.Next(3)).Select(_ => Port(http.Length > 0))];
        return new PolicyRule(isMesh && random.Next(3) == 0 ? PolicyAction.Deny : PolicyAction.Allow, peers, ports, http);
    }

    private PolicyPeer Peer(bool isMesh, NamespaceMatch own) => random.Next(isMesh ? 4 : 3) switch
    {
        0 => new PodPeer(Selector("app", "tier"), random.Next(2) == 0 ? own : new NamespaceMatch(null, Selector("team", "team"))),
        1 => new PodPeer(LabelSelector.Everything, new NamespaceMatch(null, Selector("team", "kubernetes.io/metadata.name"))),
        2 => Block(),
        _ => new EntityPeer(Pick(PolicyEntity.Cluster, PolicyEntity.Host, PolicyEntity.World)),
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
            1 => new PortMatch(protocol, 0, 0, "web"),
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
