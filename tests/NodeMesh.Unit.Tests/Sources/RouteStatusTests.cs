using System.Text.Json.Nodes;
using NodeMesh.Compiler;
using NodeMesh.Model;
using NodeMesh.Sources.Kubernetes;
using NodeMesh.Sources.Kubernetes.Status;

namespace NodeMesh.Unit.Tests.Sources;

/// <summary>What a route's status says at each of its parents, in the words of Gateway API.</summary>
internal sealed class RouteStatusTests
{
    private static readonly string World = string.Join("\n---\n",
        Manifests.Service("web", "10.96.0.1", "[{name: http, port: 80, targetPort: 80}, {name: sql, port: 3306, targetPort: 80, appProtocol: mysql}, {name: dns, port: 53, protocol: UDP, targetPort: 53}]"),
        Manifests.Service("db", "10.96.0.2", "[{name: tcp, port: 5432, targetPort: 80}]"),
        Manifests.Service("h2c", "10.96.0.4", "[{name: http2, port: 80, targetPort: 80, appProtocol: kubernetes.io/h2c}]"),
        Manifests.Service("headless", "None"),
        Manifests.Service("far", "10.96.0.3").Replace("namespace: shop", "namespace: other"),
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: GatewayClass
        metadata: {name: nodemesh}
        spec: {controllerName: nodemesh.io/gateway-controller}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: edge, namespace: shop}
        spec: {gatewayClassName: nodemesh, listeners: [{name: web, port: 80, protocol: HTTP, hostname: '*.example.com'}]}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: theirs, namespace: other}
        spec: {gatewayClassName: nodemesh, listeners: [{name: web, port: 81, protocol: HTTP}]}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: foreign, namespace: shop}
        spec: {gatewayClassName: somebody, listeners: [{name: web, port: 82, protocol: HTTP}]}
        """);

    private const string Web = """{"group":"","kind":"Service","name":"web","port":80}""";
    private const string Good = """{"backendRefs":[{"name":"web","port":80}]}""";

    /// <summary>The status of a route, whose parts are JSON, which is YAML, too.</summary>
    private static JsonObject? Status(string parents, string rule = Good, JsonObject? before = null, long generation = 3, string more = "")
    {
        var (mesh, _, _) = Manifests.Read(World, Manifests.Route($"{{\"parentRefs\":[{parents}],\"rules\":[{rule}]{more}}}"));
        var found = MeshCompiler.Compile(mesh, new NodeFacts("n1", [], [])).Diagnostics.Where(d => d.Object == new ObjectRef("HTTPRoute", new("shop", "r"))).ToList();
        var route = new StatusObject(
            Resource.All.Single(r => r.Kind.Kind == "HTTPRoute"), "v1", new("shop", "r"), "uid", generation, 1, "1", before, (JsonArray)JsonNode.Parse($"[{parents}]")!);
        return RouteStatus.Of(route, mesh, found, new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
    }

    private static string Condition(JsonNode? parent, string type) =>
        Conditions.Find((JsonArray)parent!["conditions"]!, type) is { } c ? $"{c["status"]} {c["reason"]}" : "";

    private static JsonArray Parents(JsonObject? status) => (JsonArray)status!["parents"]!;

    [TestCase(Web, "True Accepted")]
    [TestCase("""{"group":"","kind":"Service","name":"web"}""", "True Accepted")]
    [TestCase("""{"group":"","kind":"Service","name":"web","sectionName":"http"}""", "True Accepted")]
    [TestCase("""{"group":"","kind":"Service","name":"far","namespace":"other"}""", "True Accepted")]
    [TestCase("""{"group":"","kind":"Service","name":"gone"}""", "False NoMatchingParent")]
    [TestCase("""{"group":"","kind":"Service","name":"headless"}""", "False NoMatchingParent")]
    [TestCase("""{"group":"","kind":"Service","name":"web","port":81}""", "False NoMatchingParent")]
    [TestCase("""{"group":"","kind":"Service","name":"web","port":53}""", "False NoMatchingParent")]
    [TestCase("""{"group":"","kind":"Service","name":"web","port":3306}""", "False NoMatchingParent")]
    [TestCase("""{"group":"","kind":"Service","name":"web","sectionName":"admin"}""", "False NoMatchingParent")]
    [TestCase("""{"group":"","kind":"Service","name":"web","port":80,"sectionName":"sql"}""", "False NoMatchingParent")]
    [TestCase("""{"group":"","kind":"Service","name":"db"}""", "False NoMatchingParent")]
    [TestCase("""{"name":"edge"}""", "True Accepted")]
    [TestCase("""{"name":"edge","sectionName":"other"}""", "False NoMatchingParent")]
    [TestCase("""{"name":"theirs","namespace":"other"}""", "False NotAllowedByListeners")]
    public void A_parent_takes_the_route_or_says_why_not(string parent, string accepted)
    {
        var said = Parents(Status(parent)).Single()!;
        Assert.That((Condition(said, "Accepted"), Condition(said, "ResolvedRefs")), Is.EqualTo((accepted, "True ResolvedRefs")));
        Assert.That(JsonNode.DeepEquals(said["parentRef"], JsonNode.Parse(parent)), "as it is written");
        Assert.That(((JsonArray)said["conditions"]!).Select(c => (long)c!["observedGeneration"]!), Is.All.EqualTo(3));
    }

    [Test]
    public void A_Gateway_says_that_no_hostname_is_its_listeners()
    {
        var said = Parents(Status("""{"name":"edge"},""" + Web, more: ",\"hostnames\":[\"www.example.org\"]"));
        Assert.That(said.Select(p => Condition(p, "Accepted")), Is.EqualTo(new[] { "False NoMatchingListenerHostname", "True Accepted" }), "a Service has no hostnames");
    }

    [TestCase(Good, "True ResolvedRefs")]
    [TestCase("""{"backendRefs":[{"name":"headless","port":80}]}""", "True ResolvedRefs")]
    [TestCase("""{"backendRefs":[{"name":"far","namespace":"other","port":80}]}""", "True ResolvedRefs")]
    [TestCase("""{"backendRefs":[{"name":"web","port":80},{"name":"gone","port":80}]}""", "False BackendNotFound")]
    [TestCase("""{"backendRefs":[{"name":"web","port":81}]}""", "False BackendNotFound")]
    [TestCase("""{"backendRefs":[{"name":"web","port":80,"group":"example.com","kind":"Bucket"}]}""", "False InvalidKind")]
    [TestCase("""{"backendRefs":[{"name":"h2c","port":80}]}""", "False UnsupportedProtocol")]
    [TestCase("""{"backendRefs":[{"name":"gone","port":80,"weight":0}]}""", "False BackendNotFound")]
    public void References_are_resolved_or_it_says_why_not(string rule, string resolved)
    {
        var said = Parents(Status(Web, rule)).Single();
        Assert.That((Condition(said, "Accepted"), Condition(said, "ResolvedRefs")), Is.EqualTo(("True Accepted", resolved)));
    }

    [Test]
    public void A_grant_is_missing_at_the_Gateway_alone() =>
        Assert.That(
            Parents(Status(Web + """,{"name":"edge"}""", """{"backendRefs":[{"name":"far","namespace":"other","port":80}]}""")).Select(p => Condition(p, "ResolvedRefs")),
            Is.EqualTo(new[] { "True ResolvedRefs", "False RefNotPermitted" }));

    [TestCase("""{"filters":[{"type":"RequestMirror","requestMirror":{"backendRef":{"name":"web","port":80}}}]}""", "False UnsupportedValue")]
    [TestCase("""{"filters":[{"type":"CORS","cors":{}}]}""", "False UnsupportedValue")]
    [TestCase("""{"filters":[{"type":"ExtensionRef","extensionRef":{"group":"a","kind":"b","name":"c"}}]}""", "False UnsupportedValue")]
    [TestCase("""{"retry":{"attempts":2},"backendRefs":[{"name":"web","port":80}]}""", "False UnsupportedValue")]
    [TestCase("""{"matches":[{"path":{"type":"RegularExpression","value":"["}}]}""", "False UnsupportedValue")]
    [TestCase("""{"filters":[{"type":"RequestRedirect","requestRedirect":{}},{"type":"URLRewrite","urlRewrite":{"hostname":"a.b"}}]}""", "False IncompatibleFilters")]
    [TestCase("""{"matches":[{"headers":[{"name":"a","value":"b"},{"name":"A","value":"c"}]}],"backendRefs":[{"name":"web","port":80}]}""", "True Accepted")]
    public void A_route_that_cannot_be_used_says_so_at_every_parent(string rule, string accepted) =>
        Assert.That(Parents(Status(Web + """,{"name":"edge"}""", rule)).Select(p => Condition(p, "Accepted")), Is.EqualTo(new[] { accepted, accepted }));

    [Test]
    public void Each_of_several_parents_has_its_own_and_none_of_other_kinds_and_classes()
    {
        var said = Parents(Status($$"""
            {"group":"example.com","kind":"Mesh","name":"x"},{"name":"foreign"},{{Web}},{"group":"","kind":"Service","name":"web","port":81},{"group":"","kind":"Service","name":"far","namespace":"other","port":80}
            """));
        Assert.That(said.Select(p => $"{p!["parentRef"]!["name"]}:{p["parentRef"]!["port"]} {Condition(p, "Accepted")}"),
            Is.EqualTo(new[] { "web:80 True Accepted", "web:81 False NoMatchingParent", "far:80 True Accepted" }));
        Assert.That(said.Select(p => (string?)p!["controllerName"]), Is.All.EqualTo(RouteStatus.MeshController));
    }

    [Test]
    public void What_stays_keeps_its_time_and_a_parent_that_is_no_longer_named_goes()
    {
        var before = Status(Web + """,{"group":"","kind":"Service","name":"db"}""", generation: 2)!;
        foreach (var condition in Parents(before).SelectMany(p => (JsonArray)p!["conditions"]!))
            condition!["lastTransitionTime"] = "2025-01-01T00:00:00Z";
        var said = Parents(Status(Web, """{"backendRefs":[{"name":"gone","port":80}]}""", before)).Single()!;
        Assert.That(((JsonArray)said["conditions"]!).Select(c => $"{c!["type"]} {c["observedGeneration"]} {c["lastTransitionTime"]}"),
            Is.EqualTo(new[] { "Accepted 3 2025-01-01T00:00:00Z", "ResolvedRefs 3 2026-01-02T03:04:05Z" }));
        Assert.That(Parents(Status("""{"name":"foreign"}""", before: before)), Is.Empty);
        Assert.That(Status("""{"name":"foreign"}"""), Is.Null, "no status of ours, where none was");
    }
}
