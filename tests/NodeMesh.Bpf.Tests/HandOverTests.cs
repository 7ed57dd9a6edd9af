using System.Net;
using System.Net.Sockets;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests;

/// <summary>
/// The ways to and from the proxy, with real sockets on loopback for the lookups. A test run is not at the real hook, so assigning a listener answers
/// EOPNOTSUPP there: HelperFailed stands for "would have been assigned"; that it works is shown in a node in a box.
/// </summary>
internal sealed class HandOverTests
{
    private const string Client = "127.0.1.1", Backend = "127.0.1.2", Service = "127.0.1.3";

    private readonly List<Socket> _sockets = [];
    private Gate _gate = null!;

    [SetUp]
    public void Load()
    {
        _gate = new Gate();
        _gate.Endpoint(Gate.PodIfindex, Gate.PodIdentity, Gate.PodSet, Client);
        foreach (var address in (string[])[Backend, Service])
            _gate.Identity(address, Gate.PeerIdentity);
    }

    [TearDown]
    public void Unload()
    {
        foreach (var socket in _sockets)
            socket.Dispose();
        _sockets.Clear();
        _gate.Dispose();
    }

    [Test]
    public void Without_a_listener_what_needs_the_proxy_is_dropped()
    {
        _gate.Frontend("10.96.0.1", Packet.ProtoTcp, 80, FrontendFlag.L7);
        _gate.Rule(Direction.Egress, Packet.ProtoTcp, 81, Verdict.Redirect);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, "10.96.0.1", 80)).Reason, Is.EqualTo(Reason.NoProxy));
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 81)), Is.EqualTo(new Outcome(false, Mark.None, Reason.NoProxy, 0)));
        Assert.That(_gate.Connections.ReadAll(), Is.Empty);
    }

    [Test]
    public void The_listener_is_found_on_loopback()
    {
        Listen("127.0.0.1", BpfFiles.ProxyPort);
        _gate.Frontend("10.96.0.1", Packet.ProtoTcp, 80, FrontendFlag.L7);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, "10.96.0.1", 80)).Reason, Is.EqualTo(Reason.HelperFailed));
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, "10.96.0.1", 80, Packet.Ack)).Reason, Is.EqualTo(Reason.HelperFailed), "a SYN cookie's answer");
    }

    [Test]
    public void A_pods_ingress_that_wants_the_proxy_is_seen_at_its_client()
    {
        _gate.Endpoint(Gate.OtherIfindex, Gate.PeerIdentity, Gate.OtherSet, Gate.Peer);
        _gate.Rule(Direction.Egress, Packet.ProtoTcp, 80, Verdict.Allow);
        _gate.Rule(Direction.Ingress, Packet.ProtoTcp, 80, Verdict.Redirect, Gate.OtherSet, Gate.PodIdentity);
        Assert.That(_gate.Out(Packet.Tcp(Gate.Pod, 4000, Gate.Peer, 80)).Reason, Is.EqualTo(Reason.NoProxy));
    }

    [TestCase(Packet.Syn)]
    [TestCase(Packet.Ack)]
    public void An_open_socket_is_found_before_the_listener_and_needs_the_mark_only(byte flags)
    {
        var port = Connect(Service, 15080, Client);
        _gate.Frontend(Service, Packet.ProtoTcp, 15080, FrontendFlag.L7);
        var outcome = _gate.Out(Packet.Tcp(Client, port, Service, 15080, flags));
        Assert.That(outcome, Is.EqualTo(new Outcome(true, Mark.Deliver, Reason.HandedOver, 1 << BpfFiles.MarkShift)));
        Assert.That(_gate.OnlyConnection().Flags & (byte)CtFlag.HandedOver, Is.Not.Zero);
    }

    [Test]
    public void The_other_bits_of_the_mark_stay()
    {
        var port = Connect(Service, 15080, Client);
        _gate.Frontend(Service, Packet.ProtoTcp, 15080, FrontendFlag.L7);
        var outcome = _gate.Run("nm_pod_ingress", Packet.Tcp(Client, port, Service, 15080, Packet.Ack).Bytes(), 0xdead00ff, 0);
        Assert.That(outcome.RawMark, Is.EqualTo(0xdead00ff & ~0x300u | 0x100));
    }

    [Test]
    public void A_listener_of_somebody_else_is_not_the_proxys_connection()
    {
        Listen("0.0.0.0", 15081);
        _gate.Frontend(Service, Packet.ProtoTcp, 15081, FrontendFlag.L7);
        Assert.That(_gate.Out(Packet.Tcp(Client, 4000, Service, 15081)).Reason, Is.EqualTo(Reason.NoProxy));
    }

    [Test]
    public void A_connection_in_the_proxy_stays_there_until_it_is_denied()
    {
        var port = Connect(Service, 15080, Client);
        _gate.Rule(Direction.Egress, Packet.ProtoTcp, 15080, Verdict.Redirect);
        Assert.That(_gate.Out(Packet.Tcp(Client, port, Service, 15080, Packet.Ack)).Reason, Is.EqualTo(Reason.HandedOver));
        _gate.Rule(Direction.Egress, Packet.ProtoTcp, 15080, Verdict.Allow);
        _gate.Epoch(2);
        Assert.That(_gate.Out(Packet.Tcp(Client, port, Service, 15080, Packet.Ack)).Reason, Is.EqualTo(Reason.HandedOver));
        _gate.Rule(Direction.Egress, Packet.ProtoTcp, 15080, Verdict.Deny);
        _gate.Epoch(3);
        Assert.That(_gate.Out(Packet.Tcp(Client, port, Service, 15080, Packet.Ack)).Reason, Is.EqualTo(Reason.PolicyDenied));
        Assert.That(_gate.Out(Packet.Tcp(Client, port, Service, 15080, Packet.Ack)).Reason, Is.EqualTo(Reason.PolicyDenied), "the socket alone opens nothing");
    }

    [Test]
    public void An_evicted_connection_of_the_proxy_is_recognised_by_its_socket()
    {
        var port = Connect(Service, 15080, Client);
        _gate.Rule(Direction.Egress, Packet.ProtoTcp, 15080, Verdict.Allow);
        Assert.That(_gate.Out(Packet.Tcp(Client, port, Service, 15080, Packet.Ack)).Reason, Is.EqualTo(Reason.HandedOver));
    }

    [Test]
    public void The_proxy_opens_where_the_pods_ingress_wants_it_and_nobody_else_does()
    {
        _gate.Rule(Direction.Ingress, Packet.ProtoTcp, 80, Verdict.Redirect);
        Assert.That(_gate.In(Packet.Tcp(Gate.Peer, 4000, Gate.Pod, 80)).Reason, Is.EqualTo(Reason.L7Required));
        Assert.That(_gate.In(Packet.Tcp(Gate.Peer, 4000, Gate.Pod, 80), mark: Mark.Upstream).Reason, Is.EqualTo(Reason.L7Required), "a forwarded packet's mark");
        Assert.That(_gate.InFromNode(Packet.Tcp(Gate.Peer, 61000, Gate.Pod, 80), Mark.Upstream).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(_gate.OnlyConnection().Origin, Is.EqualTo((byte)CtOrigin.Proxy));
    }

    [Test]
    public void The_proxy_is_bound_by_L4_policy_of_the_client_it_speaks_for()
    {
        _gate.Rule(Direction.Ingress, Packet.ProtoTcp, 80, Verdict.Deny);
        Assert.That(_gate.InFromNode(Packet.Tcp(Gate.Peer, 61000, Gate.Pod, 80), Mark.Upstream).Reason, Is.EqualTo(Reason.PolicyDenied));
        _gate.Identity("10.0.0.254", (uint)IdentityId.Host);
        Assert.That(_gate.InFromNode(Packet.Tcp("10.0.0.254", 61000, Gate.Pod, 80), Mark.Upstream).Reason, Is.EqualTo(Reason.Forwarded), "hairpin: the node's address");
    }

    [Test]
    public void A_pod_never_rides_on_the_proxys_connection_nor_the_proxy_on_a_pods()
    {
        _gate.Rule(Direction.Ingress, Packet.ProtoTcp, 80, Verdict.Allow);
        _gate.InFromNode(Packet.Tcp(Gate.Peer, 61000, Gate.Pod, 80), Mark.Upstream);
        Assert.That(_gate.In(Packet.Tcp(Gate.Peer, 61000, Gate.Pod, 80, Packet.Ack)).Reason, Is.EqualTo(Reason.WrongOrigin));
        Assert.That(_gate.In(Packet.Tcp(Gate.Peer, 61000, Gate.Pod, 80)).Reason, Is.EqualTo(Reason.WrongOrigin));
        _gate.In(Packet.Tcp(Gate.Peer, 4000, Gate.Pod, 80));
        Assert.That(_gate.InFromNode(Packet.Tcp(Gate.Peer, 4000, Gate.Pod, 80, Packet.Ack), Mark.Upstream).Reason, Is.EqualTo(Reason.WrongOrigin));
    }

    [Test]
    public void Nobody_but_the_proxy_answers_what_was_handed_over()
    {
        var port = Connect(Service, 15080, Client);
        _gate.Frontend(Service, Packet.ProtoTcp, 15080, FrontendFlag.L7);
        _gate.Out(Packet.Tcp(Client, port, Service, 15080, Packet.Ack));
        Assert.That(_gate.In(Packet.Tcp(Service, 15080, Client, port, Packet.Ack)).Reason, Is.EqualTo(Reason.WrongOrigin));
        Assert.That(_gate.InFromNode(Packet.Tcp(Service, 15080, Client, port, Packet.Ack), Mark.Downstream).Reason, Is.EqualTo(Reason.Reply));
        Assert.That(_gate.OnlyConnection().Flags & (byte)CtFlag.SeenReply, Is.Not.Zero);
    }

    [Test]
    public void A_backends_answer_finds_the_proxys_socket_or_is_dropped()
    {
        // The pod is the backend here, and the proxy dials it from its reserved range with the client's address.
        _gate.Rule(Direction.Ingress, Packet.ProtoTcp, 15082, Verdict.Redirect);
        _gate.Identity(Client, Gate.PeerIdentity);
        _gate.Endpoint(Gate.PodIfindex, Gate.PodIdentity, Gate.PodSet, Backend);
        Connect(Backend, 15082, Client, 61999);
        _gate.InFromNode(Packet.Tcp(Client, 61999, Backend, 15082), Mark.Upstream);
        Assert.That(_gate.Out(Packet.Tcp(Backend, 15082, Client, 61999, Packet.Ack)), Is.EqualTo(new Outcome(true, Mark.Deliver, Reason.HandedOver, 1 << BpfFiles.MarkShift)));
        _gate.Connections.Remove(_gate.Connections.ReadAll().Keys.Single());
        Assert.That(_gate.Out(Packet.Tcp(Backend, 15082, Client, 61999, Packet.Ack)).Mark, Is.EqualTo(Mark.Deliver), "its entry was evicted");
        Assert.That(_gate.OnlyConnection().Origin, Is.EqualTo((byte)CtOrigin.Proxy));

        _gate.InFromNode(Packet.Tcp(Client, 61998, Backend, 15082), Mark.Upstream);
        Assert.That(_gate.Out(Packet.Tcp(Backend, 15082, Client, 61998, Packet.Ack)).Reason, Is.EqualTo(Reason.NoSocket));
    }

    [Test]
    public void An_ICMP_error_about_the_proxys_packet_is_delivered_to_it()
    {
        _gate.Endpoint(Gate.PodIfindex, Gate.PodIdentity, Gate.PodSet, Backend);
        Connect(Backend, 15082, Client, 61997);
        var about = Packet.Tcp(Client, 61997, Backend, 15082, Packet.Ack);
        Assert.That(_gate.Out(Packet.Error(Backend, Client, about)).Mark, Is.EqualTo(Mark.Deliver));
        Assert.That(_gate.Out(Packet.Error(Backend, Gate.Peer, Packet.Tcp(Gate.Peer, 61996, Backend, 15082))).Reason, Is.EqualTo(Reason.DefaultDeny));
    }

    [Test]
    public void The_nodes_device_brings_answers_and_errors_to_the_proxy_and_leaves_the_rest()
    {
        using var node = new Gate("node");
        node.Endpoint(Gate.PodIfindex, Gate.PodIdentity, Gate.PodSet, Client);
        Connect(Backend, 15083, Client, 61995);
        Assert.That(node.AtNode(Packet.Tcp(Backend, 15083, Client, 61995, Packet.Ack)).Mark, Is.EqualTo(Mark.Deliver));
        Assert.That(node.AtNode(Packet.Error("192.0.2.1", Client, Packet.Tcp(Client, 61995, Backend, 15083))).Mark, Is.EqualTo(Mark.Deliver));
        Assert.That(node.AtNode(Packet.Tcp(Backend, 15083, Client, 61994, Packet.Ack)), Is.EqualTo(new Outcome(true, Mark.None, Reason.Count, 0)));
        Assert.That(node.AtNode(Packet.Tcp(Backend, 15083, "192.0.2.9", 22)), Is.EqualTo(new Outcome(true, Mark.None, Reason.Count, 0)));
        Assert.That(node.AtNode(Packet.Udp(Backend, 15083, Client, 53)), Is.EqualTo(new Outcome(true, Mark.None, Reason.Count, 0)));
    }

    [Test]
    public void The_nodes_device_hands_over_what_a_pods_ingress_wants_in_the_proxy()
    {
        using var node = new Gate("node");
        node.Rule(Direction.Ingress, Packet.ProtoTcp, 80, Verdict.Redirect);
        Assert.That(node.AtNode(Packet.Tcp(Gate.Peer, 4000, Gate.Pod, 80)).Reason, Is.EqualTo(Reason.NoProxy));
        Assert.That(node.AtNode(Packet.Tcp(Gate.Peer, 4000, Gate.Pod, 81)).Reason, Is.EqualTo(Reason.Count), "denied or not, the pod's gate says it");
        Listen("127.0.0.1", BpfFiles.ProxyPort);
        Assert.That(node.AtNode(Packet.Tcp(Gate.Peer, 4000, Gate.Pod, 80)).Reason, Is.EqualTo(Reason.HelperFailed));
    }

    private Socket Listen(string address, int port)
    {
        var socket = Track(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(new IPEndPoint(IPAddress.Parse(address), port));
        socket.Listen();
        return socket;
    }

    /// <summary>An open connection; the port of its client end.</summary>
    private ushort Connect(string server, int serverPort, string client, int clientPort = 0)
    {
        var listener = Listen(server, serverPort);
        var socket = Track(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(new IPEndPoint(IPAddress.Parse(client), clientPort));
        socket.LingerState = new LingerOption(true, 0); // no TIME_WAIT that the next test would find
        socket.Connect(server, serverPort);
        Track(listener.Accept()).LingerState = new LingerOption(true, 0);
        return (ushort)((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private Socket Track(Socket socket)
    {
        _sockets.Add(socket);
        return socket;
    }
}
