using NodeMesh.Compiler.Policies;
using NodeMesh.Model;

namespace NodeMesh.Unit.Tests.Compiler;

internal sealed class PolicyExpansionTests
{
    private static readonly ObjectName Api = new("a", "api");

    private static readonly Policy ToApi = Policy("to-api", new PolicyRule(PolicyAction.Allow, [], [], []) { Name = "egress[0]", Services = [Api] });

    private static readonly Policy Plain = Policy("plain", new PolicyRule(PolicyAction.Allow, [new EntityPeer(PolicyEntity.World)], [], []) { Name = "egress[0]" });

    private static Policy Policy(string name, PolicyRule rule) =>
        new(PolicyKind.MeshPolicy, new ObjectName("a", name), LabelSelector.Everything, new NamespaceMatch("a", null), false, true, [], [rule]);

    private static Service Service(params string[] addresses) => new(Api, [],
        [new ServicePort("", Protocol.Tcp, 80, "", [.. addresses.Select(a => new Backend(IpAddr.Parse(a), 8080, ""))])]);

    private static MeshSnapshot Mesh(params Service[] services) => MeshSnapshot.Empty with { Policies = [Plain, ToApi], Services = [.. services] };

    [Test]
    public void A_service_is_its_backends_at_their_ports()
    {
        var rule = PolicyExpansion.Run(Mesh(Service("10.0.0.1", "10.0.0.2")), PolicyExpansion.Empty).Meant[1].Egress.Single();
        Assert.That(rule.Peers.Cast<CidrPeer>().Select(p => p.Cidr.ToString()), Is.EqualTo(new[] { "10.0.0.1/32", "10.0.0.2/32" }));
        Assert.That(rule.Ports.Single(), Is.EqualTo(new PortMatch(Protocol.Tcp, 8080, 8080, null)));
    }

    [Test]
    public void A_service_without_backends_or_none_at_all_is_nobody_and_not_everybody()
    {
        Assert.That(PolicyExpansion.Run(Mesh(Service()), PolicyExpansion.Empty).Meant[1].Egress, Is.Empty);
        var missing = PolicyExpansion.Run(Mesh(), PolicyExpansion.Empty);
        Assert.That(missing.Meant[1].Egress, Is.Empty);
        Assert.That(missing.Findings.Single().Code, Is.EqualTo("no-such-service"));
    }

    [Test]
    public void What_means_the_same_as_before_stays_the_same_object()
    {
        var mesh = Mesh(Service("10.0.0.1"));
        var first = PolicyExpansion.Run(mesh, PolicyExpansion.Empty);
        Assert.That(PolicyExpansion.Run(mesh with { Services = [Service("10.0.0.1")] }, first), Is.SameAs(first));

        var other = PolicyExpansion.Run(Mesh(Service("10.0.0.1", "10.0.0.2")), first);
        Assert.That(other.Meant[0], Is.SameAs(first.Meant[0]));
        Assert.That(other.Meant[1], Is.Not.SameAs(first.Meant[1]));
    }
}
