using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests;

/// <summary>What a sender is told whose packet policy refuses. The pod may reach port 8080 of the far side and be reached at port 90, no more.</summary>
internal sealed class DenyResponseTests
{
    private const uint Elsewhere = 1;

    private ServiceGate _gate = null!;

    [SetUp]
    public void Load() => _gate = Guarded(DenyResponse.Reject);

    [TearDown]
    public void Unload() => _gate.Dispose();

    [TestCase(ServiceGate.Pod, ServiceGate.Far)]
    [TestCase(ServiceGate.Pod6, ServiceGate.Far6)]
    public void The_pod_gets_a_reset_in_the_name_of_whom_it_asked(string pod, string far)
    {
        var told = _gate.FromPod(Packet.Tcp(pod, 4000, far, 81));
        Assert.That((told.Way, told.Reason, told.Text), Is.EqualTo((Way.Redirect, Reason.DefaultDeny, $"{far}:81 > {pod}:4000")));
        Assert.That(Wire.Read(told.Frame).Segment.Flags, Is.EqualTo(Packet.Rst | Packet.Ack));
    }

    [TestCase(ServiceGate.Pod, ServiceGate.Vip, ServiceGate.Far)]
    [TestCase(ServiceGate.Pod6, ServiceGate.Vip6, ServiceGate.Far6)]
    public void It_is_the_services_when_the_pod_asked_one(string pod, string vip, string far)
    {
        _gate.Backends(0, far);
        _gate.Rule(Direction.Egress, far, Packet.ProtoTcp, 8080, Verdict.Deny);
        var told = _gate.FromPod(Packet.Tcp(pod, 4000, vip, 80));
        Assert.That((told.Way, told.Reason, told.Text), Is.EqualTo((Way.Redirect, Reason.PolicyDenied, $"{vip}:80 > {pod}:4000")));
        var error = Wire.Read(_gate.FromPod(Packet.Udp(pod, 4001, vip, 80)).Frame);
        Assert.That((error.From, error.To, error.Inner!.Text), Is.EqualTo((vip, pod, $"{pod}:4001 > {vip}:80")));
    }

    [TestCase(ServiceGate.Pod, ServiceGate.Far, 3, 13)]
    [TestCase(ServiceGate.Pod6, ServiceGate.Far6, 1, 1)]
    public void Others_get_an_error_that_says_administratively_prohibited(string pod, string far, int type, int code)
    {
        var fromPod = Wire.Read(_gate.FromPod(Packet.Udp(pod, 4000, far, 53)).Frame);
        Assert.That((fromPod.From, fromPod.To, fromPod.IcmpType, fromPod.IcmpCode), Is.EqualTo((far, pod, (byte)type, (byte)code)));
        var toPod = _gate.ToPod(Packet.Udp(far, 4000, pod, 53), Elsewhere);
        var told = Wire.Read(toPod.Frame);
        Assert.That((toPod.Way, toPod.Reason), Is.EqualTo((Way.Redirect, Reason.DefaultDeny)));
        Assert.That((told.From, told.To, told.IcmpType, told.IcmpCode, told.Inner!.Text), Is.EqualTo((pod, far, (byte)type, (byte)code, $"{far}:4000 > {pod}:53")));
    }

    [TestCase(ServiceGate.Pod, ServiceGate.Far)]
    [TestCase(ServiceGate.Pod6, ServiceGate.Far6)]
    public void Not_every_packet_of_a_flood_is_told_of(string pod, string far)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var told = _gate.FloodFromPod(Enumerable.Range(0, 5000).Select(i => Packet.Udp(pod, (ushort)(4000 + i), far, 53)));

        // Of each CPU its burst and one for each millisecond, by a clock that may be ten of them late.
        Assert.That(told, Is.GreaterThan(0).And.LessThanOrEqualTo(Environment.ProcessorCount * (50 + clock.Elapsed.TotalMilliseconds + 10)));
        Assert.That(_gate.FromPod(Packet.Tcp(pod, 4000, far, 81)).Way, Is.EqualTo(Way.Redirect), "a reset is no such error");
    }

    [TestCase(ServiceGate.Pod, ServiceGate.Far)]
    [TestCase(ServiceGate.Pod6, ServiceGate.Far6)]
    public void A_stranger_gets_a_reset_from_the_pod(string pod, string far)
    {
        var told = _gate.ToPod(Packet.Tcp(far, 4000, pod, 91), Elsewhere);
        Assert.That((told.Way, told.Reason, told.Text), Is.EqualTo((Way.Redirect, Reason.DefaultDeny, $"{pod}:91 > {far}:4000")));
    }

    [TestCase(ServiceGate.Pod, ServiceGate.Vip, ServiceGate.Far)]
    [TestCase(ServiceGate.Pod6, ServiceGate.Vip6, ServiceGate.Far6)]
    public void And_from_the_service_that_it_asked(string pod, string vip, string far)
    {
        _gate.Inbound(Packet.ProtoTcp, far, 4000, vip, 80, pod);
        var told = _gate.ToPod(Packet.Tcp(far, 4000, pod, 8080), Elsewhere);
        Assert.That((told.Way, told.Text), Is.EqualTo((Way.Redirect, $"{vip}:80 > {far}:4000")));
    }

    [Test]
    public void Nobody_is_told_of_a_reset_an_error_or_what_went_to_many()
    {
        Assert.That(_gate.FromPod(Packet.Tcp(ServiceGate.Pod, 4000, ServiceGate.Far, 81, Packet.Rst)).Way, Is.EqualTo(Way.Drop));
        Assert.That(_gate.FromPod(Packet.Error(ServiceGate.Pod, ServiceGate.Far, Packet.Udp(ServiceGate.Far, 1, ServiceGate.Pod, 2))).Way, Is.EqualTo(Way.Drop));
        Assert.That(_gate.FromPod(Packet.Udp(ServiceGate.Pod, 5353, "224.0.0.251", 5353)).Way, Is.EqualTo(Way.Drop));
        Assert.That(_gate.FromPod(Packet.Udp(ServiceGate.Pod6, 5353, "ff02::fb", 5353)).Way, Is.EqualTo(Way.Drop));
        Assert.That(_gate.ToPod(Packet.Udp(ServiceGate.Far, 4000, ServiceGate.Pod, 53).AsFragment(40, more: false), Elsewhere).Way, Is.EqualTo(Way.Drop));
    }

    [Test]
    public void Nobody_is_told_anything_when_so_asked()
    {
        using var silent = Guarded(DenyResponse.Drop);
        Assert.That(silent.FromPod(Packet.Tcp(ServiceGate.Pod, 4000, ServiceGate.Far, 81)).Way, Is.EqualTo(Way.Drop));
        Assert.That(silent.ToPod(Packet.Udp(ServiceGate.Far, 4000, ServiceGate.Pod, 53), Elsewhere).Way, Is.EqualTo(Way.Drop));
    }

    private static ServiceGate Guarded(DenyResponse response)
    {
        var gate = new ServiceGate("endpoint", c => c with { DenyResponse = (uint)response });
        gate.Rule(Direction.Egress, ServiceGate.Far, Packet.ProtoTcp, 8080, Verdict.Allow);
        return gate;
    }
}
