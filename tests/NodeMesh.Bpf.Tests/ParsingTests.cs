using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests;

/// <summary>What the parser makes of packets; the rule is TCP 80 and UDP 53 to the peer, all else closed.</summary>
internal sealed class ParsingTests
{
    private Gate _gate = null!;

    [SetUp]
    public void Load()
    {
        _gate = new Gate();
        _gate.Rule(Direction.Egress, Packet.ProtoTcp, 80, Verdict.Allow);
        _gate.Rule(Direction.Egress, Packet.ProtoUdp, 53, Verdict.Allow);
    }

    [TearDown]
    public void Unload() => _gate.Dispose();

    [TestCase(Gate.Pod, Gate.Peer, 4)]
    [TestCase(Gate.Pod, Gate.Peer, 40)]
    [TestCase(Gate.Pod6, Gate.Peer6, 8)]
    [TestCase(Gate.Pod6, Gate.Peer6, 64)]
    public void Options_and_extension_headers_are_walked(string pod, string peer, int bytes)
    {
        Assert.That(_gate.Out(Packet.Tcp(pod, 4000, peer, 80).WithOptions(bytes)).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(_gate.Out(Packet.Tcp(pod, 4000, peer, 81).WithOptions(bytes)).Reason, Is.EqualTo(Reason.DefaultDeny));
    }

    [TestCase(1)]
    [TestCase(2)]
    public void Tags_in_the_packet_are_skipped(int tags)
    {
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80).InVlans(tags)).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod6, 4000, Gate.Peer6, 81).InVlans(tags)).Reason, Is.EqualTo(Reason.DefaultDeny));
    }

    [TestCase(Gate.Pod, Gate.Peer, 34)]
    [TestCase(Gate.Pod, Gate.Peer, 35)]
    [TestCase(Gate.Pod, Gate.Peer, 37)]
    [TestCase(Gate.Pod, Gate.Peer, 46)]
    [TestCase(Gate.Pod6, Gate.Peer6, 54)]
    [TestCase(Gate.Pod6, Gate.Peer6, 57)]
    [TestCase(Gate.Pod6, Gate.Peer6, 66)]
    public void A_packet_cut_short_is_dropped_for_that(string pod, string peer, int length) =>
        Assert.That(_gate.Out(Packet.Tcp(pod, 4000, peer, 80).Bytes()[..length]).Reason, Is.EqualTo(Reason.Truncated));

    [Test]
    public void Padding_behind_the_IP_length_is_no_header()
    {
        var frame = Packet.Udp(Gate.Pod, 4000, Gate.Peer, 53).Bytes();
        frame[16] = 0;
        frame[17] = 20;
        Assert.That(_gate.Out(frame).Reason, Is.EqualTo(Reason.Truncated));
    }

    [Test]
    public void A_header_length_below_the_minimum_is_dropped()
    {
        var frame = Packet.Udp(Gate.Pod, 4000, Gate.Peer, 53).Bytes();
        frame[14] = 0x44;
        Assert.That(_gate.Out(frame).Reason, Is.EqualTo(Reason.Truncated));
    }

    [Test]
    public void Endless_extension_headers_are_dropped()
    {
        var frame = Packet.Udp(Gate.Pod6, 4000, Gate.Peer6, 53).WithOptions(80).Bytes();
        for (var at = 54; at < 54 + 80; at += 8)
            (frame[at], frame[at + 1]) = (60, 0);
        Assert.That(_gate.Out(frame).Reason, Is.EqualTo(Reason.UnsupportedProtocol));
    }

    [Test]
    public void An_IPv4_address_inside_IPv6_is_dropped() =>
        Assert.That(_gate.Out(MappedPacket()).Reason, Is.EqualTo(Reason.UnsupportedProtocol));

    [TestCase(Gate.Pod, Gate.Peer)]
    [TestCase(Gate.Pod6, Gate.Peer6)]
    public void Later_fragments_follow_the_first(string pod, string peer)
    {
        Assert.That(_gate.Out(Packet.Udp(pod, 4000, peer, 53).AsFragment(40, more: false)).Reason, Is.EqualTo(Reason.Fragment), "before the first");
        Assert.That(_gate.Out(Packet.Udp(pod, 4000, peer, 53).AsFragment(0, more: true)).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(_gate.Out(Packet.Udp(pod, 1, peer, 2).AsFragment(40, more: false)).Passed, "its bytes are no ports");
    }

    [Test]
    public void Fragments_of_a_denied_datagram_share_its_reason()
    {
        Assert.That(_gate.Out(Packet.Udp(Gate.Pod, 4000, Gate.Peer, 54).AsFragment(0, more: true)).Reason, Is.EqualTo(Reason.DefaultDeny));
        Assert.That(_gate.Out(Packet.Udp(Gate.Pod, 4000, Gate.Peer, 53).AsFragment(40, more: false)).Reason, Is.EqualTo(Reason.DefaultDeny));
    }

    [Test]
    public void A_fragment_that_could_rewrite_the_TCP_header_is_dropped()
    {
        _gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80).AsFragment(0, more: true));
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80).AsFragment(8, more: false)).Reason, Is.EqualTo(Reason.Fragment));
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80).AsFragment(24, more: false)).Passed);
    }

    [Test]
    public void A_TCP_fragment_on_the_way_to_the_proxy_is_dropped()
    {
        _gate.Rule(Direction.Egress, Packet.ProtoTcp, 81, Verdict.Redirect);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 81).AsFragment(0, more: true)).Reason, Is.EqualTo(Reason.Fragment));
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 81).AsFragment(24, more: false)).Reason, Is.EqualTo(Reason.Fragment));
    }

    [Test]
    public void The_links_own_upkeep_passes()
    {
        Assert.That(_gate.Out(Packet.Arp(Gate.Pod, "10.0.0.254")).Passed, "ARP");
        Assert.That(_gate.Out(Packet.Icmp(Gate.Pod6, "ff02::1:ff00:1", 135, hopLimit: 255)).Passed, "neighbour solicitation");
        Assert.That(_gate.In(Packet.Advertisement(Gate.Peer6, Gate.Pod6, Gate.Peer6)).Passed, "neighbour advertisement");
        Assert.That(_gate.Out(Packet.Icmp(Gate.Pod6, "ff02::1:ff00:1", 135, hopLimit: 254)).Passed, Is.False, "from beyond the link");
    }

    private static byte[] MappedPacket()
    {
        var frame = Packet.Udp(Gate.Pod6, 4000, Gate.Peer6, 53).Bytes();
        Array.Clear(frame, 38, 16);
        (frame[48], frame[49], frame[50], frame[53]) = (0xff, 0xff, 10, 2);
        return frame;
    }
}
