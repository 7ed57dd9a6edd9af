using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using NodeMesh.Testing;
using NodeMesh.Testing.ApiServer;
using k8s.Authentication;

namespace NodeMesh.ApiServer.Tests;

/// <summary>The account of deploy/rbac.yaml: what it may, the other tests show; here is what it may not, and how its token changes.</summary>
internal sealed class AccessTests : ClusterTests
{
    private static Api Admin => TheCluster.Admin;

    [TestCase("GET", "/api/v1/namespaces/default/configmaps")]
    [TestCase("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles")]
    [TestCase("GET", "/apis/coordination.k8s.io/v1/namespaces/default/leases")]
    [TestCase("DELETE", "/api/v1/namespaces/default/pods/any")]
    [TestCase("DELETE", "/apis/nodemesh.io/v1alpha1/clustermeshpolicies/any")]
    [TestCase("PATCH", "/apis/nodemesh.io/v1alpha1/clustermeshpolicies/any")]
    [TestCase("PATCH", "/api/v1/nodes/any/status")]
    [TestCase("POST", "/api/v1/namespaces/default/secrets")]
    [TestCase("POST", "/api/v1/namespaces/nodemesh-system/serviceaccounts/nodemesh-agent/token")]
    public void What_the_role_does_not_say_is_forbidden(string method, string path)
    {
        using var agent = new Api(TheCluster.AgentsAccount());
        var body = method is "POST" or "PATCH" ? new JsonObject { ["metadata"] = new JsonObject { ["name"] = "any" } } : null;
        Assert.That(agent.Send(new HttpMethod(method), path, body, method == "PATCH" ? Api.MergePatch : "application/json").Code, Is.EqualTo(403));
    }

    [TestCase("/api/v1/pods")]
    [TestCase("/api/v1/secrets?fieldSelector=metadata.name%3Dany")]
    [TestCase("/apis/nodemesh.io/v1alpha1/meshpolicies")]
    [TestCase("/apis/coordination.k8s.io/v1/namespaces/nodemesh-system/leases")]
    public void What_it_says_is_not(string path)
    {
        using var agent = new Api(TheCluster.AgentsAccount());
        Assert.That(agent.Get(path).Code, Is.EqualTo(200));
    }

    [Test]
    public void Who_does_not_say_who_asks_is_not_let_in()
    {
        using var nobody = new Api(TheCluster.Cluster.Nobody);
        Assert.That(nobody.Get("/api/v1/pods").Code, Is.EqualTo(403));
        var liar = TheCluster.Cluster.Nobody;
        liar.AccessToken = "made-up";
        using var lies = new Api(liar);
        Assert.That(lies.Get("/api/v1/pods").Code, Is.EqualTo(401));
    }

    private sealed class CurrentToken(Func<string> token) : ITokenProvider
    {
        public Task<AuthenticationHeaderValue> GetAuthenticationHeaderAsync(CancellationToken cancellationToken) => Task.FromResult(new AuthenticationHeaderValue("Bearer", token()));
    }

    [Test]
    public void A_token_that_is_no_more_is_followed_by_the_next()
    {
        var ns = TheCluster.Namespace();
        var first = TheCluster.AgentsAccount(Bond("first"));
        var token = first.AccessToken;
        var configuration = TheCluster.Cluster.Nobody;
        configuration.TokenProvider = new CurrentToken(() => Volatile.Read(ref token));
        using var agent = new ApiAgent(configuration);
        agent.Until(m => m.Namespaces.Any(n => n.Name == ns), "it is heard with the first token");

        // As a kubelet does it: the next token is there before the old one ends.
        Volatile.Write(ref token, TheCluster.AgentsAccount(Bond("second")).AccessToken);
        Admin.Delete($"/api/v1/namespaces/{TheCluster.Home}/secrets/first-{ns}");
        using var old = new Api(first);
        Eventually.True(() => old.Get("/api/v1/pods").Code == 401, "the first token is no more", TimeSpan.FromMinutes(3));
        TheCluster.Cluster.Kill();
        TheCluster.Cluster.StartAgain();
        var late = TheCluster.Namespace();
        agent.Until(m => m.Namespaces.Any(n => n.Name == late), "it goes on with the second");

        JsonObject Bond(string name) => Admin.Create(Yaml.Object($"{{apiVersion: v1, kind: Secret, metadata: {{name: {name}-{ns}, namespace: {TheCluster.Home}}}}}")).Good("a secret");
    }
}
