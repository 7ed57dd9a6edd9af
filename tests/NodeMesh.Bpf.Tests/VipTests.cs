using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests;

/// <summary>Service addresses at a pod's interface: what the socket hooks did not see, and answers to clients outside.</summary>
internal sealed class VipTests
{
    private const uint Elsewhere = 1;

    private ServiceGate _gate = null!;

    [SetUp]
    public void Load() => _gate = new ServiceGate("endpoint");

    [TearDown]
    public void Unload() => _gate.Dispose();

    [TestCase(ServiceGate.Pod, ServiceGate.Vip, ServiceGate.Far)]
    [TestCase(ServiceGate.Pod6, ServiceGate.Vip6, ServiceGate.Far6)]
    public void A_service_address_becomes_the_backends_and_its_answers_the_services(string pod, string vip, string far)
    {
        _gate.Backends(0, far);
        foreach (var tcp in (bool[])[true, false])
        {
            for (var i = 0; i < 3; i++)
            {
                var to = _gate.FromPod(tcp ? Packet.Tcp(pod, 4000, vip, 80, i == 0 ? Packet.Syn : Packet.Ack) : Packet.Udp(pod, 4000, vip, 80));
                Assert.That((to.Way, to.Reason, to.Text), Is.EqualTo((Way.Next, Reason.Forwarded, $"{pod}:4000 > {far}:8080")));
                var back = _gate.ToPod(tcp ? Packet.Tcp(far, 8080, pod, 4000, i == 0 ? (byte)(Packet.Syn | Packet.Ack) : Packet.Ack) : Packet.Udp(far, 8080, pod, 4000), Elsewhere);
                Assert.That((back.Way, back.Reason, back.Text), Is.EqualTo((Way.Next, Reason.Reply, $"{vip}:80 > {pod}:4000")));
            }
        }
    }

    [Test]
    public void Policy_judges_the_backend()
    {
        _gate.Backends(0, ServiceGate.Far);
        _gate.Rule(Direction.Egress, ServiceGate.Far, Packet.ProtoTcp, 8080, Verdict.Allow);
        Assert.That(_gate.FromPod(Packet.Tcp(ServiceGate.Pod, 4000, ServiceGate.Vip, 80)).Reason, Is.EqualTo(Reason.Forwarded));
        Assert.That(_gate.ToPod(Packet.Tcp(ServiceGate.Far, 8080, ServiceGate.Pod, 4000, Packet.Syn | Packet.Ack), Elsewhere).Text, Is.EqualTo($"{ServiceGate.Vip}:80 > {ServiceGate.Pod}:4000"));
        _gate.Rule(Direction.Egress, ServiceGate.Far, Packet.ProtoTcp, 8080, Verdict.DefaultDeny);
        Assert.That(_gate.FromPod(Packet.Tcp(ServiceGate.Pod, 4001, ServiceGate.Vip, 80)), Has.Property("Way").EqualTo(Way.Drop).And.Property("Reason").EqualTo(Reason.DefaultDeny));
    }

    [Test]
    public void A_new_policy_cuts_a_connection_to_a_service()
    {
        _gate.Backends(0, ServiceGate.Far);
        _gate.Rule(Direction.Egress, ServiceGate.Far, Packet.ProtoUdp, 8080, Verdict.Allow);
        Assert.That(_gate.FromPod(Packet.Udp(ServiceGate.Pod, 4000, ServiceGate.Vip, 80)).Reason, Is.EqualTo(Reason.Forwarded));
        _gate.Rule(Direction.Egress, ServiceGate.Far, Packet.ProtoUdp, 8080, Verdict.Deny);
        _gate.Epoch(2);
        Assert.That(_gate.ToPod(Packet.Udp(ServiceGate.Far, 8080, ServiceGate.Pod, 4000), Elsewhere).Reason, Is.EqualTo(Reason.PolicyDenied));
        Assert.That(_gate.FromPod(Packet.Udp(ServiceGate.Pod, 4000, ServiceGate.Vip, 80)).Reason, Is.EqualTo(Reason.PolicyDenied));
    }

    [Test]
    public void A_connection_for_the_proxy_is_left_to_it()
    {
        _gate.Backends(FrontendFlag.L7, ServiceGate.Far);
        Assert.That(_gate.FromPod(Packet.Tcp(ServiceGate.Pod, 4000, ServiceGate.Vip, 80)).Reason, Is.EqualTo(Reason.NoProxy));
        Assert.That(_gate.FromPod(Packet.Udp(ServiceGate.Pod, 4000, ServiceGate.Vip, 80)).Reason, Is.EqualTo(Reason.Forwarded), "datagrams are not");
    }

    [TestCase(ServiceGate.Pod, ServiceGate.Vip)]
    [TestCase(ServiceGate.Pod6, ServiceGate.Vip6)]
    public void A_pod_reaches_itself_as_the_service(string pod, string vip)
    {
        _gate.Backends(0, pod);
        var to = _gate.FromPod(Packet.Tcp(pod, 4000, vip, 80));
        Assert.That((to.Way, to.Reason, to.Text), Is.EqualTo((Way.Redirect, Reason.Translated, $"{vip}:4000 > {pod}:8080")));
        var back = _gate.FromPod(Packet.Tcp(pod, 8080, vip, 4000, Packet.Syn | Packet.Ack));
        Assert.That((back.Way, back.Reason, back.Text), Is.EqualTo((Way.Redirect, Reason.Reply, $"{vip}:80 > {pod}:4000")));
        Assert.That(_gate.FromPod(Packet.Tcp(pod, 4000, vip, 80, Packet.Ack)).Text, Is.EqualTo(to.Text));
    }

    [Test]
    public void A_process_of_the_node_as_the_backend_answers_as_the_service()
    {
        _gate.Backends(0, ServiceGate.Node);
        Assert.That(_gate.FromPod(Packet.Udp(ServiceGate.Pod, 4000, ServiceGate.Vip, 80)).Text, Is.EqualTo($"{ServiceGate.Pod}:4000 > {ServiceGate.Node}:8080"));
        Assert.That(_gate.ToPod(Packet.Udp(ServiceGate.Node, 8080, ServiceGate.Pod, 4000), 0).Text, Is.EqualTo($"{ServiceGate.Vip}:80 > {ServiceGate.Pod}:4000"));
        Assert.That(_gate.ToPod(Packet.Udp(ServiceGate.Node, 8081, ServiceGate.Pod, 4000), 0).Text, Is.EqualTo($"{ServiceGate.Node}:8081 > {ServiceGate.Pod}:4000"));
    }

    [Test]
    public void Nobody_to_serve_is_told_to_the_pod_and_the_traffic_policy_is_not()
    {
        _gate.Backends(0);
        var told = _gate.FromPod(Packet.Udp(ServiceGate.Pod, 4000, ServiceGate.Vip, 80));
        Assert.That((told.Way, told.Reason), Is.EqualTo((Way.Redirect, Reason.NoBackend)));
        var seen = Wire.Read(told.Frame);
        Assert.That((seen.From, seen.To, seen.IcmpType, seen.IcmpCode), Is.EqualTo((ServiceGate.Vip, ServiceGate.Pod, (byte)3, (byte)3)));
        told = _gate.FromPod(Packet.Tcp(ServiceGate.Pod6, 4000, ServiceGate.Vip6, 80).At(10));
        Assert.That((told.Way, told.Reason), Is.EqualTo((Way.Redirect, Reason.NoBackend)));
        Assert.That((told.Text, Wire.Read(told.Frame).Segment), Is.EqualTo(($"{ServiceGate.Vip6}:80 > {ServiceGate.Pod6}:4000", ((byte)(Packet.Rst | Packet.Ack), 0u, 11u, 0))));
        _gate.Backends(FrontendFlag.DropInside);
        Assert.That(_gate.FromPod(Packet.Udp(ServiceGate.Pod, 4000, ServiceGate.Vip, 80)), Has.Property("Way").EqualTo(Way.Drop).And.Property("Reason").EqualTo(Reason.TrafficPolicy));
    }

    [TestCase(ServiceGate.Pod, ServiceGate.Client, ServiceGate.Node)]
    [TestCase(ServiceGate.Pod6, ServiceGate.Client6, ServiceGate.Node6)]
    public void Answers_to_a_client_outside_leave_the_node_as_the_services(string pod, string client, string node)
    {
        foreach (var tcp in (bool[])[true, false])
        {
            _gate.Inbound(tcp ? Packet.ProtoTcp : Packet.ProtoUdp, client, 5000, node, 30080, pod);
            for (var i = 0; i < 3; i++)
            {
                Assert.That(_gate.ToPod(tcp ? Packet.Tcp(client, 5000, pod, 8080, i == 0 ? Packet.Syn : Packet.Ack) : Packet.Udp(client, 5000, pod, 8080), _gate.OutIfindex).Way, Is.EqualTo(Way.Next));
                var back = _gate.FromPod(tcp ? Packet.Tcp(pod, 8080, client, 5000, i == 0 ? (byte)(Packet.Syn | Packet.Ack) : Packet.Ack) : Packet.Udp(pod, 8080, client, 5000));
                Assert.That((back.Way, back.Reason, back.Text), Is.EqualTo((Way.Redirect, Reason.Reply, $"{node}:30080 > {client}:5000")));
            }
        }

        Assert.That(_gate.ToPod(Packet.Udp(client, 5001, pod, 8080), _gate.OutIfindex).Way, Is.EqualTo(Way.Next));
        Assert.That(_gate.FromPod(Packet.Udp(pod, 8080, client, 5001)).Text, Is.EqualTo($"{pod}:8080 > {client}:5001"), "who asked the pod itself");
    }

    [TestCase(ServiceGate.Pod, ServiceGate.Node, ServiceGate.Vip)]
    [TestCase(ServiceGate.Pod6, ServiceGate.Node6, ServiceGate.Vip6)]
    public void Answers_to_a_process_of_the_node_come_in_as_the_service_s_where_the_node_sends_to_it(string pod, string node, string vip)
    {
        foreach (var known in (bool[])[false, true])
        {
            if (known)
                _gate.KnowRouters();
            foreach (var tcp in (bool[])[true, false])
            {
                _gate.Inbound(tcp ? Packet.ProtoTcp : Packet.ProtoUdp, node, 5000, vip, 80, pod, NatFlag.Own);
                Assert.That(_gate.ToPod(tcp ? Packet.Tcp(node, 5000, pod, 8080) : Packet.Udp(node, 5000, pod, 8080), 0).Way, Is.EqualTo(Way.Next));
                var back = _gate.FromPod(tcp ? Packet.Tcp(pod, 8080, node, 5000, Packet.Syn | Packet.Ack) : Packet.Udp(pod, 8080, node, 5000));
                Assert.That((back.Way, back.Reason, back.Text), Is.EqualTo((known ? Way.Redirect : Way.Next, Reason.Forwarded, $"{vip}:80 > {node}:5000")));
                if (known)
                    Assert.That(back.Frame[..6], Is.EqualTo(_gate.LinkAddress("out")));
            }
        }

        Assert.That(_gate.FromPod(Packet.Udp(pod, 8080, node, 5001)).Text, Is.EqualTo($"{pod}:8080 > {node}:5001"), "who asked the pod itself");
    }

    [Test]
    public void Errors_and_fragments_for_a_process_of_the_node_come_from_the_service()
    {
        _gate.Inbound(Packet.ProtoUdp, ServiceGate.Node, 5000, ServiceGate.Vip, 80, ServiceGate.Pod, NatFlag.Own);
        var error = _gate.FromPod(Packet.Error(ServiceGate.Pod, ServiceGate.Node, Packet.Udp(ServiceGate.Node, 5000, ServiceGate.Pod, 8080).Sealed()));
        var seen = Wire.Read(error.Frame);
        Assert.That((error.Way, seen.From, seen.To, seen.Inner!.Text), Is.EqualTo((Way.Next, ServiceGate.Vip, ServiceGate.Node, $"{ServiceGate.Node}:5000 > {ServiceGate.Vip}:80")));
        Assert.That(_gate.FromPod(Packet.Udp(ServiceGate.Pod, 8080, ServiceGate.Node, 5000).AsFragment(0, more: true)).Text, Is.EqualTo($"{ServiceGate.Vip}:80 > {ServiceGate.Node}:5000"));
        Assert.That(_gate.FromPod(Packet.Udp(ServiceGate.Pod, 1, ServiceGate.Node, 2).AsFragment(48, more: false)).Text, Is.EqualTo($"{ServiceGate.Vip}:1 > {ServiceGate.Node}:2"));
    }

    [Test]
    public void What_policy_closes_to_the_client_is_not_answered()
    {
        _gate.Rule(Direction.Ingress, ServiceGate.Far, Packet.ProtoTcp, 8080, Verdict.Allow);
        _gate.Inbound(Packet.ProtoTcp, ServiceGate.Client, 5000, ServiceGate.Node, 30080, ServiceGate.Pod);
        Assert.That(_gate.ToPod(Packet.Tcp(ServiceGate.Client, 5000, ServiceGate.Pod, 8080), _gate.OutIfindex).Reason, Is.EqualTo(Reason.DefaultDeny));
        Assert.That(_gate.FromPod(Packet.Tcp(ServiceGate.Pod, 8080, ServiceGate.Client, 5000, Packet.Syn | Packet.Ack)).Way, Is.EqualTo(Way.Drop));
    }

    [TestCase(ServiceGate.Pod, ServiceGate.Vip, ServiceGate.Far)]
    [TestCase(ServiceGate.Pod6, ServiceGate.Vip6, ServiceGate.Far6)]
    public void Fragments_follow_their_first_both_ways(string pod, string vip, string far)
    {
        _gate.Backends(0, far);
        Assert.That(_gate.FromPod(Packet.Udp(pod, 4000, vip, 80).AsFragment(0, more: true)).Text, Is.EqualTo($"{pod}:4000 > {far}:8080"));
        var later = _gate.FromPod(Packet.Udp(pod, 1, vip, 2).AsFragment(48, more: false));
        Assert.That((later.Way, later.Text), Is.EqualTo((Way.Next, $"{pod}:1 > {far}:2")));
        Assert.That(_gate.ToPod(Packet.Udp(far, 8080, pod, 4000).AsFragment(0, more: true), Elsewhere).Text, Is.EqualTo($"{vip}:80 > {pod}:4000"));
        later = _gate.ToPod(Packet.Udp(far, 1, pod, 2).AsFragment(48, more: false), Elsewhere);
        Assert.That((later.Way, later.Text), Is.EqualTo((Way.Next, $"{vip}:1 > {pod}:2")));
    }

    [TestCase(ServiceGate.Pod, ServiceGate.Vip, ServiceGate.Far, "10.2.0.1")]
    [TestCase(ServiceGate.Pod6, ServiceGate.Vip6, ServiceGate.Far6, "fd02::1")]
    public void Errors_are_translated_both_ways(string pod, string vip, string far, string router)
    {
        _gate.Backends(0, far);
        _gate.FromPod(Packet.Udp(pod, 4000, vip, 80));
        var seen = Wire.Read(_gate.ToPod(Packet.Error(router, pod, Packet.Udp(pod, 4000, far, 8080).Sealed()), Elsewhere).Frame);
        Assert.That((seen.From, seen.To, seen.Inner!.Text), Is.EqualTo((vip, pod, $"{pod}:4000 > {vip}:80")));
        _gate.ToPod(Packet.Udp(far, 8080, pod, 4000), Elsewhere);
        var back = _gate.FromPod(Packet.Error(pod, vip, Packet.Udp(vip, 80, pod, 4000).Sealed()));
        seen = Wire.Read(back.Frame);
        Assert.That((back.Way, seen.From, seen.To, seen.Inner!.Text), Is.EqualTo((Way.Next, pod, far, $"{far}:8080 > {pod}:4000")));
    }

    [Test]
    public void An_error_of_the_pod_about_a_client_outside_leaves_as_the_services()
    {
        _gate.Inbound(Packet.ProtoUdp, ServiceGate.Client, 5000, ServiceGate.Node, 30080, ServiceGate.Pod);
        _gate.ToPod(Packet.Udp(ServiceGate.Client, 5000, ServiceGate.Pod, 8080), _gate.OutIfindex);
        var back = _gate.FromPod(Packet.Error(ServiceGate.Pod, ServiceGate.Client, Packet.Udp(ServiceGate.Client, 5000, ServiceGate.Pod, 8080).Sealed()));
        var seen = Wire.Read(back.Frame);
        Assert.That((back.Way, seen.From, seen.To, seen.Inner!.Text), Is.EqualTo((Way.Redirect, ServiceGate.Node, ServiceGate.Client, $"{ServiceGate.Client}:5000 > {ServiceGate.Node}:30080")));
    }

    [Test]
    public void Datagrams_leave_a_backend_that_is_gone()
    {
        _gate.Backends(0, ServiceGate.Far);
        _gate.FromPod(Packet.Udp(ServiceGate.Pod, 4000, ServiceGate.Vip, 80));
        _gate.RemoveBackends();
        _gate.Backends(0, "10.2.0.6");
        Assert.That(_gate.FromPod(Packet.Udp(ServiceGate.Pod, 4000, ServiceGate.Vip, 80)).Text, Does.EndWith("10.2.0.6:8080"));
    }
}
