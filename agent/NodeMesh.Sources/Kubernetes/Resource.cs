using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Kubernetes;

/// <summary>A kind by the path at which the API server has it.</summary>
/// <param name="Plural">As in the path.</param>
/// <param name="IsBuiltIn">False: its CustomResourceDefinition may be missing, and come later.</param>
internal sealed record Resource(KindInfo Kind, string Plural, bool IsBuiltIn)
{
    /// <summary>Every kind that is followed whole. Secrets are not among them: only those that a Gateway names are looked at.</summary>
    public static readonly Resource[] All =
    [
        new(Kinds.Namespace, "namespaces", true),
        new(Kinds.Node, "nodes", true),
        new(Kinds.Pod, "pods", true),
        new(Kinds.Service, "services", true),
        new(Kinds.EndpointSlice, "endpointslices", true),
        new(Kinds.NetworkPolicy, "networkpolicies", true),
        new(Kinds.MeshPolicy, "meshpolicies", false),
        new(Kinds.ClusterMeshPolicy, "clustermeshpolicies", false),
        new(Kinds.ClusterNetworkPolicy, "clusternetworkpolicies", false),
        new(Kinds.HttpRoute, "httproutes", false),
        new(Kinds.Gateway, "gateways", false),
        new(Kinds.GatewayClass, "gatewayclasses", false),
        new(Kinds.ReferenceGrant, "referencegrants", false),
    ];

    public static readonly Resource Secrets = new(Kinds.Secret, "secrets", true);

    /// <summary>"/apis/networking.k8s.io/v1/networkpolicies", of the version that is read first.</summary>
    public string Path(string version) => Kind.Group.Length == 0 ? $"/api/{version}/{Plural}" : $"/apis/{Kind.Group}/{version}/{Plural}";

    public string Path(string version, string ns) => Kind.Group.Length == 0 ? $"/api/{version}/namespaces/{ns}/{Plural}" : $"/apis/{Kind.Group}/{version}/namespaces/{ns}/{Plural}";

    /// <summary>"nodemesh.io/meshpolicies": the name of its CustomResourceDefinition is "meshpolicies.nodemesh.io".</summary>
    public string DefinitionName => $"{Plural}.{Kind.Group}";
}
