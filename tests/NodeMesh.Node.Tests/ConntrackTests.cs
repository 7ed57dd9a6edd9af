using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Connection tracking with real connections: what is open, forgetting it, and a pod that wants it all.</summary>
public sealed class ConntrackTests
{
    private NodeBox _box = null!;
    private AgentProcess? _agent;

    [SetUp]
    public void MakeNode() => _box = new NodeBox();

    [TearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [Test]
    public void Connections_are_listed_with_their_pods_and_can_be_forgotten()
    {
        var client = _box.AddPod("client");
        var server = _box.AddServer("server");
        _agent = _box.StartAgent().MustBeReady();
        using var held = client.Netns.Start("socat", "-u", "PIPE", $"TCP:{server.Address}:80");
        Eventually.True(() => List("--state", "established").Contains($"{server.Address}:80", StringComparison.Ordinal), "it is listed");
        Assert.That(List("--pod", "default/client"), Does.Contain("pod to pod").And.Contain("default/client"));
        Assert.That(List("--port", "81"), Does.Not.Contain(server.Address));
        Assert.That(_agent.Cli("conntrack", "flush").ExitCode, Is.EqualTo(2), "not everything by mistake");
        Assert.That(_agent.Cli("conntrack", "flush", "--pod", "default/client").Output, Does.Contain("1 forgotten"));
        Assert.That(List(), Does.Not.Contain($"{server.Address}:80"));
        Assert.That(_agent.Cli("conntrack", "list", "--pod", "default/nobody").Errors, Does.Contain("no pod default/nobody"));
    }

    [Test]
    public void A_pod_that_floods_does_not_make_the_connections_of_another_forgotten()
    {
        var victim = _box.AddPod("victim");
        var server = _box.AddServer("server");
        var flooder = _box.AddPod("flooder");
        // Isolated both ways: a connection that is forgotten is refused when it goes on.
        _box.WriteConfig("deny.yaml", Manifests.DefaultDeny("Ingress"));
        _box.WriteConfig("allow.yaml", Manifests.AllowIngress("victim", "app: server", "app: victim", 80));
        _agent = _box.StartAgent("--map-size", "tcp-connections=2048").MustBeReady();
        var status = System.IO.Path.Combine(_box.WorkDir, "slow");
        using var held = victim.Netns.Start("/bin/sh", "-c", $"""
            (printf 'GET / HTTP/1.1\r\nHost: x\r\n'; while [ ! -e {status} ]; do sleep 0.1; done; printf 'Connection: close\r\n\r\n') | socat - TCP:{server.Address}:80
            """);
        Eventually.True(() => List("--state", "established").Contains($"{server.Address}:80", StringComparison.Ordinal), "the connection is there");
        // Far more SYNs than the table has rows, to an address that answers nothing; once at least, and until the agent has counted them.
        Eventually.True(() => Flood() && _agent.Metric("nodemesh_datapath_drops_total{reason=\"connection_share\"") > 0, "the flooder had its share");
        Assert.That(List("--pod", "default/victim", "--state", "established"), Does.Contain($"{server.Address}:80"));
        File.WriteAllText(status, "");
        Assert.That(held.WaitForExit(TimeSpan.FromMinutes(1)));
        Assert.That(held.Output, Does.Contain("200 OK"));

        bool Flood() => flooder.Netns.Script("""
            for i in 1 2 3; do
              curl -s -Z --parallel-max 300 --parallel-immediate -m 1 "http://198.51.100.$i:[1001-2000]/" > /dev/null 2>&1 &
            done
            wait
            """).MustSucceed("the flood").ExitCode == 0;
    }

    [Test]
    public void A_flood_from_outside_costs_no_client_its_connection()
    {
        var far = new OtherNode(_box).AddServer("far");
        var near = _box.AddServer("near");
        _box.WriteConfig("far.yaml", Manifests.Service("far", "app: far", "10.96.0.10", "http:80:80:TCP::30080", more: "type: NodePort"));
        _box.WriteConfig("near.yaml", Manifests.Service("near", "app: near", "10.96.0.11", "http:80:80:TCP::30081", more: "type: NodePort"));
        _box.WriteConfig("silent.yaml", Manifests.Service("silent", "", "10.96.0.12", "http:80:80:TCP::30082", more: "type: NodePort"));
        _box.WriteConfig("silent-endpoints.yaml", Manifests.Endpoints("silent", "http:80", ["addresses: [ 203.0.113.99 ]"]));
        _agent = _box.StartAgent("--map-size", "nat-brief=1024").MustBeReady();
        var go = System.IO.Path.Combine(_box.WorkDir, "go");
        ChildProcess Hold(int port) => _box.Outside.Start("/bin/sh", "-c", $"""
            (printf 'GET / HTTP/1.1\r\nHost: x\r\n'; while [ ! -e {go} ]; do sleep 0.1; done; printf 'Connection: close\r\n\r\n') | socat -t 20 - TCP:{NodeBox.NodeAddress}:{port}
            """);
        using var toFar = Hold(30080);
        using var toNear = Hold(30081);
        Eventually.True(() => List("--state", "established").Contains(":30080", StringComparison.Ordinal) && List("--state", "established").Contains(":30081", StringComparison.Ordinal), "both are open");
        // Each has two rows: far more than there is room for, and nobody answers them.
        _box.Outside.Script($"""
            curl -s -Z --parallel-max 300 --parallel-immediate -m 1 "http://{NodeBox.NodeAddress}:30082/[1-3000]" > /dev/null 2>&1 || true
            """, TimeSpan.FromSeconds(120)).MustSucceed("the flood");
        Assert.That(List("--port", "30082").Split('\n').Length, Is.InRange(200, 600), "all the room there is");
        File.WriteAllText(go, "");
        foreach (var held in new[] { toFar, toNear })
        {
            Assert.That(held.WaitForExit(TimeSpan.FromSeconds(30)));
            Assert.That(held.Output, Does.Contain("200 OK"));
        }
    }

    private string List(params string[] more) => _agent!.Cli(["conntrack", "list", .. more]).Output;
}
