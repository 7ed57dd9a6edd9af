using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Service addresses that no hook saw at a socket: translated packet by packet.</summary>
public sealed class ServicePacketTests
{
    private NodeBox _box = null!;
    private OtherNode _other = null!;
    private AgentProcess _agent = null!;

    [OneTimeSetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        _other = new OtherNode(_box);
        var far = _other.AddServer("far");
        far.StartEcho(53);
        const string Ports = "http:80:80 dns:53:53:UDP";
        _box.WriteConfig("far.yaml", Manifests.Service("far", "app: far", "10.96.0.11", Ports, vip6: "fd00:96::11"));
        _agent = _box.StartAgent().MustBeReady();
    }

    [OneTimeTearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [TestCase("10.96.0.11", "far")]
    [TestCase("[fd00:96::11]", "far")]
    public void A_service_address_that_comes_in_from_the_world_is_served(string vip, string backend) =>
        Assert.That(_box.Outside.Curl($"http://{vip}/", "-m", "2").Body, Does.StartWith(backend + " "));

    [TestCase("10.96.0.11", "far")]
    [TestCase("[fd00:96::11]", "far")]
    public void A_process_of_another_node_that_sends_to_a_service_address_is_served(string vip, string backend) =>
        Assert.That(_other.Netns.Curl($"http://{vip}/", "-m", "2").Body, Does.StartWith(backend + " "));
}
