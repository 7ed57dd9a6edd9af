using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Unit.Tests.Compiler;

/// <summary>Services with few backends in every state, on three nodes in two zones.</summary>
internal sealed class RandomServices(Random random)
{
    public static readonly ImmutableArray<IpAddr> NodeAddresses = [IpAddr.Parse("192.168.0.1"), IpAddr.Parse("fd00:1::1")];

    private static readonly string[] s_nodes = ["here", "near", "far", ""];
    private static readonly Dictionary<string, string> s_zones = new() { ["here"] = "a", ["near"] = "a", ["far"] = "b" };

    public NodeFacts Node() => new("here", NodeAddresses, []) { Balancing = Pick(Balancing.Random, Balancing.Maglev), MaglevTableSize = 31 };

    public MeshSnapshot Next(int services)
    {
        ImmutableArray<MeshNode> nodes =
        [
            .. s_zones.Select(z => new MeshNode(
                z.Key, random.Next(6) == 0 ? ImmutableSortedDictionary<string, string>.Empty : ImmutableSortedDictionary<string, string>.Empty.Add("topology.kubernetes.io/zone", z.Value), [], []))
                .OrderBy(n => n.Name, StringComparer.Ordinal),
        ];
        return MeshSnapshot.Empty with { Nodes = nodes, Services = [.. Enumerable.Range(0, services).Select(Service).OrderBy(s => s.Name)] };
    }

    public Service Service(int number)
    {
        var type = Pick(ServiceType.ClusterIP, ServiceType.NodePort, ServiceType.LoadBalancer);
        var isDual = random.Next(3) == 0;
        ImmutableArray<IpAddr> ips = isDual
            ? [IpAddr.Parse($"10.96.{number >> 8}.{number & 255}"), IpAddr.Parse($"fd00:96::{number:x}")]
            : [IpAddr.Parse(random.Next(4) == 0 ? $"fd00:96::{number:x}" : $"10.96.{number >> 8}.{number & 255}")];
        ImmutableArray<IpAddr> external = random.Next(3) == 0 ? [IpAddr.Parse($"198.51.100.{number & 255}"), IpAddr.Parse($"2001:db8:1::{number:x}")] : [];
        var isReachable = type != ServiceType.ClusterIP || external.Length > 0;
        var ports = Enumerable.Range(0, random.Next(1, 3)).Select(i =>
            new ServicePort(i == 0 ? "a" : "b", random.Next(4) == 0 ? Protocol.Udp : Protocol.Tcp, (ushort)(80 + i), "", Backends(number, i))
            {
                NodePort = (ushort)(type == ServiceType.ClusterIP ? 0 : 30000 + (2 * number) + i),
                Index = i,
            });
        return new Service(new ObjectName("ns", $"s{number:00000}"), ips, [.. ports])
        {
            Type = type,
            ExternalIps = external,
            LoadBalancerIps = type == ServiceType.LoadBalancer ? [IpAddr.Parse($"203.0.113.{number & 255}"), IpAddr.Parse($"2001:db8:2::{number:x}")] : [],
            SourceRanges = type == ServiceType.LoadBalancer && random.Next(2) == 0 ? [IpPrefix.Parse("10.0.0.0/8"), IpPrefix.Parse("2001:db8::/32")] : [],
            InternalPolicy = Pick(TrafficPolicy.Cluster, TrafficPolicy.Local),
            ExternalPolicy = isReachable ? Pick(TrafficPolicy.Cluster, TrafficPolicy.Local) : TrafficPolicy.Cluster,
            Affinity = random.Next(3) == 0 ? TimeSpan.FromSeconds(100) : null,
            Balancing = Pick<Balancing?>(null, Balancing.Maglev, Balancing.Random),
        };
    }

    private ImmutableArray<Backend> Backends(int service, int port)
    {
        var hints = random.Next(3);
        var backends = Enumerable.Range(1, random.Next(6)).Select(i =>
        {
            var node = Pick(s_nodes);
            var zone = s_zones.GetValueOrDefault(node);
            var isRare = random.Next(8) == 0;
            return new Backend(IpAddr.Parse(random.Next(3) == 0 ? $"fd00:2::{service % 40:x}:{i}" : $"10.0.{service % 40}.{i}"), (ushort)(8080 + port), node)
            {
                Zone = zone,
                NotReady = random.Next(3) == 0,
                NotServing = random.Next(3) == 0,
                Terminating = random.Next(3) == 0,
                ForZones = hints > 0 && !isRare ? Pick(zone ?? "a", "a,b", "b") : null,
                ForNodes = hints > 1 && !isRare ? Pick(node.Length > 0 ? node : "far", "far,here") : null,
            };
        });
        return [.. backends.DistinctBy(b => (b.Address, b.Port)).Order()];
    }

    private T Pick<T>(params T[] of) => of[random.Next(of.Length)];
}
