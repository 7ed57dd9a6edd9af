namespace NodeMesh.Sources.Dom;

/// <summary>A kind that the sources read.</summary>
/// <param name="Group">Empty for the core group.</param>
/// <param name="Strict">An unknown field is an error: a mistyped policy or route must not silently be a weaker one.</param>
internal sealed record KindInfo(string Kind, string Group, string[] Versions, bool Namespaced, bool Strict)
{
    public string Preferred => Group.Length == 0 ? Versions[0] : $"{Group}/{Versions[0]}";

    public bool Accepts(string apiVersion)
    {
        foreach (var v in Versions)
            if (apiVersion == (Group.Length == 0 ? v : $"{Group}/{v}"))
                return true;
        return false;
    }
}

/// <summary>Every kind that is read, once.</summary>
internal static class Kinds
{
    public const string GatewayGroup = "gateway.networking.k8s.io";
    public const string MeshGroup = "nodemesh.io";
    public const string PolicyGroup = "policy.networking.k8s.io";

    public static readonly KindInfo Namespace = new("Namespace", "", ["v1"], Namespaced: false, Strict: false);
    public static readonly KindInfo Node = new("Node", "", ["v1"], Namespaced: false, Strict: false);
    public static readonly KindInfo Pod = new("Pod", "", ["v1"], Namespaced: true, Strict: false);
    public static readonly KindInfo Service = new("Service", "", ["v1"], Namespaced: true, Strict: false);
    public static readonly KindInfo EndpointSlice = new("EndpointSlice", "discovery.k8s.io", ["v1"], Namespaced: true, Strict: false);
    public static readonly KindInfo Secret = new("Secret", "", ["v1"], Namespaced: true, Strict: false);
    public static readonly KindInfo NetworkPolicy = new("NetworkPolicy", "networking.k8s.io", ["v1"], Namespaced: true, Strict: true);
    public static readonly KindInfo MeshPolicy = new("MeshPolicy", MeshGroup, ["v1alpha1"], Namespaced: true, Strict: true);
    public static readonly KindInfo ClusterMeshPolicy = new("ClusterMeshPolicy", MeshGroup, ["v1alpha1"], Namespaced: false, Strict: true);
    public static readonly KindInfo ClusterNetworkPolicy = new("ClusterNetworkPolicy", PolicyGroup, ["v1alpha2"], Namespaced: false, Strict: true);
    public static readonly KindInfo HttpRoute = new("HTTPRoute", GatewayGroup, ["v1", "v1beta1"], Namespaced: true, Strict: true);
    public static readonly KindInfo Gateway = new("Gateway", GatewayGroup, ["v1", "v1beta1"], Namespaced: true, Strict: true);
    public static readonly KindInfo GatewayClass = new("GatewayClass", GatewayGroup, ["v1", "v1beta1"], Namespaced: false, Strict: true);
    public static readonly KindInfo ReferenceGrant = new("ReferenceGrant", GatewayGroup, ["v1beta1", "v1"], Namespaced: true, Strict: true);

    private static readonly KindInfo[] All =
    [
        Namespace, Node, Pod, Service, EndpointSlice, Secret, NetworkPolicy, MeshPolicy, ClusterMeshPolicy, ClusterNetworkPolicy, HttpRoute, Gateway,
        GatewayClass, ReferenceGrant,
    ];

    public static string Names => string.Join(", ", All.Select(k => k.Kind));

    public static KindInfo? Find(string kind) => Array.Find(All, k => k.Kind == kind);

    public static string? Closest(string kind) => Translate.Spelling.Closest(kind, All.Select(k => k.Kind));
}
