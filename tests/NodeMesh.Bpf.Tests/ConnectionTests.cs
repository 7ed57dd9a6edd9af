using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests;

internal sealed class ConnectionTests
{
    private Gate _gate = null!;

    [SetUp]
    public void Load()
    {
        _gate = new Gate();
        _gate.Rule(Direction.Egress, Packet.ProtoTcp, 80, Verdict.Allow);
        _gate.Rule(Direction.Egress, Packet.ProtoUdp, 53, Verdict.Allow);
        _gate.Rule(Direction.Egress, Packet.ProtoIcmp, 0, Verdict.Allow);
        _gate.Rule(Direction.Ingress, Packet.ProtoTcp, 8080, Verdict.Allow);
    }

    [TearDown]
    public void Unload() => _gate.Dispose();

    [Test]
    public void A_reply_passes_and_nothing_else_from_there()
    {
        _gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80));
        Assert.That(_gate.In(Packet.Tcp(Gate.Peer, 80, Gate.Pod, 4000, Packet.Syn | Packet.Ack)).Reason, Is.EqualTo(Reason.Reply));
        Assert.That(_gate.In(Packet.Tcp(Gate.Peer, 81, Gate.Pod, 4000, Packet.Ack)).Reason, Is.EqualTo(Reason.DefaultDeny));
        Assert.That(_gate.In(Packet.Tcp(Gate.Peer, 80, Gate.Pod, 4000)).Reason, Is.EqualTo(Reason.DefaultDeny), "a SYN is no reply");
    }

    [Test]
    public void A_UDP_and_an_echo_reply_pass()
    {
        _gate.Out(Packet.Udp(Gate.Pod, 4000, Gate.Peer, 53));
        Assert.That(_gate.In(Packet.Udp(Gate.Peer, 53, Gate.Pod, 4000)).Reason, Is.EqualTo(Reason.Reply));
        _gate.Out(Packet.Icmp(Gate.Pod, Gate.Peer, 8, id: 77));
        Assert.That(_gate.In(Packet.Icmp(Gate.Peer, Gate.Pod, 0, id: 77)).Reason, Is.EqualTo(Reason.Reply));
        Assert.That(_gate.In(Packet.Icmp(Gate.Peer, Gate.Pod, 0, id: 78)).Reason, Is.EqualTo(Reason.DefaultDeny));
    }

    [Test]
    public void Lifetime_follows_the_connection()
    {
        _gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80));
        var opening = _gate.OnlyConnection().ExpiresNs;
        _gate.In(Packet.Tcp(Gate.Peer, 80, Gate.Pod, 4000, Packet.Syn | Packet.Ack));
        var established = _gate.OnlyConnection().ExpiresNs;
        _gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80, Packet.Fin | Packet.Ack));
        var halfClosed = _gate.OnlyConnection().ExpiresNs;
        _gate.In(Packet.Tcp(Gate.Peer, 80, Gate.Pod, 4000, Packet.Fin | Packet.Ack));
        var closing = _gate.OnlyConnection().ExpiresNs;
        Assert.That(Seconds(established - opening), Is.EqualTo(940).Within(10));
        Assert.That(Seconds(halfClosed - opening), Is.EqualTo(40).Within(10));
        Assert.That(Seconds(opening - closing), Is.EqualTo(50).Within(10));
        Assert.That(_gate.OnlyConnection().Flags, Is.EqualTo((byte)(CtFlag.SeenReply | CtFlag.FinOpener | CtFlag.FinReply)));
    }

    [Test]
    public void A_reset_closes_at_once_and_a_new_SYN_opens_again()
    {
        _gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80));
        _gate.In(Packet.Tcp(Gate.Peer, 80, Gate.Pod, 4000, Packet.Rst));
        Assert.That(_gate.OnlyConnection().Flags & (byte)CtFlag.Rst, Is.Not.Zero);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80)).Passed);
        Assert.That(_gate.OnlyConnection().Flags, Is.Zero);
    }

    [Test]
    public void An_expired_connection_passes_no_reply()
    {
        _gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80));
        var (key, entry) = _gate.Connections.ReadAll().Single();
        entry.ExpiresNs = 1;
        _gate.Connections.Set(key, entry);
        Assert.That(_gate.In(Packet.Tcp(Gate.Peer, 80, Gate.Pod, 4000, Packet.Ack)).Reason, Is.EqualTo(Reason.DefaultDeny));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_new_policy_cuts_what_is_now_denied_whichever_way_the_next_packet_goes(bool reply)
    {
        _gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80));
        _gate.In(Packet.Tcp(Gate.Peer, 80, Gate.Pod, 4000, Packet.Syn | Packet.Ack));
        _gate.Rule(Direction.Egress, Packet.ProtoTcp, 80, Verdict.Deny);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80, Packet.Ack)).Passed, "until the epoch says so");
        _gate.Epoch(2);
        var next = reply
            ? _gate.In(Packet.Tcp(Gate.Peer, 80, Gate.Pod, 4000, Packet.Ack))
            : _gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80, Packet.Ack));
        Assert.That(next.Reason, Is.EqualTo(Reason.PolicyDenied));
        Assert.That(_gate.Connections.ReadAll(), Is.Empty);
        Assert.That(_gate.In(Packet.Tcp(Gate.Peer, 80, Gate.Pod, 4000, Packet.Ack)).Passed, Is.False);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80, Packet.Ack)).Passed, Is.False);
    }

    [TestCase(true)]
    [TestCase(false)]
    public void It_cuts_datagrams_in_either_direction(bool reply)
    {
        _gate.Rule(Direction.Ingress, Packet.ProtoUdp, 90, Verdict.Allow);
        _gate.Out(Packet.Udp(Gate.Pod, 4000, Gate.Peer, 53));
        _gate.In(Packet.Udp(Gate.Peer, 4000, Gate.Pod, 90));
        _gate.Rule(Direction.Egress, Packet.ProtoUdp, 53, Verdict.Deny);
        _gate.Rule(Direction.Ingress, Packet.ProtoUdp, 90, Verdict.DefaultDeny);
        _gate.Epoch(2);
        var own = reply ? _gate.In(Packet.Udp(Gate.Peer, 53, Gate.Pod, 4000)) : _gate.Out(Packet.Udp(Gate.Pod, 4000, Gate.Peer, 53));
        var inbound = reply ? _gate.Out(Packet.Udp(Gate.Pod, 90, Gate.Peer, 4000)) : _gate.In(Packet.Udp(Gate.Peer, 4000, Gate.Pod, 90));
        Assert.That((own.Reason, inbound.Reason), Is.EqualTo((Reason.PolicyDenied, Reason.DefaultDeny)));
    }

    [Test]
    public void A_new_policy_that_still_allows_leaves_the_connection_and_notes_the_epoch()
    {
        _gate.In(Packet.Tcp(Gate.Peer, 4000, Gate.Pod, 8080));
        _gate.Epoch(2);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 8080, Gate.Peer, 4000, Packet.Ack)).Reason, Is.EqualTo(Reason.Reply));
        Assert.That(_gate.OnlyConnection().Epoch, Is.EqualTo(2));
    }

    [Test]
    public void A_direct_connection_that_now_needs_the_proxy_is_cut_and_its_next_SYN_goes_there()
    {
        _gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80));
        _gate.Rule(Direction.Egress, Packet.ProtoTcp, 80, Verdict.Redirect);
        _gate.Epoch(2);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80, Packet.Ack)).Reason, Is.EqualTo(Reason.L7Required));
        Assert.That(_gate.Connections.ReadAll(), Is.Empty);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80)).Reason, Is.EqualTo(Reason.NoProxy));
    }

    [Test]
    public void The_errors_of_a_connection_pass_and_others_are_judged_as_ICMP()
    {
        _gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80));
        Assert.That(_gate.In(Packet.Error("192.0.2.1", Gate.Pod, Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80))).Reason, Is.EqualTo(Reason.Reply));
        Assert.That(_gate.In(Packet.Error("192.0.2.1", Gate.Pod, Packet.Tcp(Gate.Pod, 4001, Gate.Peer, 80))).Reason, Is.EqualTo(Reason.DefaultDeny));
        _gate.In(Packet.Tcp(Gate.Peer, 4000, Gate.Pod, 8080));
        Assert.That(_gate.Out(Packet.Error(Gate.Pod, Gate.Peer, Packet.Tcp(Gate.Peer, 4000, Gate.Pod, 8080))).Reason, Is.EqualTo(Reason.Reply));
        Assert.That(_gate.Out(Packet.Error(Gate.Pod, "192.0.2.1", Packet.Tcp("192.0.2.1", 4000, Gate.Pod, 8080))).Reason, Is.EqualTo(Reason.DefaultDeny));
    }

    [Test]
    public void The_errors_of_an_IPv6_connection_pass()
    {
        _gate.Out(Packet.Tcp(Gate.Pod6, 4000, Gate.Peer6, 80));
        Assert.That(_gate.In(Packet.Error("2001:db8::1", Gate.Pod6, Packet.Tcp(Gate.Pod6, 4000, Gate.Peer6, 80))).Reason, Is.EqualTo(Reason.Reply));
    }

    private static double Seconds(ulong ns) => ns / 1e9;
}
