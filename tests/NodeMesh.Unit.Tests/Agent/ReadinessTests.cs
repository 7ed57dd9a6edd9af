using NodeMesh.Agent.Hosting;
using NodeMesh.Datapath;
using NodeMesh.Datapath.Tables;
using NodeMesh.Model;

namespace NodeMesh.Unit.Tests.Agent;

public class ReadinessTests
{
    private static ReconcileReport Report(ulong revision, params string[] failures) => new(
        revision, 0, 0, 0, 0, 0, 0, TimeSpan.Zero, [.. failures.Select(f => new ReconcileFailure("nm_verdict", "update", 7, 1, f))], [], [], []);

    [Test]
    public void It_is_ready_when_the_last_block_is_gone()
    {
        var readiness = new Readiness();
        var one = readiness.Block("one");
        var two = readiness.Block("two");
        Assert.That(readiness.Reasons, Is.EqualTo((string[])["one", "two"]));
        one.Dispose();
        one.Dispose();
        Assert.That(readiness.IsReady, Is.False);
        two.Dispose();
        Assert.That(readiness.IsReady);
    }

    [Test]
    public void It_is_not_ready_before_the_first_plan_is_enforced()
    {
        var readiness = new Readiness();
        using var gate = new EnforcementGate(readiness);
        Assert.That(readiness.IsReady, Is.False);
        gate.Reconciled(Report(1, "no room"));
        Assert.That(readiness.Reasons, Has.One.Contains("no room"));
        gate.Reconciled(Report(1));
        Assert.That(readiness.IsReady);
    }

    /// <summary>Its interface went while the round was at it.</summary>
    [Test]
    public void A_pod_without_programs_takes_readiness_away_and_is_named()
    {
        var readiness = new Readiness();
        using var gate = new EnforcementGate(readiness);
        gate.Reconciled(Report(1) with { Endpoints = [new EndpointStatus(new ObjectName("shop", "gone"), 7, false, "")] });
        Assert.That(readiness.Reasons, Has.One.Contains("plan 1").And.One.Contains("shop/gone"));
        gate.Reconciled(Report(2));
        Assert.That(readiness.IsReady);
    }

    [Test]
    public void A_plan_that_the_kernel_refuses_takes_readiness_away_until_one_is_taken()
    {
        var readiness = new Readiness();
        using var gate = new EnforcementGate(readiness);
        gate.Reconciled(Report(1));
        gate.Reconciled(Report(2, "nm_verdict is full"));
        Assert.That(readiness.Reasons, Has.One.Contains("plan 2").And.One.Contains("nm_verdict is full"));
        gate.Reconciled(Report(3));
        Assert.That(readiness.IsReady);
    }
}
