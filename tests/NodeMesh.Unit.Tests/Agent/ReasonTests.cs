using NodeMesh.Plan.Abi;

namespace NodeMesh.Unit.Tests.Agent;

public class ReasonTests
{
    [Test]
    public void What_passed_or_is_counted_beside_a_verdict_is_no_drop()
    {
        var others = Enum.GetValues<Reason>().Where(r => r != Reason.Count && !ReasonText.IsDrop(r));
        Assert.That(others, Is.EquivalentTo(new[] { Reason.Forwarded, Reason.HandedOver, Reason.Reply, Reason.Translated, Reason.MapFull, Reason.HelperFailed, Reason.AuditDenied, Reason.AuditDefaultDeny }));
    }
}
