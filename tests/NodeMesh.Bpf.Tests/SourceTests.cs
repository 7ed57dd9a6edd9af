using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests;

/// <summary>A pod under no policy at all, which still may not say that it is somebody else.</summary>
internal sealed class SourceTests
{
    private Gate _gate = null!;

    [SetUp]
    public void Load()
    {
        _gate = new Gate();
        _gate.Endpoint(Gate.PodIfindex, Gate.PodIdentity, 0, Gate.Pod, Gate.Pod6);
        _gate.Endpoint(Gate.OtherIfindex, 400, 0, "10.0.0.9", "fd00::9");
    }

    [TearDown]
    public void Unload() => _gate.Dispose();

    [TestCase("10.0.0.9", Gate.Peer, TestName = "Not_from_another_pods_address")]
    [TestCase("192.0.2.1", Gate.Peer, TestName = "Not_from_an_address_of_the_world")]
    [TestCase("169.254.1.1", Gate.Peer, TestName = "Not_from_an_IPv4_link_local_address")]
    [TestCase("0.0.0.0", Gate.Peer, TestName = "Not_from_no_address")]
    [TestCase("fd00::9", Gate.Peer6, TestName = "Not_from_another_pods_IPv6_address")]
    [TestCase("::1", Gate.Peer6, TestName = "Not_from_loopback")]
    [TestCase("::", Gate.Peer6, TestName = "Not_from_no_IPv6_address")]
    public void Not_from(string source, string to)
    {
        Packet[] packets =
        [
            Packet.Tcp(source, 4000, to, 80), Packet.Tcp(source, 4000, to, 80, Packet.Ack), Packet.Udp(source, 4000, to, 53), Packet.Raw(source, to, 47),
            Packet.Udp(source, 4000, to, 53).AsFragment(0, more: true), Packet.Udp(source, 4000, to, 53).AsFragment(40, more: false),
            Packet.Tcp(source, 4000, to, 80).InVlans(1), Packet.Udp(source, 4000, to, 53).WithOptions(8),
            Packet.Error(source, to, Packet.Tcp(to, 4000, source, 80)),
        ];
        foreach (var packet in packets)
            Assert.That(_gate.Out(packet).Reason, Is.EqualTo(Reason.SpoofedSource));
        Assert.That(_gate.Connections.ReadAll(), Is.Empty);
    }

    [Test]
    public void From_its_own_addresses_whatever_it_is()
    {
        foreach (var (pod, peer) in ((string, string)[])[(Gate.Pod, Gate.Peer), (Gate.Pod6, Gate.Peer6)])
        {
            Assert.That(_gate.Out(Packet.Tcp(pod, 4000, peer, 80)).Passed);
            Assert.That(_gate.Out(Packet.Raw(pod, peer, 47)).Passed);
            Assert.That(_gate.Out(Packet.Udp(pod, 4000, peer, 53).AsFragment(0, more: true)).Passed);
            Assert.That(_gate.Out(Packet.Udp(pod, 4000, peer, 53).AsFragment(40, more: false)).Passed);
        }

        Assert.That(_gate.Out(Packet.Icmp("fe80::99", "fe80::1", 128)).Passed, "link-local, to its node");
    }

    [Test]
    public void It_may_ask_for_an_address()
    {
        Assert.That(_gate.Out(Packet.Udp("0.0.0.0", 68, "255.255.255.255", 67)).Passed, "DHCP");
        Assert.That(_gate.Out(Packet.Udp("fe80::99", 546, "ff02::1:2", 547)).Passed, "DHCPv6");
        Assert.That(_gate.Out(Packet.Arp("0.0.0.0", Gate.Pod)).Passed, "a probe whether it is taken");
        Assert.That(_gate.Out(Packet.Icmp("::", "ff02::1:ff00:1", 135, hopLimit: 255)).Passed, "likewise");
        Assert.That(_gate.Out(Packet.Icmp("fe80::99", "ff02::2", 133, hopLimit: 255)).Passed, "a router");
        Assert.That(_gate.Out(Packet.Icmp("::", "ff02::16", 143, hopLimit: 1)).Passed, "multicast");
    }

    [Test]
    public void It_claims_its_own_addresses_on_the_link_and_no_others()
    {
        Assert.That(_gate.Out(Packet.Arp(Gate.Pod, "10.0.0.254", answer: true)).Passed);
        Assert.That(_gate.Out(Packet.Advertisement(Gate.Pod6, "fe80::1", Gate.Pod6)).Passed);
        Assert.That(_gate.Out(Packet.Advertisement("fe80::99", "fe80::1", "fe80::99")).Passed);
        Assert.That(_gate.Out(Packet.Arp("10.0.0.9", "10.0.0.254", answer: true)).Reason, Is.EqualTo(Reason.ForgedNeighbour));
        Assert.That(_gate.Out(Packet.Arp("10.0.0.9", "10.0.0.254")).Reason, Is.EqualTo(Reason.ForgedNeighbour));
        Assert.That(_gate.Out(Packet.Advertisement(Gate.Pod6, "fe80::1", "fd00::9")).Reason, Is.EqualTo(Reason.ForgedNeighbour));
        Assert.That(_gate.Out(Packet.Advertisement("fd00::9", "fe80::1", Gate.Pod6)).Reason, Is.EqualTo(Reason.ForgedNeighbour));
        Assert.That(_gate.Out(Packet.Advertisement(Gate.Pod6, "fe80::1", Gate.Pod6).Bytes()[..70]).Reason, Is.EqualTo(Reason.Truncated));
    }

    [TestCase("fe80::99", "ff02::1", 134, (byte)255, TestName = "No_router_advertisement")]
    [TestCase("fe80::99", "ff02::1", 134, (byte)64, TestName = "No_router_advertisement_whatever_its_hops")]
    [TestCase(Gate.Pod6, Gate.Peer6, 137, (byte)255, TestName = "No_IPv6_redirect")]
    [TestCase(Gate.Pod, Gate.Peer, 5, (byte)64, TestName = "No_IPv4_redirect")]
    [TestCase(Gate.Pod, "224.0.0.1", 9, (byte)1, TestName = "No_IPv4_router_advertisement")]
    public void It_is_no_router(string from, string to, int type, byte hops) =>
        Assert.That(_gate.Out(Packet.Icmp(from, to, (byte)type, hopLimit: hops)).Reason, Is.EqualTo(Reason.ForgedNeighbour));

    [Test]
    public void Of_a_pod_that_is_not_known_yet_nothing_is_forged_and_all_is_closed()
    {
        _gate.RemoveEndpoint();
        Assert.That(_gate.Out(Packet.Tcp("10.0.0.77", 4000, Gate.Peer, 80)).Reason, Is.EqualTo(Reason.NoPolicy));
    }
}
