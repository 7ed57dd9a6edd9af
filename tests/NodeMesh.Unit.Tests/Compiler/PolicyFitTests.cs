using NodeMesh.Compiler;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Unit.Tests.Sources;

namespace NodeMesh.Unit.Tests.Compiler;

internal sealed class PolicyFitTests
{
    private static readonly NodeFacts Node = new("n1", [], []);

    private static MeshSnapshot Mesh(int ports) => Manifests.Clean(
        Pod("big", "10.0.0.1", "app: big"),
        Pod("small", "10.0.0.2", "app: small"),
        Manifests.NetworkPolicy($"{{podSelector: {{matchLabels: {{app: big}}}}, ingress: [{{ports: [{string.Join(", ", Enumerable.Range(0, ports).Select(i => $"{{port: {1 + (2 * i)}}}"))}]}}]}}", "big"),
        Manifests.NetworkPolicy("{podSelector: {matchLabels: {app: small}}}", "small"));

    private static string Pod(string name, string ip, string labels) =>
        Manifests.Pod(name, ip, labels).Replace("metadata: {", $"metadata: {{annotations: {{nodemesh.io/netns: {name}}}, ", StringComparison.Ordinal);

    [Test]
    public void A_set_that_has_no_room_is_refused_as_a_whole_and_the_others_are_not()
    {
        var plan = MeshCompiler.Compile(Mesh(ports: 20), Node with { PolicyRoom = new PolicyRoom(16, 16) });
        var (big, small) = (plan.Kernel.Endpoints.Single(e => e.Name.Name == "big"), plan.Kernel.Endpoints.Single(e => e.Name.Name == "small"));
        Assert.That((big.IsHeld, small.IsHeld), Is.EqualTo((true, false)));
        Assert.That(plan.Kernel.Verdicts.Keys.Select(k => k.Set).Distinct(), Is.EqualTo(new[] { small.PolicySet }));
        var finding = plan.Diagnostics.Single(d => d.Code == "policy-too-large");
        Assert.That((finding.Object.ToString(), finding.Severity), Is.EqualTo(("Pod shop/big", Severity.Error)));
        Assert.That(finding.Message, Does.Contain("NetworkPolicy shop/big").And.Contain("22 rows of verdicts").And.Contain("16"));
        Assert.That(PlanText.Of(plan), Does.Contain("NetworkPolicy shop/big [does not fit]"));
    }

    [Test]
    public void It_is_back_once_it_fits()
    {
        var room = Node with { PolicyRoom = new PolicyRoom(16, 16) };
        var large = MeshCompiler.Compile(Mesh(ports: 20), room);
        var smaller = MeshCompiler.Compile(Mesh(ports: 5), room, large);
        Assert.That(smaller.Kernel.Endpoints.Any(e => e.IsHeld), Is.False);
        Assert.That(smaller.Diagnostics.Select(d => d.Code), Does.Not.Contain("policy-too-large"));
    }
}
