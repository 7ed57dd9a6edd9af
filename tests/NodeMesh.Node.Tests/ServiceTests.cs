using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Service addresses become backends at connect(2), for pods and for the node.</summary>
public sealed class ServiceTests
{
    private NodeBox _box = null!;
    private PodBox _client = null!;
    private AgentProcess _agent = null!;

    [OneTimeSetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        _client = _box.AddPod("client");
        var v1 = _box.AddPod("web-1", labels: "app: web");
        var v2 = _box.AddPod("web-2", labels: "app: web");
        v1.StartNginx("one");
        v2.StartNginx("two");
        var dns = _box.AddPod("dns");
        dns.StartEcho(53);
        _box.WriteConfig("web.yaml", Manifests.Service("web", "app: web", "10.96.0.10", "http:80:80", vip6: "fd00:96::10"));
        _box.WriteConfig("dns.yaml", Manifests.Service("dns", "app: dns", "10.96.0.53", "dns:53:53:UDP", vip6: "fd00:96::53"));
        _box.WriteConfig("none.yaml", Manifests.Service("none", "app: nobody", "10.96.0.99", "http:80:80 dns:53:53:UDP", vip6: "fd00:96::99"));
        _agent = _box.StartAgent().MustBeReady();
    }

    [OneTimeTearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [Category("Kernels")]
    [TestCase("http://10.96.0.10/")]
    [TestCase("http://[fd00:96::10]/")]
    public void A_pod_and_the_node_reach_every_backend_by_the_service_address(string url)
    {
        foreach (var from in new[] { _client.Netns, _box.Node })
        {
            var seen = Enumerable.Range(0, 24).Select(_ => from.Curl(url).Body.Split(' ')[0]).ToHashSet();
            Assert.That(seen, Is.EquivalentTo(["one", "two"]), from.Name);
        }
    }

    [TestCase("http://10.96.0.99/")]
    [TestCase("http://[fd00:96::99]/")]
    public void A_service_without_backends_refuses_at_once(string url) =>
        Assert.That(_client.Netns.Curl(url).CurlExit, Is.EqualTo(7), "refused, which is not to run out of time");

    [TestCase("UDP4:10.96.0.53:53")]
    [TestCase("UDP6:[fd00:96::53]:53")]
    public void A_connected_udp_socket_gets_its_answer_from_the_service_address(string address) => _client.Netns.MustEcho(address, 8);

    [TestCase("UDP4-SENDTO:10.96.0.53:53")]
    [TestCase("UDP6-SENDTO:[fd00:96::53]:53")]
    public void An_unconnected_udp_socket_sees_the_service_address_as_the_sender(string address)
    {
        // socat drops datagrams from any other sender than the one it sent to.
        _client.Netns.MustEcho(address, 8);
    }

    [Test]
    public void The_client_sees_the_service_address_as_its_peer()
    {
        var peer = _client.Netns.Run("curl", "-sS", "-o", "/dev/null", "-w", "%{remote_ip}:%{remote_port}", "http://10.96.0.10/");
        Assert.That(peer.Output.Trim(), Is.EqualTo("10.96.0.10:80"));
    }

    [Test]
    public void A_backend_that_leaves_takes_no_more_connections()
    {
        var third = _box.AddPod("web-3", labels: "app: web");
        third.StartNginx("three");
        bool Answers() => Enumerable.Range(0, 20).Any(_ => _client.Netns.Curl("http://10.96.0.10/").Body.StartsWith("three", StringComparison.Ordinal));
        Eventually.True(Answers, "the third backend takes traffic");

        _box.RemovePod(third);
        Eventually.True(() => Enumerable.Range(0, 20).All(_ => _client.Netns.Curl("http://10.96.0.10/", "-m", "2").Status == 200), "the third backend takes no traffic");
        Assert.That(Enumerable.Range(0, 30).Select(_ => _client.Netns.Curl("http://10.96.0.10/").Status), Is.All.EqualTo(200));
    }
}
