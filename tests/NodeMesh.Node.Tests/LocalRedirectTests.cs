using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Packets between two pods of this node, which need not meet its stack. A node that forwards nothing tells which way they take.</summary>
public sealed class LocalRedirectTests
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
        _box.Node.Run("iptables", "-I", "FORWARD", "-j", "DROP").MustSucceed("iptables");
        _box.Node.Run("ip6tables", "-I", "FORWARD", "-j", "DROP").MustSucceed("ip6tables");
    }

    [TearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [Test]
    public void They_go_from_pod_to_pod_over_both_families_also_while_the_agent_is_away()
    {
        _agent = _box.StartAgent().MustBeReady();
        Works();
        _agent.Kill();
        Works();
        Assert.That(_server.Netns.Run("ping", "-c1", "-W20", _client.Address).ExitCode, Is.Zero, "an echo");
        _box.CleanUpAgent().MustSucceed("cleanup");
        Assert.That(_client.Netns.Curl($"http://{_server.Address}/", "-m", "0.5").Status, Is.Zero, "without the mesh the node forwards nothing");
    }

    [Test]
    public void They_look_as_if_the_node_had_routed_them()
    {
        _agent = _box.StartAgent().MustBeReady();
        // With one hop the node must answer instead of the server, as any router.
        var answer = _client.Netns.Run("ping", "-c1", "-W20", "-t1", _server.Address);
        Assert.That(answer.Output, Does.Contain("Time to live exceeded"));
        Assert.That(_client.Netns.Run("ping", "-c1", "-W20", "-t2", _server.Address).Output, Does.Contain("ttl=63"));
    }

    [Test]
    public void They_meet_the_stack_where_the_operator_wants_it()
    {
        _agent = _box.StartAgent("--local-redirect", "false").MustBeReady();
        Assert.That(_client.Netns.Curl($"http://{_server.Address}/", "-m", "0.5").Status, Is.Zero);
    }

    [Test]
    public void A_pod_behind_a_bridge_of_its_own_is_reached_by_the_stack()
    {
        _server.Netns.Script("""
            ip link add br0 type bridge
            ip link set eth0 master br0
            """).MustSucceed("bridge");
        _agent = _box.StartAgent().MustBeReady();
        Assert.That(_client.Netns.Run("ping", "-c1", "-W1", _server.Address).ExitCode, Is.Not.Zero);
    }

    private void Works()
    {
        Assert.That(_client.Netns.Curl($"http://{_server.Address}/").Status, Is.EqualTo(200), "IPv4");
        Assert.That(_client.Netns.Curl($"http://[{_server.Address6}]/").Status, Is.EqualTo(200), "IPv6");
    }
}
