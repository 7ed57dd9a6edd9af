using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests;

/// <summary>What a process of the node sends to a service past the socket hooks: it leaves by the device that has the route, and is turned there.</summary>
internal sealed class OwnTests
{
    private ServiceGate _node = null!;

    [SetUp]
    public void Load() => _node = new ServiceGate();

    [TearDown]
    public void Unload() => _node.Dispose();

    [TestCase(ServiceGate.Node, ServiceGate.Vip, ServiceGate.Pod)]
    [TestCase(ServiceGate.Node6, ServiceGate.Vip6, ServiceGate.Pod6)]
    public void A_pod_of_this_node_sees_the_node(string node, string vip, string pod)
    {
        _node.Backends(FrontendFlag.L7, pod);
        foreach (var packet in (Packet[])[Packet.Tcp(node, 5000, vip, 80), Packet.Tcp(node, 5000, vip, 80, Packet.Ack).WithHops(1), Packet.Udp(node, 5000, vip, 80)])
        {
            var hops = Wire.Read(packet.Sealed().Bytes()).Hops;
            var to = _node.Leave(packet);
            Assert.That((to.Way, to.Reason, to.Text), Is.EqualTo((Way.Redirect, Reason.Translated, $"{node}:5000 > {pod}:8080")));
            Assert.That(Wire.Read(to.Frame).Hops, Is.EqualTo(hops), "the node is no hop on its own way");
        }
    }

    [TestCase(ServiceGate.Node, ServiceGate.Vip, ServiceGate.Far)]
    [TestCase(ServiceGate.Node6, ServiceGate.Vip6, ServiceGate.Far6)]
    public void The_answer_of_another_node_comes_from_the_service(string node, string vip, string far)
    {
        _node.Backends(0, far);
        foreach (var tcp in (bool[])[true, false])
        {
            for (var i = 0; i < 2; i++)
            {
                var to = _node.Leave(tcp ? Packet.Tcp(node, 5000, vip, 80, i == 0 ? Packet.Syn : Packet.Ack) : Packet.Udp(node, 5000, vip, 80));
                Assert.That((to.Way, to.Reason, to.Text), Is.EqualTo((Way.Redirect, Reason.Translated, $"{node}:5000 > {far}:8080")));
                var back = _node.Arrive(tcp ? Packet.Tcp(far, 8080, node, 5000, i == 0 ? (byte)(Packet.Syn | Packet.Ack) : Packet.Ack) : Packet.Udp(far, 8080, node, 5000));
                Assert.That((back.Way, back.Reason, back.Text), Is.EqualTo((Way.Next, Reason.Reply, $"{vip}:80 > {node}:5000")));
            }
        }
    }

    [Test]
    public void A_port_that_sockets_take_by_themselves_becomes_one_that_they_do_not()
    {
        _node.Backends(0, ServiceGate.Far);
        var first = Wire.Read(_node.Leave(Packet.Tcp(ServiceGate.Node, 40000, ServiceGate.Vip, 80)).Frame);
        Assert.That((first.From, first.To), Is.EqualTo((ServiceGate.Node, ServiceGate.Far)));
        Assert.That(first.FromPort, Is.InRange(1024, 32767), "a socket may talk to the backend itself from 40000");
        Assert.That(_node.Arrive(Packet.Tcp(ServiceGate.Far, 8080, ServiceGate.Node, 40000, Packet.Syn | Packet.Ack)).Reason, Is.EqualTo(Reason.Count));
        Assert.That(_node.Arrive(Packet.Tcp(ServiceGate.Far, 8080, ServiceGate.Node, first.FromPort, Packet.Syn | Packet.Ack)).Text, Is.EqualTo($"{ServiceGate.Vip}:80 > {ServiceGate.Node}:40000"));
    }

    [TestCase("10.3.0.1", ServiceGate.Node, ServiceGate.Vip, ServiceGate.Far)]
    [TestCase("fd03::1", ServiceGate.Node6, ServiceGate.Vip6, ServiceGate.Far6)]
    public void By_another_device_it_has_that_device_s_address_and_the_answer_comes_in_by_the_first(string second, string node, string vip, string far)
    {
        var ifindex = _node.SecondDevice("10.3.0.1", "fd03::1");
        _node.KnowRouters();
        _node.Backends(0, far);
        Assert.That(_node.Leave(Packet.Tcp(node, 5000, vip, 80)).Text, Is.EqualTo($"{second}:5000 > {far}:8080"));
        var back = _node.Run("nm_node_ingress", Packet.Tcp(far, 8080, second, 5000, Packet.Syn | Packet.Ack).Sealed().Bytes(), ifindex, 0);
        Assert.That((back.Way, back.Reason, back.Text), Is.EqualTo((Way.Redirect, Reason.Reply, $"{vip}:80 > {node}:5000")), "reverse paths may be checked");
        Assert.That(back.Frame[..6], Is.EqualTo(_node.LinkAddress("out")));
    }

    [TestCase(ServiceGate.Node, ServiceGate.Vip)]
    [TestCase(ServiceGate.Node6, ServiceGate.Vip6)]
    public void A_process_of_the_node_as_the_backend_sees_the_service_as_its_client(string node, string vip)
    {
        _node.Backends(0, node);
        foreach (var tcp in (bool[])[true, false])
        {
            var frame = (tcp ? Packet.Tcp(node, 40000, vip, 80) : Packet.Udp(node, 40000, vip, 80)).Sealed().Bytes();
            (frame[0], frame[6]) = (0xee, 0x22);
            var to = _node.Run("nm_node_egress", frame, _node.OutIfindex, 0);
            Assert.That((to.Way, to.Reason, to.Text), Is.EqualTo((Way.Redirect, Reason.Translated, $"{vip}:40000 > {node}:8080")));
            Assert.That((to.Frame[0], to.Frame[6]), Is.EqualTo(((byte)0x22, (byte)0xee)), "back to where it came from");
            var back = _node.Leave(tcp ? Packet.Tcp(node, 8080, vip, 40000, Packet.Syn | Packet.Ack) : Packet.Udp(node, 8080, vip, 40000));
            Assert.That((back.Way, back.Reason, back.Text), Is.EqualTo((Way.Redirect, Reason.Reply, $"{vip}:80 > {node}:40000")));
        }
    }

    [TestCase(ServiceGate.Node, ServiceGate.Vip, 3, 3)]
    [TestCase(ServiceGate.Node6, ServiceGate.Vip6, 1, 4)]
    public void Without_a_backend_the_process_is_told(string node, string vip, int type, int code)
    {
        _node.Backends(0);
        var reset = _node.Leave(Packet.Tcp(node, 40000, vip, 80).At(10));
        Assert.That((reset.Way, reset.Reason, reset.Text), Is.EqualTo((Way.Redirect, Reason.NoBackend, $"{vip}:80 > {node}:40000")));
        Assert.That(Wire.Read(reset.Frame).Segment, Is.EqualTo(((byte)(Packet.Rst | Packet.Ack), 0u, 11u, 0)));
        var told = Wire.Read(_node.Leave(Packet.Udp(node, 40000, vip, 80)).Frame);
        Assert.That((told.From, told.To, told.IcmpType, told.IcmpCode), Is.EqualTo((vip, node, (byte)type, (byte)code)));
    }

    [Test]
    public void What_the_traffic_policy_keeps_off_is_dropped_and_source_ranges_are_not_asked()
    {
        _node.Backends(FrontendFlag.DropInside | FrontendFlag.Ranges);
        Assert.That(_node.Leave(Packet.Tcp(ServiceGate.Node, 5000, ServiceGate.Vip, 80)), Has.Property("Way").EqualTo(Way.Drop).And.Property("Reason").EqualTo(Reason.TrafficPolicy));
        _node.Backends(FrontendFlag.DropOutside | FrontendFlag.Ranges, ServiceGate.Far);
        Assert.That(_node.Leave(Packet.Tcp(ServiceGate.Node, 5000, ServiceGate.Vip, 80)).Reason, Is.EqualTo(Reason.Translated));
    }

    [Test]
    public void A_way_that_is_not_there_drops()
    {
        _node.Sh("ip route add unreachable 10.2.0.0/16");
        _node.Backends(0, ServiceGate.Far);
        Assert.That(_node.Leave(Packet.Tcp(ServiceGate.Node, 5000, ServiceGate.Vip, 80)), Has.Property("Way").EqualTo(Way.Drop).And.Property("Reason").EqualTo(Reason.NoRoute));
    }

    [Test]
    public void What_is_no_service_s_or_not_the_node_s_own_is_left_alone()
    {
        _node.Backends(0, ServiceGate.Far);
        foreach (var packet in (Packet[])[Packet.Tcp(ServiceGate.Node, 5000, ServiceGate.Far, 80), Packet.Icmp(ServiceGate.Node, ServiceGate.Vip, 8, id: 5), Packet.Sctp(ServiceGate.Node, 1, ServiceGate.Vip, 80), Packet.Tcp(ServiceGate.Node, 5000, ServiceGate.Vip, 80, Packet.Rst), Packet.Tcp(ServiceGate.Node, 5000, ServiceGate.Vip, 80).InVlans(1)])
            Assert.That(_node.Leave(packet), Has.Property("Way").EqualTo(Way.Next).And.Property("Reason").EqualTo(Reason.Count));
        Assert.That(_node.Leave(Packet.Tcp(ServiceGate.Node, 5000, ServiceGate.Vip, 80), ingressIfindex: 1).Reason, Is.EqualTo(Reason.Count), "forwarded");
        Assert.That(_node.Tcp.ReadAll(), Is.Empty);
    }

    [TestCase(ServiceGate.Node, ServiceGate.Vip, ServiceGate.Far)]
    [TestCase(ServiceGate.Node6, ServiceGate.Vip6, ServiceGate.Far6)]
    public void Fragments_follow_their_first_both_ways(string node, string vip, string far)
    {
        _node.Backends(0, far);
        Assert.That(_node.Leave(Packet.Udp(node, 5000, vip, 80).AsFragment(0, more: true)).Text, Is.EqualTo($"{node}:5000 > {far}:8080"));
        var later = _node.Leave(Packet.Udp(node, 1, vip, 2).AsFragment(48, more: false));
        Assert.That((later.Way, later.Text), Is.EqualTo((Way.Redirect, $"{node}:1 > {far}:2")));
        Assert.That(_node.Arrive(Packet.Udp(far, 8080, node, 5000).AsFragment(0, more: true)).Text, Is.EqualTo($"{vip}:80 > {node}:5000"));
        later = _node.Arrive(Packet.Udp(far, 1, node, 2).AsFragment(48, more: false));
        Assert.That((later.Way, later.Text), Is.EqualTo((Way.Next, $"{vip}:1 > {node}:2")));
    }

    [TestCase(ServiceGate.Node, ServiceGate.Vip, ServiceGate.Far, "10.2.0.1")]
    [TestCase(ServiceGate.Node6, ServiceGate.Vip6, ServiceGate.Far6, "fd02::1")]
    public void Errors_are_translated_both_ways(string node, string vip, string far, string router)
    {
        _node.Backends(0, far);
        _node.Leave(Packet.Udp(node, 5000, vip, 80));
        var back = _node.Arrive(Packet.Error(router, node, Packet.Udp(node, 5000, far, 8080).Sealed()));
        var seen = Wire.Read(back.Frame);
        Assert.That((back.Way, seen.From, seen.To, seen.Inner!.Text), Is.EqualTo((Way.Next, vip, node, $"{node}:5000 > {vip}:80")));
        var to = _node.Leave(Packet.Error(node, vip, Packet.Udp(vip, 80, node, 5000).Sealed()));
        seen = Wire.Read(to.Frame);
        Assert.That((to.Way, seen.From, seen.To, seen.Inner!.Text), Is.EqualTo((Way.Redirect, node, far, $"{far}:8080 > {node}:5000")));
    }

    [Test]
    public void What_is_too_long_for_the_way_is_told_of()
    {
        _node.SecondDevice("10.3.0.1", "fd03::1");
        _node.Sh("ip link set out2 mtu 1400");
        _node.Backends(0, ServiceGate.Far);
        var passage = _node.Leave(Packet.Udp(ServiceGate.Node, 5000, ServiceGate.Vip, 80).WithPayload(1400).DontFragment());
        var told = Wire.Read(passage.Frame);
        Assert.That((passage.Way, passage.Reason), Is.EqualTo((Way.Redirect, Reason.TooBig)));
        Assert.That((told.From, told.To, told.IcmpType, told.IcmpCode, told.IcmpRest), Is.EqualTo((ServiceGate.Vip, ServiceGate.Node, (byte)3, (byte)4, 1400u)));
    }
}
