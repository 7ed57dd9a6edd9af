using System.Text.Json.Nodes;
using NodeMesh.Testing;

namespace NodeMesh.ApiServer.Tests;

/// <summary>The definitions of deploy/crds, as an API server takes them.</summary>
internal sealed class DefinitionTests : ClusterTests
{
    private const string Group = "/apis/nodemesh.io/v1alpha1";

    private static Api Admin => TheCluster.Admin;

    [Test]
    public void Every_policy_is_judged_as_the_table_says()
    {
        var ns = TheCluster.Namespace();
        Assert.That(PolicyCases.All.Select(c => Wrong(c, ns)).Where(w => w.Length > 0), Is.Empty);
    }

    private static string Wrong(PolicyCase policy, string ns)
    {
        var obj = policy.Object;
        if (obj["metadata"]!["namespace"] is not null)
            obj["metadata"]!["namespace"] = ns;
        var answer = Admin.Create(obj, "?dryRun=All");
        if (answer.IsGood != (policy.IsValid || policy.IsForTheAgent))
            return $"{policy}: {answer.Code} {answer.Message}";

        // A rule speaks for itself.
        var rule = policy.Refusal.IndexOf(" rule ", StringComparison.Ordinal);
        return !answer.IsGood && (answer.Code != 422 || (rule > 0 && !answer.Message.Contains(policy.Refusal[(rule + 6)..], StringComparison.Ordinal))) ? $"{policy}: {answer.Code} {answer.Message}" : "";
    }

    /// <summary>So ours are not.</summary>
    [Test]
    public void A_definition_whose_rules_may_cost_too_much_is_refused()
    {
        var answer = Admin.Create(Yaml.Object("""
            apiVersion: apiextensions.k8s.io/v1
            kind: CustomResourceDefinition
            metadata: {name: dears.example.com}
            spec:
              group: example.com
              scope: Cluster
              names: {kind: Dear, listKind: DearList, plural: dears, singular: dear}
              versions:
                - name: v1
                  served: true
                  storage: true
                  schema:
                    openAPIV3Schema:
                      type: object
                      properties:
                        spec:
                          type: array
                          maxItems: 10000
                          items: {type: array, maxItems: 10000, items: {type: string} }
                          x-kubernetes-validations: [{rule: "self.all(x, x.all(y, y == 'a'))", message: too dear}]
            """));
        Assert.That(answer.Code, Is.EqualTo(422), answer.Message);
        Assert.That(answer.Message, Does.Contain("exceeds budget"));
    }

    [Test]
    public void Defaults_are_stored_and_unknown_fields_are_not()
    {
        var policy = Yaml.Object("{apiVersion: nodemesh.io/v1alpha1, kind: ClusterMeshPolicy, metadata: {name: defaults}, spec: {more: 1, ingress: [{ports: [{port: 80}], http: [{paths: [{value: /}], headers: [{name: a, value: b}]}]}]}}");
        Assert.That(Admin.Create((JsonObject)policy.DeepClone(), "?dryRun=All&fieldValidation=Strict").Code, Is.EqualTo(400));
        var stored = Admin.Create(policy, "?dryRun=All&fieldValidation=Ignore").Good("the policy")["spec"];
        var expected = Yaml.Object("{action: Enforce, ingress: [{action: Allow, ports: [{port: 80, protocol: TCP}], http: [{paths: [{type: Prefix, value: /}], headers: [{name: a, value: b, type: Exact}]}]}]}");
        Assert.That(JsonNode.DeepEquals(stored, expected), stored!.ToJsonString());
    }

    [Test]
    public void A_generation_is_of_the_spec_alone_and_the_status_has_a_door_of_its_own()
    {
        var ns = TheCluster.Namespace();
        var path = $"{Group}/namespaces/{ns}/meshpolicies/p";
        Admin.Apply($"{{apiVersion: nodemesh.io/v1alpha1, kind: MeshPolicy, metadata: {{name: p, namespace: {ns}}}, spec: {{ingress: [{{}}]}}, status: {{nodes: 1/1}}}}");
        Assert.That(Of("generation"), Is.EqualTo("1"));
        Assert.That(Admin.Get(path).Body["status"], Is.Null, "who creates says nothing of the status");
        Admin.Patch(path, """{"metadata":{"labels":{"a":"b"}},"status":{"nodes":"2/2"}}""");
        Admin.Patch(path + "/status", """{"spec":{"action":"Audit"},"status":{"nodes":"3/5"}}""");
        var seen = Admin.Get(path).Body;
        Assert.That(((string?)seen["status"]!["nodes"], (string?)seen["spec"]!["action"], Of("generation")), Is.EqualTo(("3/5", "Enforce", "1")));
        Admin.Patch(path, """{"spec":{"action":"Audit"}}""");
        Assert.That(Of("generation"), Is.EqualTo("2"));
        Assert.That(Admin.Send(HttpMethod.Patch, path + "/status", new JsonObject { ["status"] = new JsonObject { ["nodes"] = 3 } }, Api.MergePatch).Code, Is.EqualTo(422));
        var unversioned = (JsonObject)Admin.Get(path).Body.DeepClone();
        unversioned["metadata"]!.AsObject().Remove("resourceVersion");
        Assert.That(Admin.Send(HttpMethod.Put, path, unversioned).Code, Is.EqualTo(422), "a custom object is not replaced unseen");
        Admin.Delete(path);

        string Of(string field) => Admin.Get(path).Body["metadata"]![field]!.ToString();
    }

    [Test]
    public void A_table_has_the_columns_that_the_definitions_say()
    {
        var ns = TheCluster.Namespace();
        var folder = $"{Group}/namespaces/{ns}/meshpolicies";
        Admin.Apply($"{{apiVersion: nodemesh.io/v1alpha1, kind: MeshPolicy, metadata: {{name: p, namespace: {ns}}}, spec: {{ingress: [{{}}]}}}}");
        Admin.Patch($"{folder}/p/status", """{"status":{"nodes":"3/5","conditions":[{"type":"Accepted","status":"True","reason":"Accepted","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}""");
        var table = Admin.Send(HttpMethod.Get, folder, accept: "application/json;as=Table;v=v1;g=meta.k8s.io").Good("a table");
        Assert.That(((JsonArray)table["columnDefinitions"]!).Select(c => (string)c!["name"]!), Is.EqualTo(new[] { "Name", "Action", "Accepted", "Programmed", "Nodes", "Age" }));
        var cells = ((JsonArray)((JsonArray)table["rows"]!).Single()!["cells"]!).Select(c => c?.ToString() ?? "").ToList();
        Assert.That(cells.Take(5), Is.EqualTo(new[] { "p", "Enforce", "True", "", "3/5" }));
        Admin.Delete($"{folder}/p");
    }
}
