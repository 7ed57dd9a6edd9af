using NodeMesh.Datapath;
using NodeMesh.Native.Netlink;
using NodeMesh.Plan;

namespace NodeMesh.Bpf.Tests.Datapath;

/// <summary>Which interfaces count as the node's own devices.</summary>
public sealed class DeviceTests
{
    private Box _box = null!;

    [SetUp]
    public void SetUp() => _box = new Box();

    [TearDown]
    public void TearDown() => _box.Dispose();

    [TestCase("", 0)]
    [TestCase("10.244.0.1/32", 0)]
    [TestCase("10.244.0.1/32 fd00:244::1/128", 0)]
    [TestCase("192.0.2.1/24", 2)]
    [TestCase("10.244.0.1/32 2001:db8::1/64", 2)]
    public void A_veth_is_one_by_the_address_of_a_network(string addresses, int programs)
    {
        // Of a pod that nobody has told of yet, or of the node itself.
        _box.AddPod("a", "10.244.0.2");
        foreach (var address in addresses.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            Box.Sh($"ip -n {_box.Host} addr add {address} dev va {(address.Contains(':', StringComparison.Ordinal) ? "nodad" : "")}");
        Assert.That(Attached("va", _box.Options), Is.EqualTo(programs));
    }

    [Test]
    public void A_veth_that_is_named_is_one_always()
    {
        _box.AddPod("a", "10.244.0.2");
        Assert.That(Attached("va", _box.Options with { NodeDevices = ["va"] }), Is.EqualTo(2));
    }

    private int Attached(string name, DatapathOptions options) => _box.InHost(() =>
    {
        using var datapath = DatapathReconciler.Start(options, Images.Built);
        datapath.Reconcile(MeshPlan.Empty, removals: true);
        using var netlink = new NetlinkSocket();
        var ifindex = RtLinks.Dump(netlink).Single(l => l.Name == name).Ifindex;
        return Box.Attached(ifindex, ingress: true).Length + Box.Attached(ifindex, ingress: false).Length;
    });
}
