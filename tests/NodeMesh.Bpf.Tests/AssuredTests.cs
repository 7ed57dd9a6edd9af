namespace NodeMesh.Bpf.Tests;

/// <summary>Translated connections whose client is proved to be there, and those that a flood makes forgotten in their stead.</summary>
internal sealed class AssuredTests
{
    private const ushort Port = 30080;
    private const uint BriefRows = 2048;
    private const uint AnswerSequence = 4_000_000_000;

    private ServiceGate _node = null!;

    [SetUp]
    public void Load()
    {
        _node = new ServiceGate(rows: [("nm_nat_brief", BriefRows), ("nm_nat_tcp", 4)]);
        _node.Backends(0, ServiceGate.Far);
    }

    [TearDown]
    public void Unload() => _node.Dispose();

    [Test]
    public void A_flood_costs_no_client_that_is_there_its_connection()
    {
        Open(5000);
        _node.Arrive(Packet.Udp(ServiceGate.Client, 5000, ServiceGate.Node, Port));
        _node.Arrive(Packet.Udp(ServiceGate.Far, 8080, ServiceGate.Node, 5000));
        _node.Arrive(Packet.Udp(ServiceGate.Client, 5000, ServiceGate.Node, Port));

        _node.Flood(Enumerable.Range(0, (int)BriefRows * 2).SelectMany(i => (Packet[])
        [
            Packet.Tcp($"198.18.{i >> 8}.{i & 255}", 6000, ServiceGate.Node, Port),
            Packet.Udp($"198.18.{i >> 8}.{i & 255}", 6000, ServiceGate.Node, Port),
        ]));

        // Which of them is not sure: each CPU keeps the last hundred or so that it made.
        Assert.That(_node.Brief.Count(), Is.InRange(BriefRows / 2, BriefRows), "the flood pushed out itself");
        // Another backend would get it otherwise.
        _node.RemoveBackends();
        _node.Backends(0, "10.2.0.6");
        Assert.That(Send(5000, Packet.Ack, AnswerSequence + 1), Is.EqualTo($"{ServiceGate.Node}:5000 > {ServiceGate.Far}:8080"));
        Assert.That(Answer(5000, Packet.Ack), Is.EqualTo($"{ServiceGate.Node}:{Port} > {ServiceGate.Client}:5000"));
        Assert.That(_node.Arrive(Packet.Udp(ServiceGate.Far, 8080, ServiceGate.Node, 5000)).Text, Is.EqualTo($"{ServiceGate.Node}:{Port} > {ServiceGate.Client}:5000"));
    }

    [TestCase(0u, false)]
    [TestCase(AnswerSequence, false)]
    [TestCase(AnswerSequence + 1, true)]
    [TestCase(AnswerSequence + 1 + 14600, true)]
    [TestCase(AnswerSequence + 1 + 65536, false)]
    public void Only_who_knows_what_the_backend_said_is_there(uint acknowledged, bool assured)
    {
        Send(5000, Packet.Syn, 0);
        Assert.That(_node.Tcp.Count(), Is.Zero);
        Send(5000, Packet.Ack, AnswerSequence + 1);
        Assert.That(_node.Tcp.Count(), Is.Zero, "before the answer");
        Answer(5000, Packet.Syn | Packet.Ack);
        Send(5000, Packet.Ack, acknowledged);
        Assert.That(_node.Tcp.Count(), Is.EqualTo(assured ? 2 : 0));
        Assert.That(Answer(5000, Packet.Ack), Is.EqualTo($"{ServiceGate.Node}:{Port} > {ServiceGate.Client}:5000"), "translated in either case");
    }

    [Test]
    public void What_is_over_makes_room()
    {
        Open(5000);
        Send(5000, Packet.Fin | Packet.Ack, AnswerSequence + 1);
        Assert.That(_node.Tcp.Count(), Is.EqualTo(2));
        Answer(5000, Packet.Fin | Packet.Ack);
        Assert.That(_node.Tcp.Count(), Is.Zero);
        Assert.That(Send(5000, Packet.Ack, AnswerSequence + 2), Is.EqualTo($"{ServiceGate.Node}:5000 > {ServiceGate.Far}:8080"), "its last word");
        Assert.That(Open(5000), Is.EqualTo($"{ServiceGate.Node}:5000 > {ServiceGate.Far}:8080"), "and once more");
        Assert.That(_node.Tcp.Count(), Is.EqualTo(2));
    }

    [Test]
    public void Where_no_place_is_left_connections_go_on_without()
    {
        foreach (var port in (ushort[])[5000, 5001, 5002])
            Open(port);
        Assert.That(_node.Tcp.Count(), Is.EqualTo(4));
        foreach (var port in (ushort[])[5000, 5001, 5002])
            Assert.That(Answer(port, Packet.Ack), Is.EqualTo($"{ServiceGate.Node}:{Port} > {ServiceGate.Client}:{port}"));
    }

    [Test]
    public void A_row_that_nobody_cleared_away_hides_no_newer_one()
    {
        Open(5000);
        foreach (var (key, row) in _node.Tcp.ReadAll())
            _node.Tcp.Set(key, row with { ExpiresNs = 1 });
        foreach (var key in _node.Brief.ReadAll().Keys)
            _node.Brief.Remove(key);
        _node.RemoveBackends();
        _node.Backends(0, "10.2.0.6");
        Assert.That(Send(5000, Packet.Syn, 0), Does.EndWith("10.2.0.6:8080"));
        Assert.That(Send(5000, Packet.Syn, 0), Does.EndWith("10.2.0.6:8080"));
    }

    private string Open(ushort port)
    {
        var text = Send(port, Packet.Syn, 0);
        Answer(port, Packet.Syn | Packet.Ack);
        Send(port, Packet.Ack, AnswerSequence + 1);
        return text;
    }

    private string Send(ushort port, byte flags, uint acknowledged) =>
        _node.Arrive(Packet.Tcp(ServiceGate.Client, port, ServiceGate.Node, Port, flags).At(100, acknowledged)).Text;

    private string Answer(ushort port, byte flags) =>
        _node.Arrive(Packet.Tcp(ServiceGate.Far, 8080, ServiceGate.Node, port, flags).At(AnswerSequence, 101)).Text;
}
