using System.Collections.Frozen;
using NodeMesh.Agent.Hosting;
using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Unit.Tests.Agent;

public class PlanPublisherTests
{
    private static ProxyPlan Plan(ulong revision, params string[] addresses) => ProxyPlan.Empty with
    {
        Revision = revision,
        Services = addresses.ToFrozenDictionary(a => new ServiceAddress(IpAddr.Parse(a), 80), a => new ServicePlan($"{a} of {revision}", AppProtocol.Http, null, new ClusterPlan(a, []))),
    };

    [Test]
    public void A_service_that_goes_is_known_to_the_proxy_until_the_kernel_stopped_handing_it_over()
    {
        var union = PlanPublisher.Union(Plan(1, "10.0.0.1", "10.0.0.2"), Plan(2, "10.0.0.2", "10.0.0.3"));
        Assert.That(union.Revision, Is.EqualTo(2));
        Assert.That(union.Services.Values.Select(s => s.Name), Is.EquivalentTo((string[])["10.0.0.1 of 1", "10.0.0.2 of 2", "10.0.0.3 of 2"]));
    }

    [Test]
    public void Without_one_the_next_plan_is_published_as_it_is()
    {
        var next = Plan(2, "10.0.0.1", "10.0.0.2");
        Assert.That(PlanPublisher.Union(Plan(1, "10.0.0.1"), next), Is.SameAs(next));
    }
}
