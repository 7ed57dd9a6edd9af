using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>A node on which kube-proxy runs, or ran.</summary>
public sealed class KubeProxyTests
{
    private NodeBox _box = null!;
    private AgentProcess? _agent;

    [SetUp]
    public void MakeBox()
    {
        _agent = null;
        _box = new NodeBox();
    }

    [TearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [TestCase("iptables-nft", "chains KUBE-* of iptables (2)")]
    [TestCase("iptables-legacy", "chains KUBE-* of legacy iptables")]
    public void Its_rules_are_told_by_check(string program, string told)
    {
        Assert.That(Check(), Does.Contain("none"));
        _box.Node.Script($"{program} -t nat -N KUBE-SERVICES; {program} -t nat -N KUBE-POSTROUTING").MustSucceed("making kube-proxy's chains");
        Assert.That(Check(), Does.Contain(told));
    }

    [Test]
    public void Its_device_of_ipvs_mode_is_told_by_check()
    {
        _box.Node.Run("ip", "link", "add", "kube-ipvs0", "type", "bridge").MustSucceed("a device of that name");
        Assert.That(Check(), Does.Contain("device kube-ipvs0"));
    }

    [Test]
    public void Beside_it_node_ports_are_left_alone_and_cluster_addresses_served()
    {
        var client = _box.AddPod("client");
        _box.AddServer("web");
        _box.WriteConfig("s.yaml", Manifests.Service("web", "app: web", "10.96.0.10", "http:80:80:TCP::30080", vip6: "fd00:96::10", more: "type: NodePort"));
        _agent = _box.StartAgent("--kube-proxy-replacement", "false").MustBeReady();
        Assert.That(client.Netns.Curl("http://10.96.0.10/").Body, Does.StartWith("web "));
        Assert.That(_box.Outside.Curl($"http://{NodeBox.NodeAddress}:30080/").CurlExit, Is.EqualTo(7), "the node itself refuses it, as nobody else is here");
        using var other = _box.Node.StartServer(30080, "socat", "TCP-LISTEN:30080,fork,reuseaddr", "SYSTEM:echo other");
        Assert.That(_box.Outside.Run("socat", "-T20", "-", $"TCP:{NodeBox.NodeAddress}:30080").Output, Does.Contain("other"), "and another may have it");
    }

    private string Check() => _box.Node.Run(RepoRoot.AgentBinary, "check", "--bpffs", _box.Bpffs, "--run-dir", _box.RunDir).Output.Split('\n').Single(l => l.StartsWith("kube-proxy rules", StringComparison.Ordinal));
}
