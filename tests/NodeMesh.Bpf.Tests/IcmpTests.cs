using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests;

/// <summary>ICMP is judged by type and code, and an exchange of it is a connection.</summary>
internal sealed class IcmpTests
{
    private const uint TypeBits = (uint)VerdictBits.Proto + 8;

    private Gate _gate = null!;

    [SetUp]
    public void Load() => _gate = new Gate();

    [TearDown]
    public void Unload() => _gate.Dispose();

    [TestCase(Gate.Pod, Gate.Peer, Packet.ProtoIcmp, (byte)8, (byte)0)]
    [TestCase(Gate.Pod6, Gate.Peer6, Packet.ProtoIcmp6, (byte)128, (byte)129)]
    public void A_type_that_is_allowed_passes_and_its_answer(string pod, string peer, byte proto, byte request, byte answer)
    {
        _gate.Row(Direction.Egress, proto, TypeBits, (ushort)(request << 8), new VerdictEntry { Verdict = (byte)Verdict.Allow });
        Assert.That(_gate.Out(Packet.Icmp(pod, peer, request, id: 7, code: 3)).Reason, Is.EqualTo(Reason.Forwarded), "a type is all its codes");
        Assert.That(_gate.Out(Packet.Icmp(pod, peer, request, id: 8)).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(_gate.In(Packet.Icmp(peer, pod, answer, id: 8)).Reason, Is.EqualTo(Reason.Reply));
        Assert.That(_gate.In(Packet.Icmp(peer, pod, answer, id: 9)).Reason, Is.EqualTo(Reason.DefaultDeny), "of nobody's request");
        Assert.That(_gate.In(Packet.Icmp(peer, pod, request, id: 8)).Reason, Is.EqualTo(Reason.DefaultDeny), "a request is no answer");
        Assert.That(_gate.Out(Packet.Icmp(pod, peer, answer, id: 8)).Reason, Is.EqualTo(Reason.DefaultDeny), "an answer is no request");
    }

    [Test]
    public void A_code_of_a_type_is_told_from_its_others()
    {
        _gate.Row(Direction.Egress, Packet.ProtoIcmp, (uint)VerdictBits.Full, 3 << 8 | 4, new VerdictEntry { Verdict = (byte)Verdict.Allow });
        Assert.That(_gate.Out(Packet.Icmp(Gate.Pod, Gate.Peer, 11)).Reason, Is.EqualTo(Reason.Truncated), "an error about nothing");
        Assert.That(_gate.Out(Error(4)).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(_gate.Out(Error(3)).Reason, Is.EqualTo(Reason.DefaultDeny));

        static byte[] Error(byte code)
        {
            var frame = Packet.Error(Gate.Pod, Gate.Peer, Packet.Tcp(Gate.Peer, 4000, Gate.Pod, 80)).Bytes();
            frame[35] = code;
            return frame;
        }
    }

    [Test]
    public void One_type_does_not_open_the_way_for_another()
    {
        _gate.Row(Direction.Egress, Packet.ProtoIcmp, TypeBits, 8 << 8, new VerdictEntry { Verdict = (byte)Verdict.Allow });
        _gate.Out(Packet.Icmp(Gate.Pod, Gate.Peer, 8, id: 7));
        Assert.That(_gate.Out(Packet.Icmp(Gate.Pod, Gate.Peer, 13, id: 7)).Reason, Is.EqualTo(Reason.DefaultDeny));
        Assert.That(_gate.In(Packet.Icmp(Gate.Peer, Gate.Pod, 14, id: 7)).Reason, Is.EqualTo(Reason.DefaultDeny));
        Assert.That(_gate.Out(Packet.Icmp(Gate.Pod, Gate.Peer, 0, id: 8 << 8)).Reason, Is.EqualTo(Reason.DefaultDeny), "an identifier is no type");
        Assert.That(_gate.In(Packet.Icmp(Gate.Peer, Gate.Pod, 8, id: 7)).Reason, Is.EqualTo(Reason.DefaultDeny));
    }

    [Test]
    public void An_answer_that_nobody_asked_for_is_judged_by_its_own_type()
    {
        _gate.Row(Direction.Ingress, Packet.ProtoIcmp, TypeBits, 0, new VerdictEntry { Verdict = (byte)Verdict.Allow });
        Assert.That(_gate.In(Packet.Icmp(Gate.Peer, Gate.Pod, 0, id: 5)).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(_gate.In(Packet.Icmp(Gate.Peer, Gate.Pod, 14, id: 5)).Reason, Is.EqualTo(Reason.DefaultDeny));
    }

    [Test]
    public void An_error_about_an_echo_reaches_who_sent_it()
    {
        _gate.Row(Direction.Egress, Packet.ProtoIcmp, TypeBits, 8 << 8, new VerdictEntry { Verdict = (byte)Verdict.Allow });
        _gate.Out(Packet.Icmp(Gate.Pod, Gate.Peer, 8, id: 7));
        Assert.That(_gate.In(Packet.Error("192.0.2.1", Gate.Pod, Packet.Icmp(Gate.Pod, Gate.Peer, 8, id: 7))).Reason, Is.EqualTo(Reason.Reply));
        Assert.That(_gate.In(Packet.Error("192.0.2.1", Gate.Pod, Packet.Icmp(Gate.Pod, Gate.Peer, 8, id: 6))).Reason, Is.EqualTo(Reason.DefaultDeny));
    }

    [Test]
    public void A_new_policy_reaches_an_exchange_by_its_answers_too()
    {
        _gate.Row(Direction.Egress, Packet.ProtoIcmp, TypeBits, 8 << 8, new VerdictEntry { Verdict = (byte)Verdict.Allow });
        _gate.Out(Packet.Icmp(Gate.Pod, Gate.Peer, 8, id: 7));
        _gate.Epoch(2);
        Assert.That(_gate.In(Packet.Icmp(Gate.Peer, Gate.Pod, 0, id: 7)).Reason, Is.EqualTo(Reason.Reply));
        _gate.Row(Direction.Egress, Packet.ProtoIcmp, TypeBits, 8 << 8, new VerdictEntry { Verdict = (byte)Verdict.Deny });
        _gate.Epoch(3);
        Assert.That(_gate.In(Packet.Icmp(Gate.Peer, Gate.Pod, 0, id: 7)).Reason, Is.EqualTo(Reason.PolicyDenied));
    }
}
