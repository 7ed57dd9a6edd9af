using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests;

/// <summary>What a pod may have of a connection table that is nearly full.</summary>
internal sealed class ShareTests
{
    private const uint All = (uint)ShareWhose.All;

    private Gate _gate = null!;

    [SetUp]
    public void Load()
    {
        _gate = new Gate();
        _gate.Rule(Direction.Egress, Packet.ProtoTcp, 80, Verdict.Allow);
        _gate.Rule(Direction.Egress, Packet.ProtoUdp, 53, Verdict.Allow);
        _gate.Share(All, ulong.MaxValue, limit: 0);
        _gate.Share(Gate.PodIfindex, ulong.MaxValue, limit: 2);
    }

    [TearDown]
    public void Unload() => _gate.Dispose();

    private Outcome Open(ushort port) => _gate.Out(Packet.Tcp(Gate.Pod, port, Gate.Peer, 80));

    private void FillUp()
    {
        Assert.That(Open(4001).Passed);
        Assert.That(Open(4002).Passed);
    }

    [Test]
    public void A_pod_with_its_share_opens_nothing_more_and_keeps_what_it_has()
    {
        FillUp();
        Assert.That(Open(4003).Reason, Is.EqualTo(Reason.ConnectionShare));
        Assert.That(Open(4003).Passed, Is.False);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4001, Gate.Peer, 80, Packet.Ack)).Passed);
        Assert.That(Open(4002).Passed, "the same SYN once more is no connection more");
        Assert.That(_gate.RowsInUse(Gate.PodIfindex), Is.EqualTo(2));
    }

    [Test]
    public void What_its_peers_open_counts_as_well()
    {
        _gate.Rule(Direction.Ingress, Packet.ProtoTcp, 8080, Verdict.Allow);
        FillUp();
        Assert.That(_gate.In(Packet.Tcp(Gate.Peer, 4000, Gate.Pod, 8080)).Reason, Is.EqualTo(Reason.ConnectionShare));
    }

    [Test]
    public void A_table_with_room_holds_nobody_to_a_share()
    {
        _gate.Share(All, ulong.MaxValue, limit: 1000);
        FillUp();
        Assert.That(Open(4003).Passed);
    }

    [Test]
    public void Other_protocols_have_a_table_of_their_own()
    {
        FillUp();
        Assert.That(_gate.Out(Packet.Udp(Gate.Pod, 4000, Gate.Peer, 53)).Passed);
    }

    [TestCase(Packet.Rst)]
    [TestCase(Packet.Fin)]
    public void What_is_over_counts_no_more(byte end)
    {
        FillUp();
        _gate.Out(Packet.Tcp(Gate.Pod, 4001, Gate.Peer, 80, (byte)(end | Packet.Ack)));
        _gate.In(Packet.Tcp(Gate.Peer, 80, Gate.Pod, 4001, (byte)(end | Packet.Ack)));
        Assert.That(_gate.RowsInUse(Gate.PodIfindex), Is.EqualTo(1));
        Assert.That(Open(4003).Passed);
        Assert.That(Open(4004).Passed, Is.False);
    }

    [Test]
    public void What_policy_cut_counts_no_more()
    {
        FillUp();
        _gate.Rule(Direction.Egress, Packet.ProtoTcp, 80, Verdict.Deny);
        _gate.Epoch(2);
        _gate.Out(Packet.Tcp(Gate.Pod, 4001, Gate.Peer, 80, Packet.Ack));
        Assert.That(_gate.RowsInUse(Gate.PodIfindex), Is.EqualTo(1));
    }

    [Test]
    public void What_the_agent_found_lost_counts_no_more()
    {
        FillUp();
        _gate.Share(Gate.PodIfindex, ulong.MaxValue, limit: 2, lost: 1);
        Assert.That(Open(4003).Passed);
        Assert.That(Open(4004).Passed, Is.False);
    }

    [Test]
    public void Without_an_agent_that_counts_nobody_is_held()
    {
        _gate.Share(Gate.PodIfindex, untilNs: 1, limit: 2);
        FillUp();
        Assert.That(Open(4003).Passed);
    }
}
