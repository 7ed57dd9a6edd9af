using System.Text.Json.Nodes;
using NodeMesh.Testing;
using NodeMesh.Testing.ApiServer;

namespace NodeMesh.ApiServer.Tests;

/// <summary>Statuses, Leases and Events as agents write them, with the rights of deploy/ and no others.</summary>
internal sealed class StatusTests : ClusterTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(4);

    private static Api Admin => TheCluster.Admin;

    [SetUp]
    public void Begin() => TheCluster.ForgetAgents();

    private static string Condition(JsonNode? holder, string type) =>
        (holder?["conditions"] as JsonArray ?? []).FirstOrDefault(c => (string?)c!["type"] == type) is { } c ? $"{c["status"]} {c["reason"]} {c["observedGeneration"]}" : "";

    [Test]
    public void A_policy_says_whether_it_is_accepted_and_programmed_and_its_faults_are_events()
    {
        var ns = TheCluster.Namespace();
        var folder = $"/apis/nodemesh.io/v1alpha1/namespaces/{ns}/meshpolicies";
        Admin.Apply($"{{apiVersion: nodemesh.io/v1alpha1, kind: MeshPolicy, metadata: {{name: good, namespace: {ns}}}, spec: {{ingress: [{{}}]}}}}");

        // No schema can see that an expression does not compile.
        Admin.Apply($"{{apiVersion: nodemesh.io/v1alpha1, kind: MeshPolicy, metadata: {{name: bad, namespace: {ns}}}, spec: {{ingress: [{{http: [{{paths: [{{type: Regex, value: '('}}]}}]}}]}}}}");
        Admin.Apply($"{{apiVersion: nodemesh.io/v1alpha1, kind: ClusterMeshPolicy, metadata: {{name: bad-{ns}}}, spec: {{namespaceSelector: {{matchLabels: {{team: {ns}}}}}, ingress: [{{http: [{{paths: [{{type: Regex, value: '('}}]}}]}}]}}}}");
        using var one = new ApiAgent(TheCluster.AgentsAccount(), $"one-{ns}");
        using var two = new ApiAgent(TheCluster.AgentsAccount(), $"two-{ns}");
        Eventually.True(() => Condition(Status("good"), "Programmed") == "True Programmed 1", "it is programmed", s_patience);
        Assert.That(Condition(Status("good"), "Accepted"), Is.EqualTo("True Accepted 1"));
        Eventually.True(() => Condition(Status("bad"), "Accepted") == "False Invalid 1", "it is refused", s_patience);
        Eventually.True(() => Events(ns, "bad").Count == 1, "an event says why", s_patience);
        Eventually.True(() => Events("default", $"bad-{ns}").Count == 1, "of what is in no namespace, too", s_patience);
        Assert.That((string?)Events(ns, "bad")[0]["message"], Does.Contain("spec.ingress[0].http[0].paths[0].value"));

        foreach (var node in new[] { $"nodemesh-node-one-{ns}", $"nodemesh-node-two-{ns}", "nodemesh-status" })
            Eventually.True(() => Admin.Get($"/apis/coordination.k8s.io/v1/namespaces/{TheCluster.Home}/leases/{node}").IsGood, $"{node} is written", s_patience);
        Admin.Patch($"{folder}/bad", """{"spec":{"ingress":[{"http":[{"methods":["GET"]}]}]}}""");
        Eventually.True(() => Condition(Status("bad"), "Accepted") == "True Accepted 2", "it is mended", s_patience);
        Assert.That(one.Problems.Concat(two.Problems), Is.Empty);
        Admin.Delete($"{folder}/good");
        Admin.Delete($"{folder}/bad");
        Admin.Delete($"/apis/nodemesh.io/v1alpha1/clustermeshpolicies/bad-{ns}");

        JsonNode? Status(string name) => Admin.Get($"{folder}/{name}").Body["status"];
    }

    private static List<JsonNode> Events(string ns, string about) =>
        [.. ((JsonArray)Admin.Get($"/api/v1/namespaces/{ns}/events").Good("events")["items"]!).OfType<JsonNode>().Where(e => (string?)e["involvedObject"]?["name"] == about)];

    [Test]
    public void A_route_says_at_its_parent_what_became_of_it()
    {
        var ns = TheCluster.Namespace();
        Admin.Apply($"{{apiVersion: v1, kind: Service, metadata: {{name: web, namespace: {ns}}}, spec: {{ports: [{{port: 80}}]}}}}");
        SourceTests.Install("HTTPRoute", "httproutes", "v1");
        try
        {
            Admin.Apply(SourceTests.Route(ns));
            using var agent = new ApiAgent(TheCluster.AgentsAccount(), $"route-{ns}");
            Eventually.True(() => Condition(Parent(), "Accepted") == "True Accepted 1" && Condition(Parent(), "ResolvedRefs") == "True ResolvedRefs 1", "it is accepted", s_patience);
            Assert.That((string?)Parent()!["parentRef"]!["name"], Is.EqualTo("web"));
        }
        finally
        {
            SourceTests.Uninstall("httproutes");
        }

        JsonNode? Parent() => (Admin.Get($"/apis/gateway.networking.k8s.io/v1/namespaces/{ns}/httproutes/route").Body["status"]?["parents"] as JsonArray)?.FirstOrDefault();
    }
}
