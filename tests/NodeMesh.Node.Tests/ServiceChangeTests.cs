using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Services that change, and an agent that dies, under load.</summary>
public sealed class ServiceChangeTests
{
    private NodeBox _box = null!;
    private PodBox _client = null!;
    private OtherNode _other = null!;
    private AgentProcess _agent = null!;

    [SetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        _client = _box.AddPod("client");
        _other = new OtherNode(_box);
        _agent = _box.StartAgent().MustBeReady();
    }

    [TearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [Test]
    public void Backends_come_and_go_without_a_failed_connection()
    {
        PodBox[] servers = [_other.AddServer("a"), _other.AddServer("b"), _other.AddServer("c")];
        Write(servers);
        Eventually.True(() => _box.Outside.Curl("http://192.0.2.1:30080/").Status == 200, "the service is served");
        using var pod = Load.Start(_client.Netns, "http://10.96.0.10/", 5, each: true);
        using var world = Load.Start(_box.Outside, "http://192.0.2.1:30080/", 5, each: true);
        using var kept = Load.Start(_box.Outside, "http://192.0.2.1:30080/", 5);
        for (var round = 0; !pod.HasExited || !world.HasExited || !kept.HasExited; round++)
        {
            Write(servers.Where((_, i) => i != round % 3));
            Thread.Sleep(20);
        }

        foreach (var load in new[] { pod, world, kept })
            load.MustEndClean();
    }

    [Test]
    public void A_backend_that_left_may_end_at_once_its_neighbours_lose_nothing()
    {
        var stays = _other.AddServer("stays");
        var goes = _other.AddPod("goes");
        var nginx = goes.StartNginx("goes");
        Write([stays, goes]);
        Eventually.True(() => _box.Outside.Curl("http://192.0.2.1:30080/").Body.StartsWith("goes", StringComparison.Ordinal), "both serve");
        using var pod = Load.Start(_client.Netns, "http://10.96.0.10/", 4, each: true);
        using var world = Load.Start(_box.Outside, "http://192.0.2.1:30080/", 4, each: true);

        Write([stays]);
        Eventually.True(() => !_agent.Cli("services").Output.Contains(goes.Address, StringComparison.Ordinal), "the backend left");
        // What is under way ends, as in a pod's grace period; nobody is sent there any more.
        Eventually.True(() => goes.Netns.Run("sh", "-c", "! ss -Htan | grep -E '^(ESTAB|SYN-RECV)'").ExitCode == 0, "its connections end");
        nginx.Terminate(TimeSpan.FromMinutes(1));

        foreach (var load in new[] { pod, world })
            load.MustEndClean();
    }

    [Test]
    public void Ports_of_the_node_are_served_through_sigkill_and_restart_without_a_failed_request()
    {
        Write([_other.AddServer("a"), _other.AddServer("b")]);
        Eventually.True(() => _box.Outside.Curl("http://192.0.2.1:30080/").Status == 200, "the service is served");
        using var kept = Load.Start(_box.Outside, "http://192.0.2.1:30080/", 5, connections: 8);
        using var connects = Load.Start(_box.Outside, "http://192.0.2.1:30080/", 5, each: true);

        _agent.Kill();
        Assert.That(_box.Outside.Curl("http://192.0.2.1:30080/").Status, Is.EqualTo(200), "new connections go on");
        using var again = _box.StartAgent().MustBeReady();
        Assert.That(again.Metric("nodemesh_datapath_writes_total"), Is.Zero, again.Log);

        foreach (var load in new[] { kept, connects })
            load.MustEndClean();
    }

    [TestCase("10.96.0.10")]
    [TestCase("192.0.2.1")]
    public void A_connected_udp_socket_is_cut_or_moved_when_its_backend_leaves(string at)
    {
        PodBox[] servers = [_other.AddPod("a"), _other.AddPod("b")];
        foreach (var server in servers)
            server.StartAnswers(53, $"echo {server.Name}");
        Write(servers);
        var from = at == "192.0.2.1" ? _box.Outside : _client.Netns;
        var port = at == "192.0.2.1" ? 30053 : 53;
        Eventually.True(() => from.Ask($"UDP4:{at}:{port}", answer: 2).Output is not "", "the service is served");
        using var socket = from.Start("sh", "-c", $"while echo q; do sleep 0.05; done | socat - UDP4:{at}:{port}");
        Eventually.True(() => socket.Output is not "", "the socket is answered");
        var first = socket.Output[..1];

        Write(servers.Where(s => s.Name != first));

        Eventually.True(() => socket.HasExited || !socket.Output.EndsWith(first + "\n", StringComparison.Ordinal), "the socket is cut or moved");
    }

    private void Write(IEnumerable<PodBox> backends) => _box.WriteConfig("web.yaml",
        Manifests.Service("web", "", "10.96.0.10", "http:80:80:TCP::30080 dns:53:53:UDP::30053", more: "type: NodePort")
        + "\n---\n" + Manifests.Endpoints("web", "http:80 dns:53:UDP", backends.Select(b => $"addresses: [ {b.Address} ], nodeName: other")));
}
