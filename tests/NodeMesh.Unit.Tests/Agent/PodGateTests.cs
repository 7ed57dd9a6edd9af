using NodeMesh.Agent.Hosting;
using NodeMesh.Datapath;
using NodeMesh.Datapath.Tables;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Sources;

namespace NodeMesh.Unit.Tests.Agent;

/// <summary>When a pod that is held goes on: plans and rounds by hand.</summary>
public sealed class PodGateTests
{
    private static readonly ObjectName s_pod = new("shop", "web");
    private static readonly IpAddr s_address = IpAddr.Parse("10.0.0.5");
    private static readonly TimeSpan s_long = TimeSpan.FromMinutes(5);

    private ManualTime _time = null!;
    private PodGate _gate = null!;

    [SetUp]
    public void MakeGate()
    {
        _time = new ManualTime();
        _gate = new PodGate(new SandboxTable(() => { }), _time);
    }

    [Test]
    public async Task It_goes_on_with_the_round_that_carried_it_and_no_earlier_one()
    {
        var held = Hold();
        Assert.That(_gate.Waiting, Is.EqualTo(1));
        _gate.Reconciled(Round(6, attached: true));
        _gate.Compiled(Plan(7));
        _gate.Reconciled(Round(6, attached: true));
        Assert.That(held.IsCompleted, Is.False, "attached as it was before");
        _gate.Reconciled(Round(7, attached: false));
        Assert.That(held.IsCompleted, Is.False, "not attached yet");
        _gate.Reconciled(Round(8, attached: true));
        Assert.That(await held, Is.Empty);
        Assert.That(_gate.Waiting, Is.Zero);
    }

    [Test]
    public async Task A_full_table_of_services_does_not_hold_it_and_one_of_policy_does()
    {
        var held = Hold();
        _gate.Compiled(Plan(1));
        _gate.Reconciled(Round(1, attached: true, MapCatalog.Verdict));
        Assert.That(held.IsCompleted, Is.False);
        _gate.Reconciled(Round(1, attached: true, MapCatalog.Slot));
        Assert.That(await held, Is.Empty);
    }

    [Test]
    public async Task What_it_waited_for_is_said_when_the_time_is_over()
    {
        await SaysAsync("not heard of the pod", () => { });
        await SaysAsync("not in the kernel", () => _gate.Compiled(Plan(1)));
        await SaysAsync("not heard of the pod", () => _gate.Compiled(Plan(1, e => e with { Attachment = new Attachment("", "", "", "/of/another/start") })));
        await SaysAsync("address of another pod", () => _gate.Compiled(Plan(1, e => e with { Addresses = [] })));
        await SaysAsync("more rows than there is room for", () => _gate.Compiled(Plan(1, e => e with { IsHeld = true })));
        await SaysAsync("no veth", () =>
        {
            _gate.Compiled(Plan(1));
            _gate.Reconciled(Round(1, attached: false) with { Endpoints = [new EndpointStatus(s_pod, 0, false, "no veth of this host leads there")] });
        });
        await SaysAsync("the table is full", () =>
        {
            _gate.Compiled(Plan(1));
            _gate.Reconciled(Round(1, attached: true, MapCatalog.Endpoint));
        });
    }

    [Test]
    public void A_runtime_that_waits_no_more_is_let_go()
    {
        using var stop = new CancellationTokenSource();
        var held = _gate.HoldAsync(Sandbox, s_long, stop.Token);
        stop.Cancel();
        Assert.ThrowsAsync<TaskCanceledException>(() => held);
        Assert.That(_gate.Waiting, Is.Zero);
    }

    private async Task SaysAsync(string what, Action happens)
    {
        var held = Hold();
        happens();
        _time.Advance(s_long);
        Assert.That(await held, Does.Contain(what));
    }

    private static Sandbox Sandbox => new("c1", s_pod, "", "/dev/null", [s_address]);

    private Task<string> Hold() => _gate.HoldAsync(Sandbox, s_long, CancellationToken.None);

    private static MeshPlan Plan(ulong revision, Func<EndpointPlan, EndpointPlan>? but = null)
    {
        var endpoint = new EndpointPlan(s_pod, new Attachment("", "", "", Sandbox.Netns), [s_address], 300, 0);
        return MeshPlan.Empty with { Revision = revision, Kernel = KernelPlan.Empty with { Endpoints = [but?.Invoke(endpoint) ?? endpoint] } };
    }

    private static ReconcileReport Round(ulong revision, bool attached, string? fullTable = null) => new(
        revision, 0, 0, 0, 0, 0, 1, TimeSpan.Zero, fullTable is null ? [] : [new ReconcileFailure(fullTable, "update", 28, 1, "the table is full")], [],
        [new EndpointStatus(s_pod, 7, attached, "")], []);
}
