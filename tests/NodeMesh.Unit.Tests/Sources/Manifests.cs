using NodeMesh.Model;
using NodeMesh.Sources;

namespace NodeMesh.Unit.Tests.Sources;

/// <summary>Short ways to read YAML in tests.</summary>
internal static class Manifests
{
    /// <summary>Namespaces that every test may use.</summary>
    public const string Namespaces = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: shop, labels: {team: a}}
        ---
        apiVersion: v1
        kind: Namespace
        metadata: {name: other, labels: {team: b}}
        """;

    public static (MeshSnapshot Mesh, IReadOnlyList<string> Codes, IReadOnlyList<Diagnostic> Diagnostics) Read(params string[] documents)
    {
        var (mesh, diagnostics) = ManifestReader.Read([("0-namespaces.yaml", Namespaces), ("a.yaml", string.Join("\n---\n", documents))]);
        return (mesh, [.. diagnostics.Select(d => d.Code)], diagnostics);
    }

    /// <summary>The snapshot of documents that must be without fault.</summary>
    public static MeshSnapshot Clean(params string[] documents)
    {
        var (mesh, _, diagnostics) = Read(documents);
        Assert.That(diagnostics, Is.Empty);
        return mesh;
    }

    public static string Pod(string name, string ip, string labels = "app: web", string extra = "") => $$"""
        apiVersion: v1
        kind: Pod
        metadata: {name: {{name}}, namespace: shop, labels: { {{labels}} } }
        spec:
          nodeName: n1
          containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]
        status: { podIP: {{ip}}{{extra}} }
        """;

    public static string Service(string name, string ip, string ports = "[{name: http, port: 80, targetPort: http}]", string selector = "app: web") => $$"""
        apiVersion: v1
        kind: Service
        metadata: {name: {{name}}, namespace: shop}
        spec:
          clusterIP: {{ip}}
          selector: { {{selector}} }
          ports: {{ports}}
        """;

    public static string NetworkPolicy(string spec, string name = "p") => $$"""
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: {{name}}, namespace: shop}
        spec: {{spec}}
        """;

    public static string MeshPolicy(string spec) => $$"""
        apiVersion: nodemesh.io/v1alpha1
        kind: MeshPolicy
        metadata: {name: p, namespace: shop}
        spec: {{spec}}
        """;

    public static string ClusterMeshPolicy(string spec) => $$"""
        apiVersion: nodemesh.io/v1alpha1
        kind: ClusterMeshPolicy
        metadata: {name: p}
        spec: {{spec}}
        """;

    public static string ClusterNetworkPolicy(string spec) => $$"""
        apiVersion: policy.networking.k8s.io/v1alpha2
        kind: ClusterNetworkPolicy
        metadata: {name: p}
        spec: {{spec}}
        """;

    public static string Route(string spec) => $$"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: r, namespace: shop}
        spec: {{spec}}
        """;
}
