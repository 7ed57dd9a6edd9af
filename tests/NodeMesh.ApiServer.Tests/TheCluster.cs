using System.Text.Json.Nodes;
using k8s;
using NodeMesh.ApiServer.Tests.Clusters;
using NodeMesh.Testing;

namespace NodeMesh.ApiServer.Tests;

/// <summary>
/// One cluster for all tests: in this process, or, where NODEMESH_APISERVER is "real", the programs that KUBE_APISERVER and ETCD name. What deploy/ says is applied
/// to it; each test has a namespace of its own, since without controllers none can be taken away again.
/// </summary>
[SetUpFixture]
public sealed class TheCluster
{
    /// <summary>Where the agents' account and Leases are.</summary>
    public const string Home = "nodemesh-system";

    private static readonly string s_deploy = Path.Combine(RepoRoot.Path, "deploy");
    private static int s_namespaces;

    internal static ICluster Cluster { get; private set; } = null!;

    internal static Api Admin { get; private set; } = null!;

    public static bool IsReal => Environment.GetEnvironmentVariable("NODEMESH_APISERVER") == "real";

    [OneTimeSetUp]
    public void Begin()
    {
        Cluster = IsReal ? new ControlPlane(Program("KUBE_APISERVER"), Program("ETCD")) : new InProcessCluster();
        Admin = new Api(Cluster.Admin);
        foreach (var file in new[] { "namespace.yaml", "crds/meshpolicies.yaml", "crds/clustermeshpolicies.yaml", "rbac.yaml" })
            Admin.Apply(File.ReadAllText(Path.Combine(s_deploy, file)));
        foreach (var definition in new[] { "meshpolicies.nodemesh.io", "clustermeshpolicies.nodemesh.io" })
            AwaitEstablished(definition);
    }

    [OneTimeTearDown]
    public void End()
    {
        Admin?.Dispose();
        Cluster?.Dispose();
    }

    internal static void AwaitEstablished(string definition)
    {
        Eventually.True(
            () => (Admin.Get($"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition}").Body["status"]?["conditions"] as JsonArray ?? []).Any(c => (string?)c!["type"] == "Established" && (string?)c["status"] == "True"),
            $"{definition} is established", TimeSpan.FromMinutes(2));

        // Established is said a moment before the paths are there.
        var dot = definition.IndexOf('.', StringComparison.Ordinal);
        var version = (string)Admin.Get($"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition}").Body["spec"]!["versions"]![0]!["name"]!;
        Eventually.True(() => Admin.Get($"/apis/{definition[(dot + 1)..]}/{version}/{definition[..dot]}").IsGood, $"{definition} is served", TimeSpan.FromMinutes(2));
    }

    /// <summary>A new namespace; its name.</summary>
    internal static string Namespace()
    {
        var name = $"t{Interlocked.Increment(ref s_namespaces)}";
        Admin.Apply($"{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {{team: {name}}}}}}}");
        return name;
    }

    /// <summary>As if the time of every agent that was before, and of the one that wrote statuses, were over.</summary>
    internal static void ForgetAgents()
    {
        var leases = $"/apis/coordination.k8s.io/v1/namespaces/{Home}/leases";
        foreach (var lease in (JsonArray)Admin.Get(leases).Good("the leases")["items"]!)
            Admin.Delete($"{leases}/{lease!["metadata"]!["name"]}");
    }

    /// <summary>By TokenRequest, as the kubelet gets it for a Pod.</summary>
    /// <param name="secret">It holds for as long as this Secret exists.</param>
    internal static KubernetesClientConfiguration AgentsAccount(JsonObject? secret = null)
    {
        var request = new JsonObject { ["apiVersion"] = "authentication.k8s.io/v1", ["kind"] = "TokenRequest", ["spec"] = new JsonObject { ["expirationSeconds"] = 3600 } };
        if (secret is not null)
            request["spec"]!["boundObjectRef"] = new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Secret", ["name"] = secret["metadata"]!["name"]!.DeepClone(), ["uid"] = secret["metadata"]!["uid"]!.DeepClone() };
        var answer = Admin.Send(HttpMethod.Post, $"/api/v1/namespaces/{Home}/serviceaccounts/nodemesh-agent/token", request).Good("TokenRequest");
        var configuration = Cluster.Nobody;
        configuration.Namespace = Home;
        configuration.AccessToken = (string)answer["status"]!["token"]!;
        return configuration;
    }

    private static string Program(string variable) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } program ? program
        : throw new InvalidOperationException($"{variable} names no program; say make test-apiserver KUBE_APISERVER=/path/kube-apiserver ETCD=/path/etcd");
}

/// <summary>Shows what the server said when a test failed.</summary>
public abstract class ClusterTests
{
    [TearDown]
    public void Show()
    {
        if (TestContext.CurrentContext.Result.Outcome.Status == NUnit.Framework.Interfaces.TestStatus.Failed)
            TestContext.Out.WriteLine(TheCluster.Cluster.Log);
    }
}
