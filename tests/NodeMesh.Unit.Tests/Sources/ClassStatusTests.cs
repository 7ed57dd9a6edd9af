using System.Text.Json.Nodes;
using NodeMesh.Sources.Kubernetes;
using NodeMesh.Sources.Kubernetes.Status;

namespace NodeMesh.Unit.Tests.Sources;

internal sealed class ClassStatusTests
{
    private const string Ours = "nodemesh.io/gateway-controller";

    private static JsonObject? Status(string controller, string more = "", JsonObject? before = null)
    {
        var (_, _, found) = Manifests.Read($$"""
            apiVersion: gateway.networking.k8s.io/v1
            kind: GatewayClass
            metadata: {name: c}
            spec: {controllerName: {{controller}}{{more}} }
            """);
        var resource = Resource.All.Single(r => r.Kind.Kind == "GatewayClass");
        var gatewayClass = new StatusObject(resource, "v1", new("", "c"), "uid", 2, 1, "1", before, null) { Controller = controller };
        return ClassStatus.Of(gatewayClass, found, new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
    }

    [TestCase("", "True Accepted")]
    [TestCase(", description: edge", "True Accepted")]
    [TestCase(", parametersRef: {group: example.com, kind: Parameters, name: p}", "False InvalidParameters")]
    public void It_is_accepted_unless_it_has_parameters(string more, string expected)
    {
        var condition = Conditions.Find((JsonArray)Status(Ours, more)!["conditions"]!, "Accepted")!;
        Assert.That($"{condition["status"]} {condition["reason"]}", Is.EqualTo(expected));
        Assert.That((long)condition["observedGeneration"]!, Is.EqualTo(2));
    }

    [Test]
    public void What_is_not_ours_stays()
    {
        Assert.That(Status("example.com/other"), Is.Null);
        var before = (JsonObject)JsonNode.Parse("""
            {"supportedFeatures":[{"name":"Gateway"}],"conditions":[{"type":"Accepted","status":"Unknown","reason":"Pending"},{"type":"SupportedVersion","status":"True"}]}
            """)!;
        var after = Status(Ours, before: before)!;
        Assert.That(((JsonArray)after["conditions"]!).Select(c => $"{c!["type"]} {c["status"]}"), Is.EqualTo(new[] { "Accepted True", "SupportedVersion True" }));
        Assert.That(JsonNode.DeepEquals(after["supportedFeatures"], before["supportedFeatures"]));
        Assert.That(JsonNode.DeepEquals(Status(Ours, before: after), after), "it is not written again");
    }
}
