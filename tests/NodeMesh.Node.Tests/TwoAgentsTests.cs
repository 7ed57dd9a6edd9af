using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Ports of a node that another agent serves: what one agent leaves alone, the other translates.</summary>
public sealed class TwoAgentsTests
{
    private NodeBox _box = null!;
    private OtherNode _other = null!;
    private PodBox _client = null!;
    private PodBox _near = null!;
    private AgentProcess? _agent;
    private AgentProcess? _others;

    [OneTimeSetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        _other = new OtherNode(_box);
        _client = _box.AddPod("client");
        _near = _box.AddServer("near");
        _other.AddServer("far");
        const string Local = "type: NodePort\nexternalTrafficPolicy: Local";
        _box.WriteConfig("near.yaml", Manifests.Service("near", "app: near", "10.96.0.10", "http:80:80:TCP::30080", vip6: "fd00:96::10", more: "type: NodePort"));
        _box.WriteConfig("far.yaml", Manifests.Service("far", "app: far", "10.96.0.11", "http:80:80:TCP::30081", vip6: "fd00:96::11", more: "type: NodePort"));
        _box.WriteConfig("keep.yaml", Manifests.Service("keep", "app: far", "10.96.0.12", "http:80:80:TCP::30082", vip6: "fd00:96::12", more: Local));
        _box.WriteConfig("away.yaml", Manifests.Service("away", "app: near", "10.96.0.13", "http:80:80:TCP::30083", vip6: "fd00:96::13", more: Local));
        _agent = _box.StartAgent().MustBeReady();
        _others = _other.StartAgent().MustBeReady();
    }

    [OneTimeTearDown]
    public void EndMesh()
    {
        if (TestContext.CurrentContext.Result.FailCount > 0)
            TestContext.Out.WriteLine(_others?.Log);
        _others?.Dispose();
        Mesh.End(_box, _agent);
    }

    private IEnumerable<(Netns Netns, string Address, string Address6)> Clients() =>
    [
        (_client.Netns, _client.Address, _client.Address6),
        (_client.Netns.Unhooked, _client.Address, _client.Address6),
        (_box.Node, OtherNode.BoxAddress, OtherNode.BoxAddress6),
        (_box.Outside, NodeBox.OutsideAddress, NodeBox.OutsideAddress6),
    ];

    [TestCase(30081)]
    [TestCase(30082)]
    public void A_backend_on_that_node_sees_the_client_under_either_policy(int port)
    {
        foreach (var (from, address, address6) in Clients())
        {
            Assert.That(from.Curl($"http://{OtherNode.Address}:{port}/").SeenAs(), Is.EqualTo(address), from.Name);
            Assert.That(from.Curl($"http://[{OtherNode.Address6}]:{port}/").SeenAs(), Is.EqualTo(address6), from.Name);
        }
    }

    [Test]
    public void A_backend_on_this_node_is_reached_by_way_of_that_one_whose_address_it_sees()
    {
        foreach (var (from, _, _) in Clients())
        {
            Assert.That(from.Curl($"http://{OtherNode.Address}:30080/").SeenAs(), Is.EqualTo(OtherNode.Address), from.Name);
            Assert.That(from.Curl($"http://[{OtherNode.Address6}]:30080/").SeenAs(), Is.EqualTo(OtherNode.Address6), from.Name);
        }
    }

    [Test]
    public void Policy_local_drops_at_that_node_what_only_this_one_could_serve()
    {
        var before = Dropped();
        foreach (var (from, _, _) in Clients())
            Assert.That(from.Curl($"http://{OtherNode.Address}:30083/", "-m", "1").CurlExit, Is.EqualTo(28), $"{from.Name}: neither answer nor refusal");
        Assert.That(Dropped() - before, Is.GreaterThanOrEqualTo(4), "counted there");
        Assert.That(_box.Outside.Curl($"http://{NodeBox.NodeAddress}:30083/").SeenAs(), Is.EqualTo(NodeBox.OutsideAddress), "and served here");

        double Dropped() => _others!.Metric("nodemesh_datapath_drops_total{reason=\"traffic_policy\"");
    }

    [Test]
    public void A_cluster_address_means_the_same_at_both()
    {
        var pod = _other.Netns;
        Assert.That(_client.Netns.Curl("http://10.96.0.11/").Body, Does.StartWith("far "));
        Assert.That(pod.Curl("http://10.96.0.10/").Body, Does.StartWith("near "), "a process of that node");
        Assert.That(_near.Netns.Curl("http://10.96.0.12/").Body, Does.StartWith("far "), "external policy does not touch it");
    }
}
