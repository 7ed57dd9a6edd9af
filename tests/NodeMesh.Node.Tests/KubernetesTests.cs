using System.Net;
using NodeMesh.Testing;
using NodeMesh.Testing.ApiServer;

namespace NodeMesh.Node.Tests;

/// <summary>The agent as on a cluster: its objects come from an API server, which may go away.</summary>
public sealed class KubernetesTests
{
    private const int Port = 6443;

    private NodeBox _box = null!;
    private PodBox _friend = null!;
    private PodBox _stranger = null!;
    private PodBox _server = null!;
    private InProcessApiServer _api = null!;
    private AgentProcess _agent = null!;

    [SetUp]
    public async Task StartMesh()
    {
        _box = new NodeBox();
        _friend = _box.AddPod("friend");
        _stranger = _box.AddPod("stranger");
        _server = _box.AddServer("server");
        _api = await StartApiServerAsync(new ObjectStore());
        _api.Put("nodes", $$"""{"metadata":{"name":"{{NodeBox.NodeName}}"},"status":{"addresses":[{"type":"InternalIP","address":"{{NodeBox.NodeAddress}}"}]} }""");
        _api.Put("namespaces", """{"metadata":{"name":"default"}}""");
        foreach (var pod in _box.Pods)
            _api.Put("pods", Pod(pod));
        _agent = _box.StartAgentOf(_api.Address).MustBeReady();
    }

    [TearDown]
    public async Task EndMesh()
    {
        Mesh.End(_box, _agent);
        await _api.DisposeAsync();
    }

    /// <summary>On the node's own loopback, where this process is not.</summary>
    private Task<InProcessApiServer> StartApiServerAsync(ObjectStore store, params string[] more) =>
        InProcessApiServer.StartAsync(_box.Node.Listen(IPAddress.Loopback, Port), store, [.. InProcessApiServer.BuiltIn, .. more]);

    private static string Pod(PodBox pod) => $$"""
        {"metadata":{"name":"{{pod.Name}}","namespace":"{{pod.Namespace}}","labels":{"app":"{{pod.Name}}"},"annotations":{"nodemesh.io/netns":"{{pod.Netns.Name}}"} },
         "spec":{"nodeName":"{{NodeBox.NodeName}}","containers":[{"name":"main","image":"example"}]},
         "status":{"phase":"Running","podIP":"{{pod.Address}}","podIPs":[{"ip":"{{pod.Address}}"},{"ip":"{{pod.Address6}}"}],"conditions":[{"type":"Ready","status":"True"}]} }
        """;

    private void OnlyFriends() => _api.Put("networking.k8s.io/networkpolicies", """
        {"metadata":{"name":"friends","namespace":"default"},"spec":{"podSelector":{"matchLabels":{"app":"server"}},"policyTypes":["Ingress"],
         "ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"friend"}}}],"ports":[{"port":80,"protocol":"TCP"}]}]}}
        """);

    private bool Reaches(PodBox client, string? url = null) => client.Netns.Curl(url ?? $"http://{_server.Address}/", "-m", "2").Status == 200;

    [Test]
    public void What_the_API_server_says_is_enforced_and_served()
    {
        OnlyFriends();
        Eventually.True(() => !Reaches(_stranger), "the stranger is refused");
        Assert.That(Reaches(_friend), "the friend passes");

        Service("web", "10.96.0.10");
        Eventually.True(() => Reaches(_friend, "http://10.96.0.10/"), "the service is served");
        Assert.That(Reaches(_stranger, "http://10.96.0.10/"), Is.False);

        // A pod's labels are what a policy goes by, at once.
        _api.Put("pods", Pod(_stranger).Replace("{\"app\":\"stranger\"}", "{\"app\":\"friend\"}", StringComparison.Ordinal));
        Eventually.True(() => Reaches(_stranger), "the stranger became a friend");
        _api.Store.Delete("networking.k8s.io/networkpolicies", "default", "friends");
        _api.Put("pods", Pod(_stranger));
        Eventually.True(() => Reaches(_stranger), "nothing is refused without a policy");
        Assert.That(_agent.Metric("nodemesh_source_objects{resource=\"pods\"}"), Is.EqualTo(3));
    }

    [Test]
    public async Task Without_the_API_server_the_last_state_stays_across_a_restart_and_status_says_so()
    {
        OnlyFriends();
        Eventually.True(() => !Reaches(_stranger), "the stranger is refused");
        var store = _api.Store;
        await _api.DisposeAsync();
        Eventually.True(() => _agent.Metric("nodemesh_source_connected{resource=\"pods\"}") < 1, "the metric says that pods are not followed");
        Assert.That(_agent.Cli("status").Output, Does.Contain("not followed"));
        Assert.That((Reaches(_friend), Reaches(_stranger)), Is.EqualTo((true, false)));

        // Without what was kept, only the kernel goes on.
        _agent.Terminate(TimeSpan.FromSeconds(60));
        _agent.Dispose();
        _agent = _box.StartAgentOf($"http://127.0.0.1:{Port}", "--object-cache", "false");
        Eventually.True(() => _box.Node.Curl("http://127.0.0.1:9464/readyz").Status == 503, "the agent runs and is not ready");
        Assert.That((Reaches(_friend), Reaches(_stranger)), Is.EqualTo((true, false)), "the kernel goes on with what it has");

        _api = await StartApiServerAsync(store);
        _agent.MustBeReady();
        Assert.That((Reaches(_friend), Reaches(_stranger)), Is.EqualTo((true, false)));
        _api.Store.Delete("networking.k8s.io/networkpolicies", "default", "friends");
        Eventually.True(() => Reaches(_stranger), "what changes is heard again");
    }

    [Test]
    public async Task An_agent_killed_and_started_while_the_API_server_is_away_serves_as_the_one_before()
    {
        foreach (var resource in s_custom)
            _api.Install(resource);
        Service("web", "10.96.0.10");
        Service("old", "10.96.0.11");
        _api.Put("gateway.networking.k8s.io/httproutes", """
            {"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"web","namespace":"default"},
             "spec":{"parentRefs":[{"group":"","kind":"Service","name":"web"}],"rules":[
              {"matches":[{"path":{"type":"PathPrefix","value":"/gone"}}],"filters":[{"type":"RequestRedirect","requestRedirect":{"hostname":"elsewhere.example","statusCode":301}}]},
              {"backendRefs":[{"name":"web","port":80}]}]}}
            """);
        _api.Put("nodemesh.io/meshpolicies", """
            {"apiVersion":"nodemesh.io/v1alpha1","kind":"MeshPolicy","metadata":{"name":"friends-read","namespace":"default"},
             "spec":{"podSelector":{"matchLabels":{"app":"server"}},"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"friend"}}}],"ports":[{"protocol":"TCP","port":80}],"http":[{"methods":["GET"]}]}]}}
            """);
        Eventually.True(() => AsBefore, $"everything is in force: {Seen}");
        Eventually.True(() => Reaches(_friend, "http://10.96.0.11/"), "the service without a route is served");
        var store = _api.Store;
        await _api.DisposeAsync();

        _agent.KillAtOnce();
        _agent.WaitForExit(TimeSpan.FromSeconds(60));
        _agent.Dispose();
        _agent = _box.StartAgentOf($"http://127.0.0.1:{Port}").MustBeReady();
        Assert.That(Seen, Is.EqualTo(s_asBefore));
        Assert.That(Reaches(_friend, "http://10.96.0.11/"), "what the proxy does not see");
        Assert.That(_agent.Cli("status").Output, Does.Contain("stale").And.Contain("not followed"));
        Assert.That(_agent.Metric("nodemesh_source_stale_objects{resource=\"pods\"}"), Is.EqualTo(3));
        Assert.That(_agent.Log, Does.Contain("does not answer"));

        // What was deleted meanwhile goes when the server says so, and what stayed is served all the while.
        using var load = Load.Start(_friend.Netns, "http://10.96.0.10/", seconds: 10, connections: 2);
        store.Delete("services", "default", "old");
        store.Delete("discovery.k8s.io/endpointslices", "default", "old-x");
        store.Delete("nodemesh.io/meshpolicies", "default", "friends-read");
        _api = await StartApiServerAsync(store, s_custom);
        Eventually.True(() => Reaches(_stranger), "the policy that was deleted is gone");
        Eventually.True(() => _friend.Netns.Curl("http://10.96.0.10/", "-m", "2", "-X", "POST").Status != 403, "for requests, too");
        Eventually.True(() => !Reaches(_friend, "http://10.96.0.11/"), "so is the service");
        Assert.That(_agent.Metric("nodemesh_source_stale_objects"), Is.Zero);
        Assert.That(_agent.Cli("status").Output, Does.Not.Contain("stale"));
        load.MustEndClean();
    }

    private static readonly string[] s_custom = ["gateway.networking.k8s.io/httproutes", "nodemesh.io/meshpolicies"];
    private static readonly (bool Friend, bool Stranger, int Get, int Post, int Redirected) s_asBefore = (true, false, 200, 403, 301);

    /// <summary>L4 policy, a service with a route, request policy, a redirect.</summary>
    private (bool Friend, bool Stranger, int Get, int Post, int Redirected) Seen =>
        (Reaches(_friend), Reaches(_stranger), _friend.Netns.Curl("http://10.96.0.10/", "-m", "2").Status, _friend.Netns.Curl("http://10.96.0.10/", "-m", "2", "-X", "POST").Status,
            _friend.Netns.Curl("http://10.96.0.10/gone", "-m", "2").Status);

    private bool AsBefore => Seen == s_asBefore;

    private void Service(string name, string address)
    {
        _api.Put("services", $$"""
            {"metadata":{"name":"{{name}}","namespace":"default"},"spec":{"clusterIP":"{{address}}","clusterIPs":["{{address}}"],"selector":{"app":"server"},"ports":[{"port":80,"targetPort":80,"protocol":"TCP"}]} }
            """);
        _api.Put("discovery.k8s.io/endpointslices", $$"""
            {"metadata":{"name":"{{name}}-x","namespace":"default","labels":{"kubernetes.io/service-name":"{{name}}"} },"addressType":"IPv4","ports":[{"name":"","port":80,"protocol":"TCP"}],
             "endpoints":[{"addresses":["{{_server.Address}}"],"nodeName":"{{NodeBox.NodeName}}","conditions":{"ready":true,"serving":true,"terminating":false} }]}
            """);
    }
}
