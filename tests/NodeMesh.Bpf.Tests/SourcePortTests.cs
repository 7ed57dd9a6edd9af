using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests;

/// <summary>Under which port of the node a backend of another node sees a client.</summary>
internal sealed class SourcePortTests
{
    private const ushort Port = 30080;
    private const string Other = "10.9.0.8";
    private const int First = 1024, Last = 32767;

    private ServiceGate _node = null!;

    [SetUp]
    public void Load()
    {
        _node = new ServiceGate();
        _node.Backends(0, ServiceGate.Far);
    }

    [TearDown]
    public void Unload() => _node.Dispose();

    [Test]
    public void Each_port_of_a_client_is_one_of_its_own_and_the_same_again()
    {
        ushort[] Seen() => [.. Enumerable.Range(60000, 400).Select(p => Open(ServiceGate.Client, (ushort)p))];
        var seen = Seen();
        Assert.That(seen, Is.Unique.And.All.InRange(First, Last));
        foreach (var row in _node.Brief.ReadAll().Keys)
            _node.Brief.Remove(row);
        Assert.That(Seen(), Is.EqualTo(seen));
    }

    [Test]
    public void Two_clients_do_not_meet_at_one_port()
    {
        Assert.That(Open(ServiceGate.Client, 5000), Is.EqualTo(5000));
        Assert.That(Open(Other, 5000), Is.Not.EqualTo(5000).And.InRange(First, Last));
    }

    [Test]
    public void What_is_over_keeps_its_port_for_its_client()
    {
        Open(ServiceGate.Client, 5000);
        End(ServiceGate.Client, 5000);
        Assert.That(Open(Other, 5000), Is.Not.EqualTo(5000), "the backend would refuse it for a while");
        Assert.That(Open(ServiceGate.Client, 5000), Is.EqualTo(5000));
    }

    [Test]
    public void Where_every_port_is_held_by_what_is_over_one_is_taken()
    {
        Hold(CtFlag.Rst);
        var port = Open(ServiceGate.Client, 40000);
        Assert.That(_node.Arrive(Packet.Tcp(ServiceGate.Far, 8080, ServiceGate.Node, port, Packet.Syn | Packet.Ack)).Text, Is.EqualTo($"{ServiceGate.Node}:{Port} > {ServiceGate.Client}:40000"));
    }

    [Test]
    public void Where_every_port_is_in_use_the_client_is_refused()
    {
        Hold(CtFlag.SeenReply);
        var passage = _node.Arrive(Packet.Tcp(ServiceGate.Client, 40000, ServiceGate.Node, Port));
        Assert.That((passage.Way, passage.Reason), Is.EqualTo((Way.Drop, Reason.NoPort)));
    }

    /// <summary>The port that the backend sees.</summary>
    private ushort Open(string client, ushort port)
    {
        var seen = Wire.Read(_node.Arrive(Packet.Tcp(client, port, ServiceGate.Node, Port)).Frame);
        Assert.That((seen.From, seen.To), Is.EqualTo((ServiceGate.Node, ServiceGate.Far)));
        return seen.FromPort;
    }

    private void End(string client, ushort port)
    {
        _node.Arrive(Packet.Tcp(client, port, ServiceGate.Node, Port, Packet.Fin | Packet.Ack));
        _node.Arrive(Packet.Tcp(ServiceGate.Far, 8080, ServiceGate.Node, port, Packet.Fin | Packet.Ack));
    }

    /// <summary>Every port toward the backend is another client's.</summary>
    private void Hold(CtFlag state)
    {
        var ports = Enumerable.Range(First, Last - First + 1).Select(p => Be16.FromHost((ushort)p)).ToArray();
        var entry = new NatEntry
        {
            ExpiresNs = ulong.MaxValue / 2,
            Saddr = Gate.AddrOf(ServiceGate.Node),
            SportBe = Be16.FromHost(Port),
            Daddr = Gate.AddrOf(Other),
            DportBe = Be16.FromHost(7),
            Flags = (byte)(NatFlag.Source | NatFlag.Reply),
            State = (byte)state,
        };
        _node.Brief.SetMany([.. ports.Select(p => new NatKey { Saddr = Gate.AddrOf(ServiceGate.Far), SportBe = Be16.FromHost(8080), Daddr = Gate.AddrOf(ServiceGate.Node), DportBe = p, Proto = Packet.ProtoTcp })],
            [.. ports.Select(_ => entry)], out var errno);
        Assert.That(errno, Is.Zero);
    }
}
