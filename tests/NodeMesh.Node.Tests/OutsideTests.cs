using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Services as the outside world meets them: at ports of the node, external and load balancer addresses.</summary>
public sealed class OutsideTests
{
    private NodeBox _box = null!;
    private AgentProcess _agent = null!;

    [OneTimeSetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        var other = new OtherNode(_box);
        var near = _box.AddServer("near");
        var far = other.AddServer("far");
        near.StartEcho(53);
        far.StartEcho(53);
        Shell.Run("ip", ["-n", _box.Outside.Name, "addr", "add", "192.0.2.3/24", "dev", "eth0"]).MustSucceed("a second address");

        static string Ports(int http, int dns) => $"http:80:80:TCP::{http} dns:53:53:UDP::{dns}";
        _box.WriteConfig("near.yaml", Manifests.Service("near", "app: near", "10.96.0.10", Ports(30080, 30053), vip6: "fd00:96::10",
            more: "type: LoadBalancer\nexternalIPs: [ 198.18.1.10, \"2001:db8:18:1::10\" ]", status: "{ loadBalancer: { ingress: [ { ip: 198.18.0.10 }, { ip: \"2001:db8:18::10\" } ] } }"));
        _box.WriteConfig("far.yaml", Manifests.Service("far", "app: far", "10.96.0.11", Ports(30081, 30054), vip6: "fd00:96::11",
            more: "type: LoadBalancer\nexternalIPs: [ 198.18.1.11, \"2001:db8:18:1::11\" ]", status: "{ loadBalancer: { ingress: [ { ip: 198.18.0.11 }, { ip: \"2001:db8:18::11\" } ] } }"));
        _box.WriteConfig("keep.yaml", Manifests.Service("keep", "app: near", "10.96.0.12", "http:80:80:TCP::30082", vip6: "fd00:96::12",
            more: "type: LoadBalancer\nexternalTrafficPolicy: Local\nhealthCheckNodePort: 30098", status: "{ loadBalancer: { ingress: [ { ip: 198.18.0.12 } ] } }"));
        _box.WriteConfig("away.yaml", Manifests.Service("away", "app: far", "10.96.0.13", "http:80:80:TCP::30083", vip6: "fd00:96::13",
            more: "type: LoadBalancer\nexternalTrafficPolicy: Local\nhealthCheckNodePort: 30099", status: "{ loadBalancer: { ingress: [ { ip: 198.18.0.13 } ] } }"));
        _box.WriteConfig("none.yaml", Manifests.Service("none", "app: nobody", "10.96.0.14", Ports(30084, 30055), vip6: "fd00:96::14", more: "type: NodePort"));
        _box.WriteConfig("ranges.yaml", Manifests.Service("ranges", "app: far", "10.96.0.15", "http:80:80:TCP::30085",
            more: "type: LoadBalancer\nloadBalancerSourceRanges: [ 192.0.2.3/32, 10.0.0.0/8 ]", status: "{ loadBalancer: { ingress: [ { ip: 198.18.0.15 } ] } }"));
        _agent = _box.StartAgent().MustBeReady();
    }

    [OneTimeTearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [TestCase("192.0.2.1:30080")]
    [TestCase("198.18.0.10")]
    [TestCase("198.18.1.10")]
    [TestCase("[2001:db8::1]:30080")]
    [TestCase("[2001:db8:18::10]")]
    [TestCase("[2001:db8:18:1::10]")]
    public void A_backend_on_this_node_sees_the_client_s_address(string at) =>
        Assert.That(_box.Outside.Curl($"http://{at}/").SeenAs(), Is.EqualTo(at.StartsWith('[') ? NodeBox.OutsideAddress6 : NodeBox.OutsideAddress));

    [TestCase("192.0.2.1:30081")]
    [TestCase("198.18.0.11")]
    [TestCase("198.18.1.11")]
    [TestCase("[2001:db8::1]:30081")]
    [TestCase("[2001:db8:18::11]")]
    [TestCase("[2001:db8:18:1::11]")]
    public void A_backend_on_another_node_sees_this_node_s_address(string at) =>
        Assert.That(_box.Outside.Curl($"http://{at}/").SeenAs(), Is.EqualTo(at.StartsWith('[') ? OtherNode.BoxAddress6 : OtherNode.BoxAddress));

    [TestCase("192.0.2.1:30082")]
    [TestCase("[2001:db8::1]:30082")]
    [TestCase("198.18.0.12")]
    public void Policy_local_keeps_the_client_s_address(string at) =>
        Assert.That(_box.Outside.Curl($"http://{at}/").SeenAs(), Is.EqualTo(at.StartsWith('[') ? NodeBox.OutsideAddress6 : NodeBox.OutsideAddress));

    [TestCase("192.0.2.1:30083")]
    [TestCase("[2001:db8::1]:30083")]
    [TestCase("198.18.0.13")]
    public void Policy_local_without_a_backend_here_drops(string at)
    {
        Assert.That(_box.Outside.Curl($"http://{at}/", "-m", "0.5").CurlExit, Is.EqualTo(28), "neither answer nor refusal");
        Assert.That(_agent.Metric("nodemesh_datapath_drops_total{reason=\"traffic_policy\""), Is.GreaterThan(0));
    }

    [Test]
    public void Only_the_source_ranges_reach_a_load_balancer_address()
    {
        Assert.That(_box.Outside.Curl("http://198.18.0.15/", "--interface", "192.0.2.3").Status, Is.EqualTo(200));
        Assert.That(_box.Outside.Curl("http://198.18.0.15/", "-m", "1").CurlExit, Is.EqualTo(28));
        Assert.That(_box.Outside.Curl("http://192.0.2.1:30085/").Status, Is.EqualTo(200), "the ranges are not about the port of the node");
    }

    [TestCase("UDP4:192.0.2.1:30053")]
    [TestCase("UDP4-SENDTO:192.0.2.1:30053")]
    [TestCase("UDP4-SENDTO:198.18.1.10:53")]
    [TestCase("UDP6:[2001:db8::1]:30053")]
    [TestCase("UDP6-SENDTO:[2001:db8:18::10]:53")]
    [TestCase("UDP4:192.0.2.1:30054")]
    [TestCase("UDP4-SENDTO:192.0.2.1:30054")]
    [TestCase("UDP4-SENDTO:198.18.0.11:53")]
    [TestCase("UDP6:[2001:db8::1]:30054")]
    [TestCase("UDP6-SENDTO:[2001:db8:18:1::11]:53")]
    public void A_datagram_is_answered_from_the_address_that_it_was_sent_to(string address) =>
        _box.Outside.MustEcho(address, 8, 5000);

    [TestCase("192.0.2.1:30084")]
    [TestCase("[2001:db8::1]:30084")]
    public void A_service_without_backends_refuses_a_connection(string at)
    {
        var answer = _box.Outside.Curl($"http://{at}/");
        Assert.That(answer.CurlExit, Is.EqualTo(7), answer.Errors);
    }

    [TestCase("UDP4:192.0.2.1:30055")]
    [TestCase("UDP6:[2001:db8::1]:30055")]
    public void A_service_without_backends_refuses_a_datagram_at_once(string address) =>
        Assert.That(_box.Outside.Ask(address).Errors, Does.Contain("Connection refused"));

    [Test]
    public void Each_of_many_connections_at_once_has_its_own_way_through()
    {
        // More clients than a bad choice of source ports survives; all leave by one address of this node.
        Load.Run(_box.Outside, "http://192.0.2.1:30081/", 2, connections: 200, each: true);
    }

    [Test]
    public void A_service_s_health_check_port_tells_whether_it_has_a_backend_here()
    {
        Assert.That(_box.Outside.Curl("http://192.0.2.1:30098/").Status, Is.EqualTo(200));
        Assert.That(_box.Outside.Curl("http://192.0.2.1:30099/").Status, Is.EqualTo(503));
    }
}
