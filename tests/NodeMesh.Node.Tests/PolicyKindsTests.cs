using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>What is more than a NetworkPolicy: tiers, audit, and which rule decided how often.</summary>
public sealed class PolicyKindsTests
{
    private NodeBox _box = null!;
    private PodBox _client = null!;
    private PodBox _server = null!;
    private AgentProcess? _agent;

    [SetUp]
    public void MakeNode()
    {
        _box = new NodeBox();
        _client = _box.AddPod("client");
        _server = _box.AddServer("server");
    }

    [TearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [Test]
    public void A_policy_under_audit_counts_what_it_lets_through_until_it_is_enforced()
    {
        _box.WriteConfig("p.yaml", Closed("Audit"));
        _agent = _box.StartAgent("--policy-metrics", "true").MustBeReady();
        MustAnswer();
        Assert.That(_agent.Metric("nodemesh_datapath_packets_total{reason=\"audit_default_deny\""), Is.EqualTo(1), "one connection, seen at both ends by one packet");
        Assert.That(_agent.Metric("nodemesh_policy_connections_total{rule=\"MeshPolicy default/closed (isolates ingress)\",reason=\"audit_default_deny\"}"), Is.EqualTo(1));
        var shown = _agent.Cli("policy").MustSucceed("policy").Output;
        Assert.That(shown, Does.Match(@"MeshPolicy +default +closed +Namespace +audit").And.Match(@"MeshPolicy default/closed \(isolates ingress\) +audit_default_deny +1"));

        _box.WriteConfig("p.yaml", Closed("Enforce"));
        MustNotAnswer();
        Assert.That(_agent.Cli("policy").Output, Does.Match(@"MeshPolicy default/closed \(isolates ingress\) +default_deny +[1-9]"));
    }

    [Test]
    public void A_node_under_audit_refuses_nothing()
    {
        _box.WriteConfig("p.yaml", Manifests.DefaultDeny("Ingress"));
        _box.WriteConfig("tier.yaml", Tier("admin", "Admin", 0, "Deny"));
        _agent = _box.StartAgent("--policy-mode", "audit").MustBeReady();
        MustAnswer();
        Assert.That(_agent.Metric("nodemesh_datapath_packets_total{reason=\"audit_denied\""), Is.EqualTo(1), "the first that would have refused it");
        Assert.That(_agent.Cli("policy").Output, Does.Match(@"ClusterNetworkPolicy +- +admin +Admin 0 +audit").And.Match(@"NetworkPolicy +default +deny-ingress +Namespace +audit"));
    }

    [Test]
    public void Tiers_decide_in_their_order()
    {
        // The baseline holds where nobody says otherwise; a namespace may; the administrator has the first word, and may pass it on.
        _box.WriteConfig("baseline.yaml", Tier("baseline", "Baseline", 0, "Deny"));
        _agent = _box.StartAgent().MustBeReady();
        MustNotAnswer();
        _box.WriteConfig("allow.yaml", Manifests.AllowIngress("allow", "app: server", "app: client", 80));
        MustAnswer();
        _box.WriteConfig("deny.yaml", Tier("deny", "Admin", 20, "Deny"));
        MustNotAnswer();
        _box.WriteConfig("pass.yaml", Tier("pass", "Admin", 10, "Pass"));
        MustAnswer();
        _box.DeleteConfig("allow.yaml");
        MustNotAnswer();
        _box.WriteConfig("accept.yaml", Tier("accept", "Admin", 5, "Accept"));
        MustAnswer();
        Assert.That(_agent.Cli("policy").Output, Does.Match(@"ClusterNetworkPolicy accept ingress\[0\] +forwarded +[1-9]").And.Match(@"ClusterNetworkPolicy +- +pass +Admin 10 +enforce"));
        Assert.That(_agent.Metric("nodemesh_datapath_drops_total{reason=\"default_deny\""), Is.Zero, "all were explicit");
    }

    private void MustAnswer() => Eventually.True(() => Answers(), "the server answers");

    private void MustNotAnswer() => Eventually.True(() => !Answers(), "the server does not answer");

    private bool Answers() => _client.Netns.Curl($"http://{_server.Address}/").Status == 200;

    private static string Closed(string action) => $$"""
        apiVersion: nodemesh.io/v1alpha1
        kind: MeshPolicy
        metadata: { name: closed, namespace: default }
        spec:
          action: {{action}}
          podSelector: { matchLabels: { app: server } }
          policyTypes: [ Ingress ]
        """;

    private static string Tier(string name, string tier, int priority, string action) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $$"""
        apiVersion: policy.networking.k8s.io/v1alpha2
        kind: ClusterNetworkPolicy
        metadata: { name: {{name}} }
        spec:
          tier: {{tier}}
          priority: {{priority}}
          subject: { pods: { podSelector: { matchLabels: { app: server } } } }
          ingress: [ { action: {{action}}, from: [ { namespaces: {} } ] } ]
        """);
}
