using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>HTTP routing by HTTPRoute with a Service as parent.</summary>
public sealed class RouteTests
{
    private const string Rules = """
        - matches: [ { headers: [ { name: x-version, value: "2" } ] } ]
          backendRefs: [ { name: v2, port: 80 } ]
        - matches: [ { path: { type: PathPrefix, value: /api } } ]
          filters: [ { type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /internal } } } ]
          backendRefs: [ { name: v1, port: 80 } ]
        - matches: [ { path: { type: Exact, value: /old } } ]
          filters: [ { type: RequestRedirect, requestRedirect: { path: { type: ReplaceFullPath, replaceFullPath: /new }, statusCode: 301 } } ]
        - matches: [ { path: { type: PathPrefix, value: /headers } } ]
          filters: [ { type: RequestHeaderModifier, requestHeaderModifier: { set: [ { name: x-added, value: by-route } ] } } ]
          backendRefs: [ { name: v1, port: 80 } ]
        - matches: [ { path: { type: PathPrefix, value: /nowhere } } ]
          backendRefs: [ { name: empty, port: 80 } ]
        - matches: [ { path: { type: PathPrefix, value: /split } } ]
          backendRefs: [ { name: v1, port: 80, weight: 90 }, { name: v2, port: 80, weight: 10 } ]
        """;

    private NodeBox _box = null!;
    private PodBox _client = null!;
    private PodBox _guest = null!;
    private PodBox _one = null!;
    private AgentProcess _agent = null!;

    [OneTimeSetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        _client = _box.AddPod("client");
        _one = _box.AddServer("one", labels: "app: web, version: v1");
        _box.AddServer("two", labels: "app: web, version: v2");
        _box.WriteConfig("web.yaml", Manifests.Service("web", "app: web", "10.96.0.10", "http:80:80", vip6: "fd00:96::10"));
        _box.WriteConfig("v1.yaml", Manifests.Service("v1", "version: v1", "10.96.0.11", "http:80:80", vip6: "fd00:96::11"));
        _box.WriteConfig("v2.yaml", Manifests.Service("v2", "version: v2", "10.96.0.12", "http:80:80", vip6: "fd00:96::12"));
        _box.WriteConfig("empty.yaml", Manifests.Service("empty", "app: nobody", "10.96.0.13", "http:80:80"));
        _box.WriteConfig("self.yaml", Manifests.Service("self", "app: client", "10.96.0.14", "http:80:80", vip6: "fd00:96::14"));
        _box.WriteConfig("route.yaml", Manifests.Route("routes", "web", Rules));
        _box.WriteConfig("route-self.yaml", Manifests.Route("self", "self", "self", 80));
        _box.AddNamespace("other");
        _guest = _box.AddPod("guest", "other");
        _box.WriteConfig("route-other.yaml", """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: { name: theirs, namespace: other }
            spec:
              parentRefs: [ { group: "", kind: Service, name: web, namespace: default } ]
              rules:
              - filters: [ { type: RequestRedirect, requestRedirect: { path: { type: ReplaceFullPath, replaceFullPath: /for-guests }, statusCode: 307 } } ]
            """);
        _agent = _box.StartAgent("--access-log", "text").MustBeReady();
    }

    [OneTimeTearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [Test]
    public void A_route_of_another_namespace_holds_for_the_clients_of_that_namespace_alone()
    {
        foreach (var address in (string[])["10.96.0.10", "[fd00:96::10]"])
        {
            Assert.That(_guest.Netns.Curl($"http://{address}/old").Status, Is.EqualTo(307));
            Assert.That(_client.Netns.Curl($"http://{address}/old").Status, Is.EqualTo(301));
            Assert.That(_client.Netns.Curl($"http://{address}/api").Status, Is.EqualTo(200));
        }
    }

    [TestCase("10.96.0.10")]
    [TestCase("[fd00:96::10]")]
    public void A_header_sends_a_request_to_one_version(string host) =>
        Assert.That(_client.Netns.Curl($"http://{host}/anything", "-H", "X-Version: 2").Body, Does.StartWith("two GET /anything"));

    [TestCase("10.96.0.10")]
    [TestCase("[fd00:96::10]")]
    public void A_path_prefix_is_rewritten(string host) =>
        Assert.That(_client.Netns.Curl($"http://{host}/api/users?id=1").Body, Does.StartWith("one GET /internal/users?id=1"));

    [Test]
    public void The_backend_sees_who_really_calls()
    {
        Assert.That(_client.Netns.Curl("http://10.96.0.10/api").Body, Does.Contain($"from {_client.Address} "));
        Assert.That(_client.Netns.Curl("http://[fd00:96::10]/api").Body, Does.Contain($"from {_client.Address6} "));
    }

    [Test]
    public void A_redirect_is_answered_by_the_proxy()
    {
        var answer = _client.Netns.Curl("http://10.96.0.10/old", "-i");
        Assert.That(answer.Status, Is.EqualTo(301));
        Assert.That(answer.Body, Does.Contain("http://10.96.0.10/new").IgnoreCase);
    }

    [Test]
    public void Headers_are_changed_and_the_request_is_identified()
    {
        var body = _client.Netns.Curl("http://10.96.0.10/headers").Body;
        Assert.That(body, Does.Contain("added=by-route"));
        Assert.That(body, Does.Match("id=[0-9a-f-]{36}"));
    }

    [Test]
    public void What_no_rule_matches_is_404_and_a_service_without_backends_503()
    {
        Assert.That(_client.Netns.Curl("http://10.96.0.10/unknown").Status, Is.EqualTo(404));
        Assert.That(_client.Netns.Curl("http://10.96.0.10/nowhere").Status, Is.EqualTo(503));
        Eventually.True(() => _agent.Log.Contains(" UH ", StringComparison.Ordinal) && _agent.Log.Contains(" NR ", StringComparison.Ordinal),
            "the access log says why");
    }

    [Test]
    public void Weights_split_traffic()
    {
        var result = _client.Netns.Script("for i in $(seq 50); do echo http://10.96.0.10/split/$i; done | xargs -n 10 curl -s");
        for (var i = 0; i < 9; i++)
            result = result with { Output = result.Output + _client.Netns.Script("for i in $(seq 50); do echo http://10.96.0.10/split/$i; done | xargs -n 10 curl -s").Output };
        var two = result.Output.Split('\n').Count(l => l.StartsWith("two", StringComparison.Ordinal));
        var all = result.Output.Split('\n').Count(l => l.Length > 0);
        Assert.That(all, Is.EqualTo(500));
        Assert.That(two, Is.InRange(15, 100), "10% of 500");
    }

    [TestCase("10.96.0.14")]
    [TestCase("[fd00:96::14]")]
    public void A_pod_reaches_itself_through_a_routed_service(string host)
    {
        using var nginx = _client.StartNginx("self");
        Assert.That(_client.Netns.Curl($"http://{host}/me").Body, Does.StartWith("self GET /me"));
    }

    [TestCase("10.96.0.10")]
    [TestCase("[fd00:96::10]")]
    public void A_process_of_the_node_reaches_the_backends_of_a_routed_service(string host)
    {
        // It has no veth at which to be handed over, so routes are for pods: the connect hook takes one of the service's own backends.
        Assert.That(_box.Node.Curl($"http://{host}/anything").Status, Is.EqualTo(200));
    }

    [Test]
    public void A_changed_route_is_visible_in_the_next_requests_and_traffic_never_fails()
    {
        _box.WriteConfig("v3.yaml", Manifests.Service("live", "version: v1", "10.96.0.20", "http:80:80"));
        _box.WriteConfig("route-live.yaml", Manifests.Route("live", "live", "v1", 80));
        Eventually.True(() => _client.Netns.Curl("http://10.96.0.20/").Body.StartsWith("one", StringComparison.Ordinal), "first version");
        using var load = Load.Start(_client.Netns, "http://10.96.0.20/", 3, connections: 8);
        _box.WriteConfig("route-live.yaml", Manifests.Route("live", "live", "v2", 80));
        Eventually.True(() => _client.Netns.Curl("http://10.96.0.20/").Body.StartsWith("two", StringComparison.Ordinal), "second version");
        load.MustEndClean();
    }
}
