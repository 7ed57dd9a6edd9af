using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Ports of the node that services have are kept from its processes.</summary>
public sealed class NodePortBindTests
{
    private NodeBox _box = null!;
    private AgentProcess _agent = null!;

    [OneTimeSetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        _box.AddPod("near", ports: "{ containerPort: 80, hostPort: 8088 }");
        _box.WriteConfig("near.yaml", Manifests.Service("near", "app: near", "10.96.0.10", "http:80:80:TCP::30080 dns:53:53:UDP::30053", vip6: "fd00:96::10", more: "type: NodePort"));
        _box.WriteConfig("six.yaml", Manifests.Service("six", "app: near", "fd00:96::11", "http:80:80:TCP::30081", more: "type: NodePort"));
        _agent = _box.StartAgent().MustBeReady();
    }

    [OneTimeTearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [TestCase("TCP4-LISTEN:30080,bind=192.0.2.1")]
    [TestCase("TCP4-LISTEN:30080,bind=127.0.0.1")]
    [TestCase("TCP6-LISTEN:30080,bind=[2001:db8::1]")]
    [TestCase("TCP4-LISTEN:30080")]
    [TestCase("TCP6-LISTEN:30080,ipv6only=0")]
    [TestCase("TCP6-LISTEN:30080,ipv6only=1")]
    [TestCase("UDP4-LISTEN:30053")]
    [TestCase("UDP6-LISTEN:30053")]
    [TestCase("TCP4-LISTEN:8088")]
    [TestCase("TCP6-LISTEN:30081")]
    [TestCase("TCP6-LISTEN:30081,bind=[::1]")]
    public void No_process_of_the_node_can_bind_it(string address)
    {
        var bind = _box.Node.Run("timeout", "20", "socat", address, "STDOUT");
        Assert.That(bind.Errors, Does.Contain("Address already in use"));
    }
}
