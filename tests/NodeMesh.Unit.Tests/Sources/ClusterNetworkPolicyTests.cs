using NodeMesh.Model;

namespace NodeMesh.Unit.Tests.Sources;

internal sealed class ClusterNetworkPolicyTests
{
    private const string Head = "tier: Admin, priority: 7, subject: {namespaces: {}}";

    private static Policy Read(string rest) => Manifests.Clean(Manifests.ClusterNetworkPolicy($"{{{Head}, {rest}}}")).Policies.Single();

    [Test]
    public void Tier_priority_and_subject_are_read_and_nothing_is_isolated()
    {
        var p = Manifests.Clean(Manifests.ClusterNetworkPolicy(
            "{tier: Baseline, priority: 1000, subject: {pods: {namespaceSelector: {matchLabels: {team: a}}, podSelector: {matchLabels: {app: web}}}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}")).Policies.Single();
        Assert.That((p.Tier, p.Priority, p.Subject.ToString(), p.Namespaces.Selector!.ToString()), Is.EqualTo((PolicyTier.Baseline, 1000, "app=web", "team=a")));
        Assert.That(p.IsolatesIngress || p.IsolatesEgress, Is.False);
    }

    [Test]
    public void Rules_keep_their_order_action_and_name()
    {
        var p = Read("ingress: [{name: scrape, action: Accept, from: [{namespaces: {}}]}, {action: Pass, from: [{namespaces: {}}]}, {action: Deny, from: [{namespaces: {}}]}]");
        Assert.That(p.Ingress.Select(r => (r.Name, r.Action)), Is.EqualTo(new[]
        {
            ("ingress[0] (scrape)", PolicyAction.Allow), ("ingress[1]", PolicyAction.Pass), ("ingress[2]", PolicyAction.Deny),
        }));
    }

    [Test]
    public void Peers_are_namespaces_pods_nodes_and_networks()
    {
        var peers = Read("egress: [{action: Deny, to: [{namespaces: {matchLabels: {team: a}}}, {pods: {podSelector: {matchLabels: {app: web}}}}, {nodes: {}}, {networks: [10.0.0.0/8, 'fd00::/8']}]}]")
            .Egress.Single().Peers;
        Assert.That(((PodPeer)peers[0]).Namespaces.Selector!.ToString(), Is.EqualTo("team=a"));
        Assert.That((((PodPeer)peers[1]).Pods.ToString(), ((PodPeer)peers[1]).Namespaces), Is.EqualTo(("app=web", NamespaceMatch.All)));
        Assert.That(((NodePeer)peers[2]).Nodes, Is.EqualTo(LabelSelector.Everything));
        Assert.That(peers.Skip(3).Cast<CidrPeer>().Select(c => c.Cidr.ToString()), Is.EqualTo(new[] { "10.0.0.0/8", "fd00::/8" }));
    }

    [TestCase("{tcp: {destinationPort: {number: 80}}}", Protocol.Tcp, 80, 80, null)]
    [TestCase("{udp: {destinationPort: {range: {start: 1, end: 9}}}}", Protocol.Udp, 1, 9, null)]
    [TestCase("{sctp: {destinationPort: {number: 5}}}", Protocol.Sctp, 5, 5, null)]
    [TestCase("{destinationNamedPort: web}", Protocol.Any, 0, 0, "web")]
    public void Protocols_are_read(string protocol, Protocol expected, int first, int last, string? name) => Assert.That(
        Read($"ingress: [{{action: Deny, from: [{{namespaces: {{}}}}], protocols: [{protocol}]}}]").Ingress[0].Ports.Single(),
        Is.EqualTo(new PortMatch(expected, (ushort)first, (ushort)last, name)));

    [TestCase("tier: admin, priority: 1, subject: {namespaces: {}}", "bad-value", "spec.tier")]
    [TestCase("tier: Admin, priority: 1001, subject: {namespaces: {}}", "out-of-range", "spec.priority")]
    [TestCase("tier: Admin, priority: 1", "missing-field", "spec.subject")]
    [TestCase("tier: Admin, priority: 1, subject: {}", "missing-field", "spec.subject")]
    [TestCase("tier: Admin, priority: 1, subject: {namespaces: {}, pods: {podSelector: {}}}", "bad-value", "spec.subject")]
    [TestCase(Head + ", ingress: [{action: Allow, from: [{namespaces: {}}]}]", "bad-value", "spec.ingress[0].action")]
    [TestCase(Head + ", ingress: [{action: Deny}]", "missing-field", "spec.ingress[0].from")]
    [TestCase(Head + ", ingress: [{action: Deny, from: []}]", "missing-field", "spec.ingress[0].from")]
    [TestCase(Head + ", ingress: [{action: Deny, from: [{}]}]", "missing-field", "spec.ingress[0].from[0]")]
    [TestCase(Head + ", egress: [{action: Accept, to: [{domainNames: [a.example.com]}]}]", "unsupported", "spec.egress[0].to[0].domainNames")]
    [TestCase(Head + ", egress: [{action: Deny, to: [{networks: []}]}]", "missing-field", "spec.egress[0].to[0].networks")]
    [TestCase(Head + ", egress: [{action: Deny, to: [{networks: [10.0.0.1]}]}]", "bad-cidr", "spec.egress[0].to[0].networks[0]")]
    [TestCase(Head + ", egress: [{action: Deny, to: [{nodes: {}}], protocols: [{destinationNamedPort: web}]}]", "bad-value", "spec.egress[0].protocols[0]")]
    [TestCase(Head + ", egress: [{action: Deny, to: [{nodes: {}}], protocols: []}]", "missing-field", "spec.egress[0].protocols")]
    [TestCase(Head + ", egress: [{action: Deny, to: [{nodes: {}}], protocols: [{tcp: {}}]}]", "missing-field", "spec.egress[0].protocols[0].tcp.destinationPort")]
    [TestCase(Head + ", egress: [{action: Deny, to: [{nodes: {}}], protocols: [{tcp: {destinationPort: {range: {start: 9, end: 9}}}}]}]", "out-of-range", "spec.egress[0].protocols[0].tcp.destinationPort.range")]
    public void A_faulty_policy_is_left_out_and_the_fault_named(string spec, string code, string path)
    {
        var (mesh, _, diagnostics) = Manifests.Read(Manifests.ClusterNetworkPolicy($"{{{spec}}}"));
        Assert.That(mesh.Policies, Is.Empty);
        Assert.That(diagnostics.Select(d => (d.Code, d.FieldPath, d.Severity)), Does.Contain((code, path, Severity.Error)));
    }

    [Test]
    public void Lists_have_the_apis_limit()
    {
        var many = string.Join(", ", Enumerable.Repeat("{action: Deny, from: [{namespaces: {}}]}", 26));
        var (mesh, codes, _) = Manifests.Read(Manifests.ClusterNetworkPolicy($"{{{Head}, ingress: [{many}]}}"));
        Assert.That((mesh.Policies.Length, codes.Single()), Is.EqualTo((0, "out-of-range")));
    }
}
