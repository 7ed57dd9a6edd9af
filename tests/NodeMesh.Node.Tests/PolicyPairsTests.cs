using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Who reaches whom: pod, service, node and world, by TCP, UDP and ICMP, over both families, before and after a policy comes.</summary>
public sealed class PolicyPairsTests
{
    private const string Vip = "10.96.0.7", Vip6 = "fd00:96::7";

    private NodeBox _box = null!;
    private PodBox _client = null!;
    private PodBox _server = null!;
    private AgentProcess _agent = null!;

    private sealed record Pair(string Name, Netns From, string To, string To6, bool Pings = true);

    [SetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        _client = _box.AddPod("client");
        _server = _box.AddPod("server");
        _box.WriteConfig("svc.yaml", Manifests.Service("echo", "app: server", Vip, "tcp:7000:7000 udp:7000:7000:UDP", vip6: Vip6));
        foreach (var (place, address, address6) in (IEnumerable<(Netns, string, string)>)
            [(_server.Netns, _server.Address, _server.Address6), (_box.Node, NodeBox.NodeAddress, NodeBox.NodeAddress6), (_box.Outside, NodeBox.OutsideAddress, NodeBox.OutsideAddress6)])
        {
            place.StartServer(7000, "socat", "TCP6-LISTEN:7000,fork,reuseaddr,ipv6only=0", "EXEC:cat");
            // Bound, since a node answers from the address that is nearest to the client.
            place.Start("socat", $"UDP4-RECVFROM:7000,fork,reuseaddr,bind={address}", "EXEC:cat");
            place.Start("socat", $"UDP6-RECVFROM:7000,fork,reuseaddr,bind=[{address6}]", "EXEC:cat");
        }

        _agent = _box.StartAgent().MustBeReady();
        AllAreOpen();
    }

    [TearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    private Pair[] Pairs =>
    [
        new("pod to pod", _client.Netns, _server.Address, _server.Address6),
        new("pod to service", _client.Netns, Vip, Vip6, Pings: false),
        new("pod to node", _client.Netns, NodeBox.NodeAddress, NodeBox.NodeAddress6),
        new("pod to world", _client.Netns, NodeBox.OutsideAddress, NodeBox.OutsideAddress6),
        new("world to pod", _box.Outside, _server.Address, _server.Address6),
        new("node to pod", _box.Node, _server.Address, _server.Address6),
    ];

    [Test]
    public void Ingress_default_deny_of_the_server()
    {
        _box.WriteConfig("p.yaml", Policy("networking.k8s.io/v1", "NetworkPolicy", "server", "policyTypes: [ Ingress ]"));
        OnlyThese(["pod to node", "pod to world", "node to pod"], "default_deny", "policy_denied");
    }

    [Test]
    public void Egress_default_deny_of_the_client()
    {
        _box.WriteConfig("p.yaml", Policy("networking.k8s.io/v1", "NetworkPolicy", "client", "policyTypes: [ Egress ]"));
        OnlyThese(["pod to node", "world to pod", "node to pod"], "default_deny", "policy_denied");
    }

    [Test]
    public void An_explicit_deny_at_the_server()
    {
        _box.WriteConfig("p.yaml", Policy("nodemesh.io/v1alpha1", "MeshPolicy", "server", "ingress: [ { action: Deny } ]"));
        OnlyThese(["pod to node", "pod to world", "node to pod"], "policy_denied", "default_deny");
    }

    [Test]
    public void An_explicit_deny_at_the_client()
    {
        _box.WriteConfig("p.yaml", Policy("nodemesh.io/v1alpha1", "MeshPolicy", "client", "egress: [ { action: Deny } ]"));
        OnlyThese(["pod to node", "world to pod", "node to pod"], "policy_denied", "default_deny");
    }

    private void OnlyThese(string[] open, string reason, string otherReason)
    {
        Eventually.True(() => !Reaches(Pairs[0].From, "TCP4", Pairs[0].To), "the policy is in force");
        var probes = Probes().ToArray();
        MustReach(probes.Where(p => open.Contains(p.Pair.Name)));
        var closed = probes.Where(p => !open.Contains(p.Pair.Name)).ToArray();
        Assert.That(Reached(closed), Is.Empty, "closed");
        Assert.That(_agent.Metric($"nodemesh_datapath_drops_total{{reason=\"{reason}\""), Is.GreaterThanOrEqualTo(closed.Length), "each was counted under its reason");
        Assert.That(_agent.Metric($"nodemesh_datapath_drops_total{{reason=\"{otherReason}\""), Is.Zero);

        // What the policy closed its removal opens.
        _box.DeleteConfig("p.yaml");
        AllAreOpen();
    }

    private void AllAreOpen() => MustReach(Probes());

    private static void MustReach(IEnumerable<(Pair Pair, string Protocol)> probes)
    {
        var left = probes.ToArray();
        try
        {
            Eventually.True(() => (left = [.. left.Except(Reached(left))]).Length == 0, "all are reached", TimeSpan.FromSeconds(60));
        }
        catch (TimeoutException)
        {
            Assert.Fail($"not reached: {string.Join(", ", left.Select(p => $"{p.Pair.Name} by {p.Protocol}"))}");
        }
    }

    private IEnumerable<(Pair Pair, string Protocol)> Probes() =>
        from pair in Pairs
        from protocol in (string[])["TCP4", "TCP6", "UDP4", "UDP6", "ping4", "ping6"]
        where pair.Pings || !protocol.StartsWith("ping", StringComparison.Ordinal)
        select (pair, protocol);

    private static List<(Pair Pair, string Protocol)> Reached(IEnumerable<(Pair Pair, string Protocol)> probes) =>
        [.. probes.AsParallel().WithDegreeOfParallelism(6).Where(p => Reaches(p.Pair.From, p.Protocol, p.Protocol.EndsWith('6') ? p.Pair.To6 : p.Pair.To))];

    private static bool Reaches(Netns from, string protocol, string to)
    {
        if (protocol.StartsWith("ping", StringComparison.Ordinal))
            return from.Run("ping", "-c1", "-W1", to).ExitCode == 0;
        var address = protocol.EndsWith('6') ? $"[{to}]" : to;
        var timeout = protocol.StartsWith("TCP", StringComparison.Ordinal) ? ",connect-timeout=2" : "";
        return from.Run(["socat", "-t", "1", "-", $"{protocol}:{address}:7000{timeout}"], TimeSpan.FromSeconds(20), input: "hello").Output.Contains("hello", StringComparison.Ordinal);
    }

    private static string Policy(string api, string kind, string app, string spec) => $$"""
        apiVersion: {{api}}
        kind: {{kind}}
        metadata: { name: p, namespace: default }
        spec:
          podSelector: { matchLabels: { app: {{app}} } }
          {{spec}}
        """;
}
