using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Ports of the node, as its own processes and its pods meet them.</summary>
public sealed class NodePortTests
{
    private NodeBox _box = null!;
    private PodBox _client = null!;
    private PodBox _near = null!;
    private OtherNode _other = null!;
    private AgentProcess _agent = null!;

    [OneTimeSetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        _other = new OtherNode(_box);
        _client = _box.AddPod("client");
        _near = _box.AddPod("near", ports: "{ containerPort: 80, hostPort: 8088 }, { containerPort: 53, hostPort: 8053, protocol: UDP }");
        _near.StartNginx("near");
        _near.StartEcho(53);
        _other.AddServer("far");
        _box.WriteConfig("near.yaml", Manifests.Service("near", "app: near", "10.96.0.10", "http:80:80:TCP::30080 dns:53:53:UDP::30053", vip6: "fd00:96::10", more: "type: NodePort"));
        _box.WriteConfig("far.yaml", Manifests.Service("far", "app: far", "10.96.0.11", "http:80:80:TCP::30081", vip6: "fd00:96::11", more: "type: NodePort"));
        _box.WriteConfig("none.yaml", Manifests.Service("none", "app: nobody", "10.96.0.12", "http:80:80:TCP::30082", vip6: "fd00:96::12", more: "type: NodePort"));
        _agent = _box.StartAgent().MustBeReady();
    }

    [OneTimeTearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [TestCase("192.0.2.1:30080", "near")]
    [TestCase("203.0.113.1:30080", "near")]
    [TestCase("[2001:db8::1]:30080", "near")]
    [TestCase("192.0.2.1:30081", "far")]
    [TestCase("[2001:db8::1]:30081", "far")]
    public void A_pod_and_the_node_reach_it_at_each_address_of_the_node(string at, string backend)
    {
        foreach (var from in new[] { _client.Netns, _box.Node })
            Assert.That(from.Curl($"http://{at}/").Body, Does.StartWith(backend + " "), from.Name);
    }

    [TestCase("192.0.2.1:30080", "near")]
    [TestCase("[2001:db8::1]:30080", "near")]
    [TestCase("192.0.2.1:30081", "far")]
    [TestCase("[2001:db8::1]:30081", "far")]
    public void A_program_of_a_pod_that_the_mesh_does_not_know_reaches_it(string at, string backend) =>
        Assert.That(_client.Netns.Unhooked.Curl($"http://{at}/").Body, Does.StartWith(backend + " "));

    [Test]
    public void The_node_reaches_it_at_its_loopback_addresses()
    {
        Assert.That(_box.Node.Curl("http://[::1]:30080/").Body, Does.StartWith("near "));
        Assert.That(_box.Node.Curl("http://[::1]:30081/").Body, Does.StartWith("far "));
        Assert.That(_box.Node.Curl("http://127.0.0.1:30080/").Body, Does.StartWith("near "));
        Assert.That(_box.Node.Curl("http://127.0.0.1:30081/").Body, Does.StartWith("far "));
        _box.Node.MustEcho("UDP4:127.0.0.1:30053", 8);
    }

    [Test]
    public void A_pod_does_not_reach_it_at_its_own_127_0_0_1() =>
        Assert.That(_client.Netns.Curl("http://127.0.0.1:30080/").CurlExit, Is.EqualTo(7));

    [Test]
    public void A_port_of_another_node_is_left_to_that_node()
    {
        using var server = _other.Netns.StartServer(30080, "socat", "TCP6-LISTEN:30080,ipv6only=0,fork,reuseaddr", "SYSTEM:echo other");
        foreach (var from in new[] { _client.Netns, _box.Node })
        {
            Assert.That(from.Ask($"TCP4:{OtherNode.Address}:30080", "").Output, Does.StartWith("other"), from.Name);
            Assert.That(from.Ask($"TCP6:[{OtherNode.Address6}]:30080", "").Output, Does.StartWith("other"), from.Name);
        }
    }

    [TestCase("192.0.2.1:30082")]
    [TestCase("[2001:db8::1]:30082")]
    public void Without_backends_it_refuses_at_once(string at)
    {
        foreach (var from in new[] { _client.Netns, _box.Node })
            Assert.That(from.Curl($"http://{at}/").CurlExit, Is.EqualTo(7), from.Name);
    }

    [Test]
    public void A_pod_can_bind_the_same_number()
    {
        using var server = _client.Netns.StartServer(30080, "socat", "TCP4-LISTEN:30080,fork,reuseaddr", "SYSTEM:echo mine");
        Assert.That(_near.Netns.Ask($"TCP4:{_client.Address}:30080", "").Output, Does.StartWith("mine"));
    }

    [Test]
    public void A_host_port_leads_to_its_pod_from_everywhere()
    {
        Assert.Multiple(() =>
        {
            Assert.That(_client.Netns.Curl("http://192.0.2.1:8088/").Body, Does.StartWith("near "), "a pod");
            Assert.That(_box.Node.Curl("http://192.0.2.1:8088/").Body, Does.StartWith("near "), "the node");
            Assert.That(_box.Node.Curl("http://127.0.0.1:8088/").Body, Does.StartWith("near "), "the node's loopback");
            _client.Netns.MustEcho("UDP4:192.0.2.1:8053", 8);
            Assert.That(_box.Outside.Curl("http://192.0.2.1:8088/").SeenAs(), Is.EqualTo(NodeBox.OutsideAddress), "outside");
            Assert.That(_box.Outside.Curl("http://[2001:db8::1]:8088/").SeenAs(), Is.EqualTo(NodeBox.OutsideAddress6), "outside");
        });
    }
}
