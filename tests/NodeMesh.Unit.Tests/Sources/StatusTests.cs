using System.Text.Json.Nodes;
using NodeMesh.Sources;
using NodeMesh.Sources.Kubernetes;
using NodeMesh.Sources.Kubernetes.Status;
using NodeMesh.Testing;
using NodeMesh.Testing.ApiServer;
using NodeMesh.Unit.Tests.Deploy;

namespace NodeMesh.Unit.Tests.Sources;

/// <summary>Statuses and events as they are written to an API server in this process.</summary>
internal sealed class StatusTests
{
    private const string Policies = "nodemesh.io/meshpolicies";
    private const string Routes = "gateway.networking.k8s.io/httproutes";
    private const string Classes = "gateway.networking.k8s.io/gatewayclasses";

    private readonly List<ApiAgent> _agents = [];
    private InProcessApiServer _server = null!;

    [SetUp]
    public async Task Begin()
    {
        _server = await InProcessApiServer.StartAsync([.. InProcessApiServer.BuiltIn, Policies, "nodemesh.io/clustermeshpolicies", Routes, Classes, "gateway.networking.k8s.io/referencegrants"]);
        _server.Put("namespaces", """{"metadata":{"name":"shop"}}""");
        _server.Put("services", """{"metadata":{"name":"web","namespace":"shop"},"spec":{"clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1"],"ports":[{"port":80}]}}""");
    }

    [TearDown]
    public async Task End()
    {
        foreach (var agent in _agents)
            agent.Dispose();
        _agents.Clear();
        await _server.DisposeAsync();
    }

    private ApiAgent Start(string node)
    {
        var agent = new ApiAgent(_server.Client(), node);
        _agents.Add(agent);
        return agent;
    }

    private void Policy(string name, string action = "Allow") => _server.Put(Policies, $$"""
        {"apiVersion":"nodemesh.io/v1alpha1","kind":"MeshPolicy","metadata":{"name":"{{name}}","namespace":"shop"},"spec":{"ingress":[{"action":"{{action}}","from":[{"entity":"cluster"}]}]} }
        """);

    private JsonObject? StatusOf(string resource, string name) => _server.Store.Get(resource, "shop", name)["status"] as JsonObject;

    private static string Condition(JsonNode? holder, string type) =>
        Conditions.Find(holder?["conditions"] as JsonArray, type) is { } c ? $"{c["status"]} {c["reason"]} {c["observedGeneration"]}" : "";

    [Test]
    public void A_policy_says_whether_it_is_accepted_and_on_how_many_nodes_it_is_enforced()
    {
        Policy("p");
        Start("n1");
        Eventually.True(() => Condition(StatusOf(Policies, "p"), "Programmed") == "True Programmed 1", "it is programmed on one node of one");
        Assert.That(Condition(StatusOf(Policies, "p"), "Accepted"), Is.EqualTo("True Accepted 1"));
        Assert.That((string?)StatusOf(Policies, "p")!["nodes"], Is.EqualTo("1/1"));

        var slow = Start("n2");
        Eventually.True(() => _server.Store.List("coordination.k8s.io/leases", "nodemesh-system", "nodemesh-node-n2").Objects.Count == 1, "the second node reports");
        slow.Enforces = false;
        Policy("p", "Deny");
        Eventually.True(() => Condition(StatusOf(Policies, "p"), "Programmed") == "False Pending 2" && (string?)StatusOf(Policies, "p")!["nodes"] == "1/2", "one of two", TimeSpan.FromMinutes(2));
        slow.Enforces = true;
        Eventually.True(() => Condition(StatusOf(Policies, "p"), "Programmed") == "True Programmed 2", "both of them", TimeSpan.FromMinutes(2));
        Assert.That(_agents.SelectMany(a => a.Problems), Is.Empty);
    }

    [Test]
    public void What_is_wrong_with_a_policy_is_in_its_status_and_one_event_by_one_agent()
    {
        Start("n1");
        Start("n2");
        Policy("bad", "Perhaps");
        Eventually.True(() => Condition(StatusOf(Policies, "bad"), "Accepted") == "False Invalid 1", "it is refused");
        Eventually.True(() => _server.Store.List("events", "shop", "").Objects.Count == 1, "an event says so");
        var said = _server.Store.List("events", "shop", "").Objects.Single();
        Assert.That((string?)said["message"], Does.Contain("Perhaps"));
        Assert.That((string?)said["involvedObject"]!["name"], Is.EqualTo("bad"));

        Policy("bad");
        Eventually.True(() => Condition(StatusOf(Policies, "bad"), "Accepted") == "True Accepted 2", "it is mended");
        Assert.That(_server.Requests.Count(r => r is { Verb: "create", Resource: "events" }), Is.EqualTo(1));
    }

    /// <summary>What is only read is compared by RoleTests.</summary>
    [Test]
    public void The_role_of_deploy_allows_what_writing_takes_and_nothing_else()
    {
        Policy("good");
        Policy("bad", "Perhaps");
        _server.Put("nodemesh.io/clustermeshpolicies", """{"apiVersion":"nodemesh.io/v1alpha1","kind":"ClusterMeshPolicy","metadata":{"name":"all"},"spec":{"ingress":[{"from":[{"entity":"cluster"}]}]} }""");
        Route("route", "web", """{"name":"web","port":80}""");
        Class("ours");
        Start("n1");
        Eventually.True(() => ClassAccepted("ours").StartsWith("True", StringComparison.Ordinal) && StatusOf(Policies, "good") is not null && StatusOf(Policies, "bad") is not null && StatusOf(Routes, "route") is not null
            && _server.Store.Get("nodemesh.io/clustermeshpolicies", "", "all")["status"] is not null && _server.Store.List("events", "shop", "").Objects.Count == 1, "all is said");

        // Its second turn renews what its first one made.
        Eventually.True(() => Asked().Contains("update coordination.k8s.io/leases"), "the Lease is renewed", TimeSpan.FromMinutes(2));
        var granted = Manifest.Granted("ClusterRole").Where(g => g.Split(' ')[0] is not ("get" or "list" or "watch")).Concat(Manifest.Granted("Role"));
        Assert.That(Asked(), Is.EquivalentTo(granted));

        HashSet<string> Asked() =>
            [.. _server.Requests.Where(r => r.Verb is not ("get" or "list" or "watch") || r.Resource == "coordination.k8s.io/leases").Select(r => $"{r.Verb} {r.Resource}")];
    }

    private void Route(string name, string parent, string backend) => _server.Put(Routes, $$"""
        {"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"{{name}}","namespace":"shop"},
         "spec":{"parentRefs":[{"group":"","kind":"Service","name":"{{parent}}","port":80}],"rules":[{"backendRefs":[{{backend}}]}]} }
        """);

    private void Class(string name, string controller = "nodemesh.io/gateway-controller") => _server.Put(Classes, $$"""
        {"apiVersion":"gateway.networking.k8s.io/v1","kind":"GatewayClass","metadata":{"name":"{{name}}"},"spec":{"controllerName":"{{controller}}"},
         "status":{"conditions":[{"type":"Accepted","status":"Unknown","reason":"Pending","message":"Waiting for controller","lastTransitionTime":"1970-01-01T00:00:00Z"}]} }
        """);

    [Test]
    public void A_class_of_ours_is_accepted_and_one_of_others_left_alone()
    {
        Class("theirs", "example.com/other");
        Class("ours");
        Start("n1");
        Eventually.True(() => ClassAccepted("ours") == "True Accepted 1", "it is accepted");
        Assert.That(ClassAccepted("theirs"), Is.EqualTo("Unknown Pending "));
    }

    private string ClassAccepted(string name) => Condition(_server.Store.Get(Classes, "", name)["status"], "Accepted");

    private string RouteCondition(string name, string type) => Condition((StatusOf(Routes, name)?["parents"] as JsonArray)?.FirstOrDefault(p => (string?)p!["controllerName"] == RouteStatus.MeshController), type);

    [TestCase("web", """{"name":"web","port":80}""", "True Accepted 1", "True ResolvedRefs 1")]
    [TestCase("none", """{"name":"web","port":80}""", "False NoMatchingParent 1", "True ResolvedRefs 1")]
    [TestCase("web", """{"name":"none","port":80}""", "True Accepted 1", "False BackendNotFound 1")]
    public void A_route_says_at_each_parent_what_became_of_it(string parent, string backend, string accepted, string resolved)
    {
        Route("r", parent, backend);
        Start("n1");
        Eventually.True(() => RouteCondition("r", "Accepted").Length > 0, "the route has a status");
        Assert.That((RouteCondition("r", "Accepted"), RouteCondition("r", "ResolvedRefs")), Is.EqualTo((accepted, resolved)));
        Assert.That((string?)StatusOf(Routes, "r")!["parents"]![0]!["parentRef"]!["name"], Is.EqualTo(parent));
    }

    [Test]
    public void What_other_controllers_say_of_a_route_stays()
    {
        Route("r", "web", """{"name":"web","port":80}""");
        var route = (JsonObject)_server.Store.Get(Routes, "shop", "r").DeepClone();
        route["status"] = JsonNode.Parse("""{"parents":[{"controllerName":"example.com/other","parentRef":{"name":"edge"},"conditions":[]}]}""");
        _server.Store.Put(Routes, route);
        Start("n1");
        Eventually.True(() => RouteCondition("r", "Accepted").Length > 0, "the route has our status");
        var controllers = ((JsonArray)StatusOf(Routes, "r")!["parents"]!).Select(p => (string?)p!["controllerName"]);
        Assert.That(controllers, Is.EqualTo(new[] { "example.com/other", RouteStatus.MeshController }));
    }

    /// <param name="ahead">Of the first agent's clock before the second's, in minutes.</param>
    [TestCase(0)]
    [TestCase(90)]
    [TestCase(-90)]
    public async Task One_agent_writes_until_its_time_is_over_whatever_the_clocks_say(int ahead)
    {
        using var server = new NodeMesh.Sources.Kubernetes.ApiServer(new ApiServerAccess(_server.Client()));
        var time = new ManualTime();
        var skewed = new SkewedTime(time) { Skew = TimeSpan.FromMinutes(ahead) };
        var first = new LeaderLease(server, "nodemesh-system", "n1", skewed);
        var second = new LeaderLease(server, "nodemesh-system", "n2", time);
        Assert.That(await first.HoldsAsync(default));
        Assert.That(await second.HoldsAsync(default), Is.False);
        for (var i = 0; i < 5; i++)
        {
            time.Advance(TimeSpan.FromSeconds(11));
            skewed.Skew = -skewed.Skew; // and it is set meanwhile
            Assert.That((await first.HoldsAsync(default), await second.HoldsAsync(default)), Is.EqualTo((true, false)));
        }

        for (var i = 0; i < 2; i++)
        {
            time.Advance(TimeSpan.FromSeconds(11));
            Assert.That(await second.HoldsAsync(default), Is.False);
        }

        time.Advance(TimeSpan.FromSeconds(11));
        Assert.That(await second.HoldsAsync(default), "the first has said nothing for its whole time");
        Assert.That(await first.HoldsAsync(default), Is.False);
    }

    [TestCase(90)]
    [TestCase(-90)]
    public async Task A_node_counts_while_it_reports_whatever_its_clock_says(int ahead)
    {
        using var server = new NodeMesh.Sources.Kubernetes.ApiServer(new ApiServerAccess(_server.Client()));
        var time = new ManualTime();
        var skewed = new SkewedTime(time) { Skew = TimeSpan.FromMinutes(ahead) };
        var far = new NodeReport(server, "nodemesh-system", "far", skewed);
        var here = new NodeReport(server, "nodemesh-system", "here", time);
        for (var i = 0; i < 5; i++)
        {
            await far.SayAsync(SourceProgress.None.Marks, SourceProgress.None.Marks, default);
            await here.SayAsync(SourceProgress.None.Marks, SourceProgress.None.Marks, default);
            Assert.That(await here.AllAsync(default), Has.Count.EqualTo(2));
            time.Advance(TimeSpan.FromSeconds(31));
            skewed.Skew = -skewed.Skew; // and it is set meanwhile
        }

        // It was said last, and seen, 31 s ago.
        time.Advance(TimeSpan.FromSeconds(60));
        await here.SayAsync(SourceProgress.None.Marks, SourceProgress.None.Marks, default);
        Assert.That(await here.AllAsync(default), Has.Count.EqualTo(1), "the other has said nothing for its whole time");
    }

    [Test]
    public void Another_writer_with_another_clock_writes_nothing_anew()
    {
        Policy("good");
        Policy("bad", "Perhaps");
        Route("route", "web", """{"name":"web","port":80}""");
        Class("ours");
        var time = new SkewedTime(TimeProvider.System) { Skew = TimeSpan.FromHours(2) };
        var before = new ApiAgent(_server.Client(), "n1", time);
        Eventually.True(() => IsAllSaid() && Condition(StatusOf(Policies, "good"), "Programmed").StartsWith("True", StringComparison.Ordinal), "all is said");
        before.Dispose();
        var (written, events) = (Written(), _server.Store.List("events", "shop", "").Objects.Count);

        // Nobody holds the Lease any more, so that nobody has to wait for it.
        _server.Store.Delete("coordination.k8s.io/leases", "nodemesh-system", "nodemesh-status");
        Start("n1");
        Eventually.True(() => _server.Store.List("coordination.k8s.io/leases", "nodemesh-system", "nodemesh-status").Objects.Count == 1, "it is its turn");
        Policy("last");
        Eventually.True(() => Condition(StatusOf(Policies, "last"), "Programmed").StartsWith("True", StringComparison.Ordinal), "it writes what is new");
        Assert.That(Written().Except(written).Select(r => r.Name).Distinct(), Is.EqualTo(new[] { "last" }));
        Assert.That(_server.Store.List("events", "shop", "").Objects, Has.Count.EqualTo(events));

        bool IsAllSaid() => ClassAccepted("ours").StartsWith("True", StringComparison.Ordinal) && StatusOf(Policies, "bad") is not null && StatusOf(Routes, "route") is not null && _server.Store.List("events", "shop", "").Objects.Count == 1;
        ApiRequest[] Written() => [.. _server.Requests.Where(r => r.Verb == "patch" && r.Resource.EndsWith("/status", StringComparison.Ordinal))];
    }
}
