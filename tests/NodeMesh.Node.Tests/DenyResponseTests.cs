using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>What a program sees whose connection policy refuses: in a pod, in a pod past the socket hooks, and outside.</summary>
public sealed class DenyResponseTests
{
    private NodeBox _box = null!;
    private PodBox _client = null!;
    private PodBox _server = null!;
    private AgentProcess? _agent;

    [SetUp]
    public void MakeNode()
    {
        _box = new NodeBox();
        _client = _box.AddPod("client");
        _server = _box.AddServer("server");
        _box.WriteConfig("p.yaml", Manifests.DefaultDeny("Ingress"));
    }

    [TearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [Test]
    public void A_refused_connection_fails_at_once_wherever_it_comes_from()
    {
        _agent = _box.StartAgent().MustBeReady();
        foreach (var target in (string[])[$"TCP4:{_server.Address}:80", $"TCP6:[{_server.Address6}]:80"])
        {
            Says(_client.Netns, target, "Operation not permitted");
            Says(_client.Netns.Unhooked, target, "Connection refused");
            Says(_box.Outside, target, "Connection refused");
        }

        Assert.That(_agent.Metric("nodemesh_datapath_drops_total{reason=\"default_deny\""), Is.GreaterThanOrEqualTo(6));
    }

    [Test]
    public void What_a_pod_may_not_call_outside_is_refused_too()
    {
        _box.WriteConfig("out.yaml", Manifests.DefaultDeny("Egress"));
        using var listener = _box.Outside.StartServer(9000, "socat", "TCP6-LISTEN:9000,fork,reuseaddr,ipv6only=0", "EXEC:cat");
        _agent = _box.StartAgent().MustBeReady();
        Says(_client.Netns, $"TCP4:{NodeBox.OutsideAddress}:9000", "Connection refused");
        Says(_client.Netns, $"TCP6:[{NodeBox.OutsideAddress6}]:9000", "Connection refused");
    }

    [Test]
    public void An_open_connection_that_is_refused_now_is_reset()
    {
        _box.DeleteConfig("p.yaml");
        _server.Netns.StartServer(7000, "socat", "TCP-LISTEN:7000,fork,reuseaddr", "EXEC:cat");
        _agent = _box.StartAgent().MustBeReady();
        using var client = _client.Netns.Start("sh", "-c", $"(while :; do echo tick || exit; sleep 0.05; done) | socat - TCP:{_server.Address}:7000 2>&1");
        Eventually.True(() => client.Output.Contains("tick", StringComparison.Ordinal), "the echo runs");
        _box.WriteConfig("p.yaml", Manifests.DefaultDeny("Ingress"));
        Eventually.True(() => client.Output.Contains("reset by peer", StringComparison.Ordinal) || client.Output.Contains("Broken pipe", StringComparison.Ordinal), "it ends", TimeSpan.FromSeconds(20));
    }

    [Test]
    public void Nobody_is_told_anything_when_so_asked()
    {
        _agent = _box.StartAgent("--policy-deny-response", "drop").MustBeReady();
        Says(_client.Netns, $"TCP4:{_server.Address}:80,connect-timeout=0.5", "timed out");
        Says(_box.Outside, $"TCP4:{_server.Address}:80,connect-timeout=0.5", "timed out");
    }

    [Test]
    public void A_servers_answers_to_datagrams_are_no_connections_of_its_own()
    {
        _box.WriteConfig("p.yaml", Manifests.DefaultDeny("Egress").Replace("podSelector: {}", "podSelector: { matchLabels: { app: server } }", StringComparison.Ordinal));
        _server.Netns.StartServer(5353, "socat", "UDP4-RECVFROM:5353,fork,reuseaddr", "EXEC:cat");
        _agent = _box.StartAgent().MustBeReady();
        Assert.That(_client.Netns.Run(["socat", "-t", "2", "-", $"UDP4:{_server.Address}:5353"], input: "hello").Output, Does.Contain("hello"));
        Says(_server.Netns, $"TCP4:{_client.Address}:80", "Operation not permitted");
    }

    private static void Says(Netns from, string target, string error)
    {
        var result = from.Run(["socat", "-", target], TimeSpan.FromSeconds(20), input: "x");
        Assert.That(result.Errors, Does.Contain(error), $"{from.Name} to {target}");
    }
}
