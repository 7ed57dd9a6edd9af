using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests;

/// <summary>Packets for services that come in by the node's devices, and what answers them. Checksums are checked wherever a frame is read.</summary>
internal sealed class NodePortTests
{
    private const ushort Port = 30080;

    private ServiceGate _node = null!;

    [SetUp]
    public void Load() => _node = new ServiceGate();

    [TearDown]
    public void Unload() => _node.Dispose();

    [TestCase(ServiceGate.Client, ServiceGate.Node, ServiceGate.Pod)]
    [TestCase(ServiceGate.Client6, ServiceGate.Node6, ServiceGate.Pod6)]
    public void A_pod_of_this_node_sees_the_client(string client, string node, string pod)
    {
        _node.Backends(0, pod);
        foreach (var packet in (Packet[])[Packet.Tcp(client, 5000, node, Port), Packet.Udp(client, 5000, node, Port)])
        {
            var passage = _node.Arrive(packet);
            Assert.That((passage.Way, passage.Reason), Is.EqualTo((Way.Redirect, Reason.Translated)));
            Assert.That(passage.Text, Is.EqualTo($"{client}:5000 > {pod}:8080"));
            Assert.That(Wire.Read(passage.Frame).Hops, Is.EqualTo(63));
        }
    }

    [TestCase(ServiceGate.Client, ServiceGate.Node, ServiceGate.Far)]
    [TestCase(ServiceGate.Client6, ServiceGate.Node6, ServiceGate.Far6)]
    public void Another_node_sees_this_one_and_its_answer_finds_back(string client, string node, string far)
    {
        _node.Backends(0, far);
        foreach (var tcp in (bool[])[true, false])
        {
            var to = _node.Arrive(tcp ? Packet.Tcp(client, 5000, node, Port) : Packet.Udp(client, 5000, node, Port));
            Assert.That((to.Way, to.Reason, to.Text), Is.EqualTo((Way.Redirect, Reason.Translated, $"{node}:5000 > {far}:8080")));
            var back = _node.Arrive(tcp ? Packet.Tcp(far, 8080, node, 5000, Packet.Syn | Packet.Ack) : Packet.Udp(far, 8080, node, 5000));
            Assert.That((back.Way, back.Reason, back.Text), Is.EqualTo((Way.Redirect, Reason.Reply, $"{node}:{Port} > {client}:5000")));
            Assert.That(_node.Arrive(tcp ? Packet.Tcp(client, 5000, node, Port, Packet.Ack) : Packet.Udp(client, 5000, node, Port)).Text, Is.EqualTo(to.Text));
        }
    }

    [Test]
    public void A_source_port_out_of_the_nodes_own_or_taken_becomes_another()
    {
        _node.Backends(0, ServiceGate.Far);
        foreach (var client in (string[])[ServiceGate.Client, "10.9.0.8"])
        {
            foreach (var port in (ushort[])[40000, 5000, 80])
            {
                var seen = Wire.Read(_node.Arrive(Packet.Tcp(client, port, ServiceGate.Node, Port)).Frame);
                Assert.That(seen.From, Is.EqualTo(ServiceGate.Node));
                Assert.That(seen.FromPort, Is.InRange(1024, 32767));
                Assert.That(_node.Arrive(Packet.Tcp(ServiceGate.Far, 8080, ServiceGate.Node, seen.FromPort, Packet.Syn | Packet.Ack)).Text, Is.EqualTo($"{ServiceGate.Node}:{Port} > {client}:{port}"));
            }
        }

        Assert.That(_node.Brief.ReadAll(), Has.Count.EqualTo(12));
    }

    [Test]
    public void One_pod_by_two_addresses_from_one_port_is_two_connections()
    {
        _node.Backends(0, ServiceGate.Pod);
        Assert.That(_node.Arrive(Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Node, Port)).Text, Is.EqualTo($"{ServiceGate.Client}:5000 > {ServiceGate.Pod}:8080"));
        var second = Wire.Read(_node.Arrive(Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Vip, 80)).Frame);
        Assert.That((second.From, second.To, second.FromPort), Is.Not.EqualTo((ServiceGate.Client, ServiceGate.Pod, (ushort)5000)));
        Assert.That(second.From, Is.EqualTo(ServiceGate.Client), "the address stays");
    }

    [TestCase(FrontendFlag.KeepSource)]
    [TestCase((FrontendFlag)0)]
    public void A_process_of_this_node_gets_it_by_the_stack_and_its_answer_leaves_as_the_services(FrontendFlag flags)
    {
        _node.Backends(flags, ServiceGate.Node);
        var to = _node.Arrive(Packet.Udp(ServiceGate.Client, 5000, ServiceGate.Vip, 80));
        Assert.That((to.Way, to.Reason, to.Text), Is.EqualTo((Way.Next, Reason.Translated, $"{ServiceGate.Client}:5000 > {ServiceGate.Node}:8080")));
        var back = _node.Leave(Packet.Udp(ServiceGate.Node, 8080, ServiceGate.Client, 5000));
        Assert.That((back.Way, back.Reason, back.Text), Is.EqualTo((Way.Next, Reason.Reply, $"{ServiceGate.Vip}:80 > {ServiceGate.Client}:5000")));
        Assert.That(_node.Leave(Packet.Udp(ServiceGate.Node, 8080, ServiceGate.Client, 5001)).Reason, Is.EqualTo(Reason.Count));
        Assert.That(_node.Leave(Packet.Udp(ServiceGate.Node, 8080, ServiceGate.Client, 5000), ingressIfindex: 1).Reason, Is.EqualTo(Reason.Count), "forwarded");
    }

    [TestCase(ServiceGate.Client, ServiceGate.Vip, 3, 3)]
    [TestCase(ServiceGate.Client6, ServiceGate.Vip6, 1, 4)]
    public void Without_a_backend_the_sender_of_a_datagram_is_told(string client, string vip, int type, int code)
    {
        _node.Backends(0);
        foreach (var packet in (Packet[])[Packet.Udp(client, 5000, vip, 80), Packet.Udp(client, 5000, vip, 80).WithOptions(40), Packet.Udp(client, 5000, vip, 80).WithPayload(1000)])
        {
            var passage = _node.Arrive(packet);
            Assert.That((passage.Way, passage.Reason), Is.EqualTo((Way.Redirect, Reason.NoBackend)));
            var told = Wire.Read(passage.Frame);
            Assert.That((told.From, told.To, told.IcmpType, told.IcmpCode), Is.EqualTo((vip, client, (byte)type, (byte)code)));
            Assert.That(told.Inner!.Text, Is.EqualTo($"{client}:5000 > {vip}:80"));
        }
    }

    // RFC 9293 3.5.2: a segment without ACK is acknowledged by all that it takes of the sequence space, one with ACK is believed.
    [TestCase(ServiceGate.Client, ServiceGate.Vip)]
    [TestCase(ServiceGate.Client6, ServiceGate.Vip6)]
    public void Without_a_backend_a_connection_is_reset(string client, string vip)
    {
        _node.Backends(0);
        const byte Answer = Packet.Rst | Packet.Ack;
        foreach (var (packet, flags, sequence, acknowledged) in ((Packet, byte, uint, uint)[])
        [
            (Segment(Packet.Syn), Answer, 0, 4_000_000_001),
            (Segment(Packet.Syn).WithPayload(700), Answer, 0, 4_000_000_701),
            (Segment(Packet.Syn).At(uint.MaxValue), Answer, 0, 0),
            (Segment(Packet.Syn).WithOptions(40), Answer, 0, 4_000_000_001),
            (Segment(Packet.Fin).WithPayload(9), Answer, 0, 4_000_000_010),
            (Segment(Packet.Ack).WithPayload(1300), Packet.Rst, 77, 0),
            (Segment(Packet.Fin | Packet.Ack).WithOptions(8), Packet.Rst, 77, 0),
        ])
        {
            var passage = _node.Arrive(packet);
            Assert.That((passage.Way, passage.Reason), Is.EqualTo((Way.Redirect, Reason.NoBackend)));
            var told = Wire.Read(passage.Frame);
            Assert.That((told.Text, told.Segment), Is.EqualTo(($"{vip}:80 > {client}:5000", (flags, sequence, acknowledged, 0))));
            Assert.That(passage.Frame, Has.Length.EqualTo(14 + (vip == ServiceGate.Vip ? 20 : 40) + 20));
        }

        Packet Segment(byte flags) => Packet.Tcp(client, 5000, vip, 80, flags).At(4_000_000_000, 77);
    }

    [Test]
    public void Padding_of_a_short_frame_is_no_part_of_what_a_reset_acknowledges()
    {
        _node.Backends(0);
        var told = Wire.Read(_node.Arrive([.. Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Vip, 80).At(10).Sealed().Bytes(), 0, 0, 0, 0, 0, 0]).Frame);
        Assert.That(told.Segment, Is.EqualTo(((byte)(Packet.Rst | Packet.Ack), 0u, 11u, 0)));
    }

    [Test]
    public void A_fragment_or_a_header_that_lies_is_not_answered()
    {
        _node.Backends(0);
        var lying = Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Vip, 80).Sealed().Bytes();
        lying[14 + 20 + 12] = 15 << 4;
        foreach (var passage in (Passage[])[_node.Arrive(Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Vip, 80).WithPayload(100).AsFragment(0, more: true)), _node.Arrive(lying)])
            Assert.That((passage.Way, passage.Reason), Is.EqualTo((Way.Drop, Reason.NoBackend)));
    }

    [Test]
    public void What_policy_and_ranges_keep_off_is_dropped_in_silence()
    {
        _node.Backends(FrontendFlag.DropOutside);
        Assert.That(_node.Arrive(Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Vip, 80)), Has.Property("Way").EqualTo(Way.Drop).And.Property("Reason").EqualTo(Reason.TrafficPolicy));
        _node.Backends(FrontendFlag.Ranges, ServiceGate.Far);
        Assert.That(_node.Arrive(Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Vip, 80)), Has.Property("Way").EqualTo(Way.Drop).And.Property("Reason").EqualTo(Reason.SourceRange));
        _node.SourceRange("10.9.0.0", 96 + 24);
        Assert.That(_node.Arrive(Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Vip, 80)).Reason, Is.EqualTo(Reason.Translated));
        Assert.That(_node.Arrive(Packet.Tcp("10.9.1.7", 5000, ServiceGate.Vip, 80)).Reason, Is.EqualTo(Reason.SourceRange));
    }

    [Test]
    public void Loopback_rows_and_what_is_no_service_are_left_alone()
    {
        _node.Backends(FrontendFlag.OnNode, ServiceGate.Far);
        foreach (var packet in (Packet[])[Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Vip, 80), Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Node, 22), Packet.Icmp(ServiceGate.Client, ServiceGate.Node, 8, id: 5), Packet.Sctp(ServiceGate.Client, 1, ServiceGate.Vip, 80), Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Vip, 80, Packet.Rst)])
            Assert.That(_node.Arrive(packet), Has.Property("Way").EqualTo(Way.Next).And.Property("Reason").EqualTo(Reason.Count));
        Assert.That(_node.Brief.ReadAll(), Is.Empty);
    }

    [TestCase(ServiceGate.Client, ServiceGate.Vip, ServiceGate.Pod, 40)]
    [TestCase(ServiceGate.Client6, ServiceGate.Vip6, ServiceGate.Pod6, 64)]
    public void Options_and_extension_headers_stay(string client, string vip, string pod, int bytes)
    {
        _node.Backends(0, pod);
        foreach (var packet in (Packet[])[Packet.Tcp(client, 5000, vip, 80).WithOptions(bytes), Packet.Udp(client, 5000, vip, 80).WithOptions(bytes).WithPayload(33)])
            Assert.That(_node.Arrive(packet).Text, Is.EqualTo($"{client}:5000 > {pod}:8080"));
    }

    [Test]
    public void A_checksum_left_out_stays_out()
    {
        _node.Backends(0, ServiceGate.Pod);
        var frame = _node.Arrive(Packet.Udp(ServiceGate.Client, 5000, ServiceGate.Vip, 80).SealedWithout()).Frame;
        Assert.That((frame[14 + 20 + 6], frame[14 + 20 + 7]), Is.EqualTo(((byte)0, (byte)0)));
        Assert.That(Wire.Read(frame).Text, Is.EqualTo($"{ServiceGate.Client}:5000 > {ServiceGate.Pod}:8080"));
    }

    [Test]
    public void A_tagged_frame_belongs_to_the_VLANs_own_device()
    {
        _node.Backends(0, ServiceGate.Far);
        Assert.That(_node.Arrive(Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Vip, 80).InVlans(1)).Way, Is.EqualTo(Way.Next));
    }

    [TestCase(34)]
    [TestCase(37)]
    [TestCase(47)]
    public void A_packet_cut_short_is_left_to_the_stack(int length)
    {
        _node.Backends(0, ServiceGate.Far);
        Assert.That(_node.Arrive(Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Vip, 80).Bytes()[..length]).Way, Is.EqualTo(Way.Next));
    }

    [TestCase(ServiceGate.Client, ServiceGate.Vip, ServiceGate.Far, ServiceGate.Node)]
    [TestCase(ServiceGate.Client6, ServiceGate.Vip6, ServiceGate.Far6, ServiceGate.Node6)]
    public void Later_fragments_follow_the_first(string client, string vip, string far, string node)
    {
        _node.Backends(0, far);
        Assert.That(_node.Arrive(Packet.Udp(client, 5000, vip, 80).AsFragment(48, more: false)).Way, Is.EqualTo(Way.Next), "before the first");
        Assert.That(_node.Arrive(Packet.Udp(client, 5000, vip, 80).AsFragment(0, more: true)).Text, Is.EqualTo($"{node}:5000 > {far}:8080"));
        var later = _node.Arrive(Packet.Udp(client, 1, vip, 2).AsFragment(48, more: false));
        Assert.That((later.Way, later.Text), Is.EqualTo((Way.Redirect, $"{node}:1 > {far}:2")), "its bytes are no ports, and stay");
        Assert.That(_node.Brief.ReadAll(), Has.Count.EqualTo(2));
    }

    [Test]
    public void What_is_too_long_for_the_way_is_told_of()
    {
        _node.Sh("ip link set out mtu 1400");
        _node.Backends(0, ServiceGate.Far, ServiceGate.Far);
        var long4 = _node.Arrive(Packet.Udp(ServiceGate.Client, 5000, ServiceGate.Vip, 80).WithPayload(1400).DontFragment());
        Assert.That((long4.Way, long4.Reason), Is.EqualTo((Way.Redirect, Reason.TooBig)));
        var told = Wire.Read(long4.Frame);
        Assert.That((told.From, told.To, told.IcmpType, told.IcmpCode, told.IcmpRest), Is.EqualTo((ServiceGate.Vip, ServiceGate.Client, (byte)3, (byte)4, 1400u)));
        Assert.That(told.Inner!.Text, Is.EqualTo($"{ServiceGate.Client}:5000 > {ServiceGate.Vip}:80"));
        _node.Backends(0, ServiceGate.Far6);
        told = Wire.Read(_node.Arrive(Packet.Udp(ServiceGate.Client6, 5000, ServiceGate.Vip6, 80).WithPayload(1400)).Frame);
        Assert.That((told.From, told.To, told.IcmpType, told.IcmpCode, told.IcmpRest), Is.EqualTo((ServiceGate.Vip6, ServiceGate.Client6, (byte)2, (byte)0, 1400u)));
    }

    [TestCase(ServiceGate.Client, ServiceGate.Vip, ServiceGate.Far, 11)]
    [TestCase(ServiceGate.Client6, ServiceGate.Vip6, ServiceGate.Far6, 3)]
    public void The_last_hop_is_told_of(string client, string vip, string far, int type)
    {
        _node.Backends(0, far);
        var passage = _node.Arrive(Packet.Tcp(client, 5000, vip, 80).WithHops(1));
        Assert.That((passage.Way, passage.Reason, Wire.Read(passage.Frame).IcmpType), Is.EqualTo((Way.Redirect, Reason.HopLimit, (byte)type)));
    }

    [TestCase(ServiceGate.Client, ServiceGate.Vip, ServiceGate.Far, ServiceGate.Node, "10.2.0.1")]
    [TestCase(ServiceGate.Client6, ServiceGate.Vip6, ServiceGate.Far6, ServiceGate.Node6, "fd02::1")]
    public void Errors_about_translated_packets_are_translated_both_ways(string client, string vip, string far, string node, string router)
    {
        _node.Backends(0, far);
        _node.Arrive(Packet.Tcp(client, 5000, vip, 80));
        var back = _node.Arrive(Packet.Error(router, node, Packet.Tcp(node, 5000, far, 8080).Sealed()));
        Assert.That((back.Way, back.Reason), Is.EqualTo((Way.Redirect, Reason.Reply)));
        var seen = Wire.Read(back.Frame);
        Assert.That((seen.From, seen.To, seen.Inner!.Text), Is.EqualTo((vip, client, $"{client}:5000 > {vip}:80")));
        var to = _node.Arrive(Packet.Error(router, vip, Packet.Tcp(vip, 80, client, 5000, Packet.Ack).Sealed()));
        seen = Wire.Read(to.Frame);
        Assert.That((to.Way, seen.From, seen.To, seen.Inner!.Text), Is.EqualTo((Way.Redirect, node, far, $"{far}:8080 > {node}:5000")));
        Assert.That(_node.Arrive(Packet.Error(router, node, Packet.Tcp(node, 5001, far, 8080).Sealed())).Reason, Is.EqualTo(Reason.Count), "about nothing of ours");
    }

    [Test]
    public void A_connection_keeps_its_backend_and_a_new_one_avoids_what_is_gone()
    {
        _node.Backends(0, ServiceGate.Far);
        _node.Arrive(Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Vip, 80));
        _node.Arrive(Packet.Tcp(ServiceGate.Far, 8080, ServiceGate.Node, 5000, Packet.Syn | Packet.Ack));
        _node.Arrive(Packet.Udp(ServiceGate.Client, 6000, ServiceGate.Vip, 80));
        _node.RemoveBackends();
        _node.Backends(0, "10.2.0.6");
        Assert.That(_node.Arrive(Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Vip, 80, Packet.Ack)).Text, Does.EndWith($"{ServiceGate.Far}:8080"));
        Assert.That(_node.Arrive(Packet.Tcp(ServiceGate.Client, 5001, ServiceGate.Vip, 80)).Text, Does.EndWith("10.2.0.6:8080"));
        Assert.That(_node.Arrive(Packet.Udp(ServiceGate.Client, 6000, ServiceGate.Vip, 80)).Text, Does.EndWith("10.2.0.6:8080"), "datagrams move");
    }

    [Test]
    public void Rows_live_as_long_as_the_connection()
    {
        _node.Backends(0, ServiceGate.Far);
        _node.Arrive(Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Vip, 80));
        var opening = Expiry();
        _node.Arrive(Packet.Tcp(ServiceGate.Far, 8080, ServiceGate.Node, 5000, Packet.Syn | Packet.Ack));
        var open = Expiry();
        _node.Arrive(Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Vip, 80, Packet.Fin | Packet.Ack));
        _node.Arrive(Packet.Tcp(ServiceGate.Far, 8080, ServiceGate.Node, 5000, Packet.Fin | Packet.Ack));
        var closing = Expiry();
        Assert.That((open - opening, closing - opening), Is.EqualTo((940.0, 0.0)).Within(10), "over: as long as in Linux's TIME_WAIT at the backend");
        Assert.That(_node.Arrive(Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Vip, 80)).Reason, Is.EqualTo(Reason.Translated), "a new one after it");
        Assert.That(_node.Brief.ReadAll().Values.Select(e => e.State), Has.All.Zero);
    }

    [Test]
    public void Affinity_is_kept_by_the_clients_address()
    {
        _node.Backends(FrontendFlag.Affinity, ServiceGate.Far, "10.2.0.6", "10.2.0.7");
        var backends = Enumerable.Range(5000, 30).Select(p => Wire.Read(_node.Arrive(Packet.Udp(ServiceGate.Client, (ushort)p, ServiceGate.Vip, 80)).Frame).To).Distinct();
        Assert.That(backends.Count(), Is.EqualTo(1));
    }

    [Test]
    public void Maglev_takes_the_slot_by_the_tuple_and_spreads()
    {
        string[] backends = [ServiceGate.Far, "10.2.0.6", "10.2.0.7", "10.2.0.8"];
        _node.Backends(FrontendFlag.Maglev, backends);
        string[] Chosen() => [.. Enumerable.Range(2000, 200).Select(p => Wire.Read(_node.Arrive(Packet.Tcp(ServiceGate.Client, (ushort)p, ServiceGate.Vip, 80)).Frame).To)];
        var first = Chosen();
        foreach (var key in _node.Brief.ReadAll().Keys)
            _node.Brief.Remove(key);
        Assert.That(Chosen(), Is.EqualTo(first), "as any other node would");
        Assert.That(first.GroupBy(b => b).Select(g => g.Count()), Has.All.InRange(25, 80).And.Exactly(4).Items);
    }

    private double Expiry() => _node.Brief.ReadAll().Values.Select(e => e.ExpiresNs).Distinct().Single() / 1e9;
}
