using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Request-level policy: only what needs it goes through the proxy.</summary>
public sealed class HttpPolicyTests
{
    private NodeBox _box = null!;
    private PodBox _client = null!;
    private PodBox _server = null!;
    private OtherNode _other = null!;
    private PodBox _stranger = null!;
    private AgentProcess _agent = null!;

    [OneTimeSetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        (_client, _server) = AddPods(_box);
        _other = new OtherNode(_box);
        _stranger = _other.AddPod("stranger");
        _box.WriteConfig("svc.yaml", Manifests.Service("server", "app: server", "10.96.0.10", "http:80:80:TCP::30080 plain:81:81", vip6: "fd00:96::10", more: "type: NodePort"));
        _agent = _box.StartAgent("--access-log", "text").MustBeReady();
    }

    [OneTimeTearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    /// <summary>A client, and a server whose port 80 has request rules and whose port 81 has none.</summary>
    private static (PodBox Client, PodBox Server) AddPods(NodeBox box)
    {
        var client = box.AddPod("client");
        var server = box.AddServer("server");
        server.StartNginx("plain", 81);
        box.WriteConfig("policy.yaml", Manifests.AllowMethods("read-only", "app: server", "GET, HEAD", 80));
        box.WriteConfig("policy2.yaml", Manifests.AllowIngress("plain", "app: server", "app: client", 81));
        return (client, server);
    }

    [Category("Kernels")]
    [TestCase("10.96.0.10")]
    [TestCase("[fd00:96::10]")]
    [TestCase("POD4")]
    [TestCase("POD6")]
    public void One_method_passes_and_another_is_403_by_service_and_by_pod_address(string host)
    {
        host = host.Replace("POD4", _server.Address, StringComparison.Ordinal).Replace("POD6", $"[{_server.Address6}]", StringComparison.Ordinal);
        Assert.That(_client.Netns.Curl($"http://{host}/x").Body, Does.StartWith("server GET /x"));
        var refused = _client.Netns.Curl($"http://{host}/x", "-X", "POST", "-d", "data");
        Assert.That(refused.Status, Is.EqualTo(403));
        Assert.That(refused.Body, Is.Not.Empty);
    }

    [Test]
    public void A_port_without_request_rules_does_not_go_through_the_proxy()
    {
        var before = _agent.Metric("nodemesh_proxy_requests_total");
        Assert.That(_client.Netns.Curl($"http://{_server.Address}:81/x", "-X", "POST").Status, Is.EqualTo(200));
        Assert.That(_agent.Metric("nodemesh_proxy_requests_total"), Is.EqualTo(before));
    }

    [Test]
    public void Callers_from_other_nodes_are_judged_by_request_as_well()
    {
        Assert.That(_box.Outside.Curl($"http://{_server.Address}/x").Body, Does.StartWith("server GET /x"));
        Assert.That(_box.Outside.Curl($"http://{_server.Address}/x", "-X", "DELETE").Status, Is.EqualTo(403));
    }

    // What the proxy answers leaves in the pod's name, and becomes the service's where it leaves the node.
    [TestCase("192.0.2.1:30080")]
    [TestCase("[2001:db8::1]:30080")]
    [TestCase("10.96.0.10")]
    [TestCase("[fd00:96::10]")]
    public void Callers_from_elsewhere_are_judged_by_request_at_a_port_of_the_node_and_at_the_service_s_address(string at)
    {
        foreach (var from in (Netns[])[_box.Outside, _other.Netns, _stranger.Netns])
        {
            var before = _agent.Metric("nodemesh_proxy_requests_total");
            var answer = from.Curl($"http://{at}/x", "-m", "20");
            Assert.That(answer.Body, Does.StartWith("server GET /x"), $"{from.Name}: {answer.Errors}");
            Assert.That(answer.SeenAs(), Is.AnyOf("10.244.0.1", NodeBox.NodeAddress, NodeBox.NodeAddress6), "an address of this node, where the answer is to come");
            Assert.That(from.Curl($"http://{at}/x", "-X", "DELETE", "-m", "20").Status, Is.EqualTo(403), from.Name);
            Assert.That(_agent.Metric("nodemesh_proxy_requests_total"), Is.EqualTo(before + 2), "both by the proxy");
        }
    }

    [TestCase("192.0.2.1:30080")]
    [TestCase("[2001:db8::1]:30080")]
    public void A_connection_by_a_port_of_the_node_serves_request_after_request(string at) =>
        Load.Run(_other.Netns, $"http://{at}/x", seconds: 2, connections: 8, each: false);

    [Test]
    public void Bytes_that_are_no_http_never_pass_a_request_rule()
    {
        var answer = _client.Netns.Run(["socat", "-t", "2", "-", $"TCP:{_server.Address}:80"], input: "\u0016\u0003\u0001 not http\r\n\r\n");
        Assert.That(answer.Output, Does.Not.Contain("nginx"), answer.Output);
    }

    [Test]
    public void Without_the_agent_what_needs_the_proxy_is_refused_and_all_else_goes_on()
    {
        using var box = new NodeBox();
        var (client, server) = AddPods(box);
        var agent = box.StartAgent().MustBeReady();
        Assert.That(client.Netns.Curl($"http://{server.Address}/").Status, Is.EqualTo(200));

        agent.Kill();

        Assert.That(client.Netns.Curl($"http://{server.Address}/", "-m", "1").Status, Is.Zero, "not even a GET: fail closed");
        Assert.That(client.Netns.Curl($"http://{server.Address}:81/").Status, Is.EqualTo(200));
        using var again = box.StartAgent().MustBeReady();
        Assert.That(client.Netns.Curl($"http://{server.Address}/").Status, Is.EqualTo(200));
    }
}
