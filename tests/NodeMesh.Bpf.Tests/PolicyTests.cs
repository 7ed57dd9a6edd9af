using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests;

/// <summary>What the gate says to a new connection, both ways.</summary>
internal sealed class PolicyTests
{
    private Gate _gate = null!;

    [SetUp]
    public void Load() => _gate = new Gate();

    [TearDown]
    public void Unload() => _gate.Dispose();

    [Test]
    public void Default_deny_and_an_explicit_deny_have_their_own_reasons()
    {
        _gate.Rule(Direction.Egress, Packet.ProtoTcp, 80, Verdict.Deny);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80)).Reason, Is.EqualTo(Reason.PolicyDenied));
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 81)), Is.EqualTo(new Outcome(false, Mark.None, Reason.DefaultDeny, 0)));
        Assert.That(_gate.Connections.ReadAll(), Is.Empty);
    }

    [TestCase(Gate.Pod, Gate.Peer)]
    [TestCase(Gate.Pod6, Gate.Peer6)]
    public void An_allowed_port_opens_in_both_families(string pod, string peer)
    {
        _gate.Rule(Direction.Egress, Packet.ProtoTcp, 80, Verdict.Allow);
        _gate.Rule(Direction.Egress, Packet.ProtoUdp, 53, Verdict.Allow);
        _gate.Rule(Direction.Ingress, Packet.ProtoSctp, 36412, Verdict.Allow);
        Assert.That(_gate.Out(Packet.Tcp(pod, 4000, peer, 80)).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(_gate.Out(Packet.Udp(pod, 4000, peer, 53)).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(_gate.In(Packet.Sctp(peer, 4000, pod, 36412)).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(_gate.In(Packet.Sctp(peer, 4000, pod, 36413)).Reason, Is.EqualTo(Reason.DefaultDeny));
    }

    [TestCase(Gate.Pod, Gate.Peer, 8, 0, 13)]
    [TestCase(Gate.Pod6, Gate.Peer6, 128, 129, 139)]
    public void Icmp_is_judged_by_type_and_code(string pod, string peer, byte echo, byte reply, byte other)
    {
        var proto = pod.Contains(':', StringComparison.Ordinal) ? Packet.ProtoIcmp6 : Packet.ProtoIcmp;
        _gate.Rule(Direction.Egress, proto, (ushort)(echo << 8), Verdict.Allow);
        Assert.That(_gate.Out(Packet.Icmp(pod, peer, echo, id: 7)).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(_gate.In(Packet.Icmp(peer, pod, reply, id: 7)).Reason, Is.EqualTo(Reason.Reply));
        Assert.That(_gate.Out(Packet.Icmp(pod, peer, echo, id: 8, code: 1)).Reason, Is.EqualTo(Reason.DefaultDeny));
        Assert.That(_gate.Out(Packet.Icmp(pod, peer, other)).Reason, Is.EqualTo(Reason.DefaultDeny));
    }

    [Test]
    public void A_type_that_is_let_through_opens_no_door_to_another()
    {
        _gate.Rule(Direction.Egress, Packet.ProtoIcmp, 0, Verdict.Allow);
        _gate.Rule(Direction.Egress, Packet.ProtoIcmp, 13 << 8, Verdict.Deny);
        Assert.That(_gate.Out(Packet.Icmp(Gate.Pod, Gate.Peer, 15)).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(_gate.Out(Packet.Icmp(Gate.Pod, Gate.Peer, 13)).Reason, Is.EqualTo(Reason.PolicyDenied));
    }

    [Test]
    public void Without_a_row_everything_is_closed()
    {
        _gate.Endpoint(Gate.PodIfindex, Gate.PodIdentity, 99);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80)).Reason, Is.EqualTo(Reason.NoPolicy));
        _gate.RemoveEndpoint();
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80)).Reason, Is.EqualTo(Reason.NoPolicy));
        Assert.That(_gate.In(Packet.Tcp(Gate.Peer, 4000, Gate.Pod, 80)).Reason, Is.EqualTo(Reason.NoPolicy));
    }

    [Test]
    public void What_is_not_known_yet_may_be_left_open_but_not_what_has_a_hole()
    {
        using var gate = new Gate(adjust: c => c with { OpenBeforePlan = 1 });
        gate.RemoveEndpoint();
        Assert.That(gate.Out(Packet.Tcp("10.0.0.77", 4000, Gate.Peer, 80)).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(gate.In(Packet.Tcp(Gate.Peer, 4000, Gate.Pod, 80)).Reason, Is.EqualTo(Reason.Forwarded));
        gate.Endpoint(Gate.PodIfindex, Gate.PodIdentity, 99);
        Assert.That(gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80)).Reason, Is.EqualTo(Reason.NoPolicy));
    }

    [Test]
    public void A_pod_that_no_policy_selects_is_open()
    {
        _gate.Endpoint(Gate.PodIfindex, Gate.PodIdentity, 0);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80)).Passed);
        Assert.That(_gate.In(Packet.Raw(Gate.Peer, Gate.Pod, 47)).Passed);
        Assert.That(_gate.Out(Packet.Ethernet(0x88cc)).Passed, "a frame that is not IP");
    }

    [Test]
    public void The_pod_and_its_node_always_reach_one_another()
    {
        _gate.Identity("10.0.0.254", (uint)IdentityId.Host);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, "10.0.0.254", 6443)).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(_gate.InFromNode(Packet.Tcp("10.0.0.254", 4000, Gate.Pod, 8080)).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(_gate.Out(Packet.Icmp(Gate.Pod6, "fe80::1", 128)).Passed, "link-local is the node");
        Assert.That(_gate.In(Packet.Tcp("10.0.0.254", 4000, Gate.Pod, 8080)).Passed, Is.False, "the node's address from another interface is not the node");
    }

    [Test]
    public void A_pod_reaches_itself()
    {
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Pod, 80)).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(_gate.In(Packet.Tcp(Gate.Pod, 4000, Gate.Pod, 80), Gate.PodIfindex).Reason, Is.EqualTo(Reason.Forwarded));
    }

    [Test]
    public void The_interface_of_a_local_sender_tells_who_it_is_whatever_address_it_claims()
    {
        _gate.Endpoint(Gate.OtherIfindex, 400, Gate.OtherSet, "10.0.0.9");
        _gate.Rule(Direction.Ingress, Packet.ProtoUdp, 53, Verdict.Allow);
        Assert.That(_gate.In(Packet.Udp(Gate.Peer, 4000, Gate.Pod, 53)).Reason, Is.EqualTo(Reason.DefaultDeny));
        Assert.That(_gate.In(Packet.Udp(Gate.Peer, 4000, Gate.Pod, 53), 8).Reason, Is.EqualTo(Reason.Forwarded));
    }

    [Test]
    public void A_local_sender_with_two_addresses_is_who_the_one_is_that_it_sends_from()
    {
        _gate.Endpoint(Gate.OtherIfindex, 400, Gate.OtherSet, "10.0.0.9", "fd00::9");
        _gate.Identity("fd00::9", Gate.PeerIdentity); // It is in a block that the IPv4 address cannot be in.
        _gate.Rule(Direction.Ingress, Packet.ProtoUdp, 53, Verdict.Allow);
        Assert.That(_gate.In(Packet.Udp("fd00::9", 4000, Gate.Pod6, 53)).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(_gate.In(Packet.Udp("10.0.0.9", 4000, Gate.Pod, 53)).Reason, Is.EqualTo(Reason.DefaultDeny));
    }

    [Test]
    public void A_protocol_that_rules_cannot_name_is_refused_by_isolation() =>
        Assert.That(_gate.Out(Packet.Raw(Gate.Pod, Gate.Peer, 47)).Reason, Is.EqualTo(Reason.UnsupportedProtocol));

    [Test]
    public void A_frame_that_is_not_IP_is_refused_unless_nothing_selects_the_pod() =>
        Assert.That(_gate.Out(Packet.Ethernet(0x88cc)).Reason, Is.EqualTo(Reason.UnsupportedProtocol));

    [Test]
    public void The_proxys_source_ports_are_closed_to_pods_toward_its_backends()
    {
        _gate.Identity(Gate.Peer, Gate.PeerIdentity, IdentityFlag.Backend);
        _gate.Rule(Direction.Egress, Packet.ProtoTcp, 80, Verdict.Allow);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 61000, Gate.Peer, 80)).Reason, Is.EqualTo(Reason.ReservedPort));
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 65535, Gate.Peer, 80, Packet.Ack)).Reason, Is.EqualTo(Reason.ReservedPort));
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 60999, Gate.Peer, 80)).Reason, Is.EqualTo(Reason.Forwarded));
    }

    [Test]
    public void What_wants_the_proxy_and_is_not_TCP_is_refused()
    {
        _gate.Rule(Direction.Egress, Packet.ProtoUdp, 53, Verdict.Redirect);
        Assert.That(_gate.Out(Packet.Udp(Gate.Pod, 4000, Gate.Peer, 53)).Reason, Is.EqualTo(Reason.L7Required));
    }

    [Test]
    public void What_audit_would_refuse_passes_and_is_counted_once_a_connection()
    {
        var audited = new VerdictEntry { Verdict = (byte)Verdict.Allow, Rule = 5, Audit = (byte)Verdict.DefaultDeny, AuditRule = 6 };
        _gate.Row(Direction.Egress, Packet.ProtoTcp, (uint)VerdictBits.Full, 80, audited);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80)).Reason, Is.EqualTo(Reason.Forwarded));
        _gate.Epoch(2);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80, Packet.Ack)).Reason, Is.EqualTo(Reason.Forwarded), "judged again, not counted again");
        Assert.That(_gate.RuleHits(), Is.EquivalentTo(new Dictionary<(uint, Reason), ulong> { [(5, Reason.Forwarded)] = 1, [(6, Reason.AuditDefaultDeny)] = 1 }));
        Assert.That(_gate.CountedUnder(Reason.AuditDefaultDeny), Is.EqualTo(1));

        _gate.Row(Direction.Ingress, Packet.ProtoUdp, (uint)VerdictBits.Full, 53, audited with { Audit = (byte)Verdict.Deny });
        _gate.In(Packet.Udp(Gate.Peer, 4000, Gate.Pod, 53));
        Assert.That(_gate.CountedUnder(Reason.AuditDenied), Is.EqualTo(1));
    }

    [Test]
    public void A_refusal_names_its_rule_each_time()
    {
        _gate.Row(Direction.Egress, Packet.ProtoTcp, (uint)VerdictBits.Full, 80, new VerdictEntry { Verdict = (byte)Verdict.Deny, Rule = 7 });
        for (var i = 0; i < 2; i++)
            Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80)).Reason, Is.EqualTo(Reason.PolicyDenied));
        Assert.That(_gate.RuleHits(), Is.EquivalentTo(new Dictionary<(uint, Reason), ulong> { [(7, Reason.PolicyDenied)] = 2 }));
    }
}
