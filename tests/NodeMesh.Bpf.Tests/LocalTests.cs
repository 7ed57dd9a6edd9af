using System.Buffers.Binary;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests;

/// <summary>Between two pods of one node: straight from one into the other, once both let the connection through.</summary>
internal sealed class LocalTests
{
    private const uint Mtu = 1500;

    private Gate _gate = null!;

    [SetUp]
    public void Load()
    {
        _gate = new Gate();
        _gate.Endpoint(Gate.OtherIfindex, Gate.PeerIdentity, Gate.OtherSet, Gate.Peer, Gate.Peer6);
        foreach (var direction in (Direction[])[Direction.Egress, Direction.Ingress])
            _gate.Default(direction, Verdict.DefaultDeny, Gate.OtherSet);
        foreach (var proto in (byte[])[Packet.ProtoTcp, Packet.ProtoUdp])
        {
            _gate.Rule(Direction.Egress, proto, 80, Verdict.Allow);
            _gate.Rule(Direction.Ingress, proto, 80, Verdict.Allow, Gate.OtherSet, Gate.PodIdentity);
        }

        _gate.Reachable(Gate.PodIfindex, Mtu);
        _gate.Reachable(Gate.OtherIfindex, Mtu);
    }

    [TearDown]
    public void Unload() => _gate.Dispose();

    private static Packet FromPod(byte flags = Packet.Ack) => Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80, flags);

    [Test]
    public void One_entry_serves_both_ends()
    {
        var first = _gate.Out(FromPod(Packet.Syn));
        var entry = _gate.Connections.ReadAll().Single();
        Assert.That(first.Straight);
        Assert.That(first.Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(entry.Key.Ifindex, Is.Zero);
        Assert.That((entry.Value.Opener, entry.Value.Answerer), Is.EqualTo((Gate.PodIfindex, Gate.OtherIfindex)));
        Assert.That(_gate.Out(FromPod()).Straight, "midway");
        Assert.That(_gate.Out(FromPod(Packet.Fin | Packet.Ack)).Straight, "at its end");
        Assert.That(_gate.Connections.Count(), Is.EqualTo(1));
    }

    [Test]
    public void UDP_and_IPv6_go_the_same_way()
    {
        Assert.That(_gate.Out(Packet.Udp(Gate.Pod, 4000, Gate.Peer, 80)).Straight);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod6, 4000, Gate.Peer6, 80)).Straight);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod6, 4000, Gate.Peer6, 80, Packet.Ack)).Straight);
    }

    [Test]
    public void A_packet_is_routed_as_the_node_would()
    {
        _gate.Out(FromPod(Packet.Syn));
        var sent = FromPod().Bytes();
        var checksum = BinaryPrimitives.ReadUInt16BigEndian(sent.AsSpan(24));
        _gate.Out(sent);
        var arrived = _gate.LastFrame;
        Assert.That(arrived[22], Is.EqualTo(sent[22] - 1), "one hop less");
        Assert.That(BinaryPrimitives.ReadUInt16BigEndian(arrived.AsSpan(24)), Is.EqualTo(checksum + 0x100), "RFC 1624");
        Assert.That(arrived[..12], Is.EqualTo(new byte[] { 2, 0, 0, 0, 0, (byte)Gate.OtherIfindex, 2, 0, 0, 0, 1, (byte)Gate.OtherIfindex }), "the other pod's link addresses");
    }

    [Test]
    public void What_the_other_end_refuses_goes_to_its_gate_to_be_counted_there()
    {
        var refused = Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 81);
        _gate.Rule(Direction.Egress, Packet.ProtoTcp, 81, Verdict.Allow);
        var outcome = _gate.Out(refused);
        Assert.That((outcome.Passed, outcome.Straight), Is.EqualTo((true, false)));
    }

    [TestCase(0u, TestName = "Not_into_a_pod_that_cannot_be_reached_so")]
    [TestCase(9000u, TestName = "Not_between_links_of_different_sizes")]
    public void Not_so(uint mtu)
    {
        _gate.Reachable(Gate.OtherIfindex, mtu);
        Assert.That(_gate.Out(FromPod(Packet.Syn)).Straight, Is.False);
    }

    [Test]
    public void A_link_local_source_does_not_pass_the_stack_by()
    {
        var outcome = _gate.Out(Packet.Tcp("fe80::99", 4000, Gate.Peer6, 80));
        Assert.That((outcome.Passed, outcome.Straight), Is.EqualTo((true, false)));
    }

    [Test]
    public void Both_ends_rules_are_hit_once_a_connection()
    {
        _gate.Row(Direction.Egress, Packet.ProtoTcp, (uint)VerdictBits.Full, 80, new VerdictEntry { Verdict = (byte)Verdict.Allow, Rule = 11 });
        _gate.Row(Direction.Ingress, Packet.ProtoTcp, (uint)VerdictBits.Full, 80,
            new VerdictEntry { Verdict = (byte)Verdict.Allow, Rule = 12, Audit = (byte)Verdict.Deny, AuditRule = 13 }, Gate.OtherSet, Gate.PodIdentity);
        _gate.Out(FromPod(Packet.Syn));
        _gate.Out(FromPod());
        Assert.That(_gate.RuleHits(), Is.EquivalentTo(new Dictionary<(uint, Reason), ulong> { [(11, Reason.Forwarded)] = 1, [(12, Reason.Forwarded)] = 1, [(13, Reason.AuditDenied)] = 1 }));
    }

    [Test]
    public void A_pod_does_not_ride_on_the_connection_of_two_others()
    {
        _gate.Out(FromPod(Packet.Syn));
        var (key, entry) = _gate.Connections.ReadAll().Single();
        _gate.Connections.Set(key, entry with { Opener = 9 });
        var outcome = _gate.Out(FromPod());
        Assert.That(outcome.Straight, Is.False);
    }

    [Test]
    public void Fragments_and_what_has_no_hop_left_take_the_stack()
    {
        Assert.That(_gate.Out(Packet.Udp(Gate.Pod, 4000, Gate.Peer, 80).AsFragment(0, more: true)).Straight, Is.False);
        _gate.Out(FromPod(Packet.Syn));
        var last = FromPod().Bytes();
        last[22] = 1;
        var outcome = _gate.Out(last);
        Assert.That((outcome.Passed, outcome.Straight), Is.EqualTo((true, false)));
        Assert.That(_gate.LastFrame[22], Is.EqualTo(1), "untouched, so that the stack answers");
    }

    [Test]
    public void Newer_policy_of_the_other_end_cuts_it()
    {
        _gate.Out(FromPod(Packet.Syn));
        _gate.Rule(Direction.Ingress, Packet.ProtoTcp, 80, Verdict.Deny, Gate.OtherSet, Gate.PodIdentity);
        _gate.Epoch(2);
        Assert.That(_gate.Out(FromPod()).Passed, Is.False);
        Assert.That(_gate.Connections.Count(), Is.Zero);
    }

    [Test]
    public void Newer_policy_that_still_allows_it_keeps_it()
    {
        _gate.Out(FromPod(Packet.Syn));
        _gate.Epoch(2);
        Assert.That(_gate.Out(FromPod()).Straight);
        Assert.That(_gate.OnlyConnection().Epoch, Is.EqualTo(2));
    }

    [Test]
    public void A_new_connection_does_not_inherit_what_an_older_one_was()
    {
        _gate.Out(FromPod(Packet.Syn));
        _gate.Rule(Direction.Ingress, Packet.ProtoTcp, 80, Verdict.Redirect, Gate.OtherSet, Gate.PodIdentity);
        _gate.Epoch(2);
        _gate.Out(FromPod(Packet.Syn));
        Assert.That(_gate.Connections.ReadAll().Keys.Select(k => k.Ifindex), Does.Not.Contain(0u));
    }

    [Test]
    public void An_error_about_it_reaches_its_opener()
    {
        _gate.Out(Packet.Udp(Gate.Pod, 4000, Gate.Peer, 80));
        var error = _gate.In(Packet.Error(Gate.Peer, Gate.Pod, Packet.Udp(Gate.Pod, 4000, Gate.Peer, 80)));
        Assert.That(error.Reason, Is.EqualTo(Reason.Reply));
    }

    [Test]
    public void A_connection_picked_up_midway_must_be_allowed_both_ways()
    {
        // Egress to port 80 is open; as an answer to the peer it would need ingress from port 80 to 4000, which is closed.
        Assert.That(_gate.Out(FromPod()).Reason, Is.EqualTo(Reason.DefaultDeny));
        _gate.Rule(Direction.Ingress, Packet.ProtoTcp, 4000, Verdict.Allow);
        var outcome = _gate.Out(FromPod());
        Assert.That((outcome.Passed, outcome.Straight), Is.EqualTo((true, false)), "and goes by the stack, which may know it");
    }
}
