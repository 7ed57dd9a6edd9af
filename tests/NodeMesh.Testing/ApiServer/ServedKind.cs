using System.Text.Json.Nodes;

namespace NodeMesh.Testing.ApiServer;

/// <summary>A kind as the server has it.</summary>
/// <param name="Versions">Those in whose paths it is served; empty: in any.</param>
/// <param name="HasStatus">Its status has a door of its own.</param>
/// <param name="Schema">Of a CustomResourceDefinition that was created; null: what comes is taken as it is.</param>
/// <param name="Columns">That a table has besides the name.</param>
internal sealed record ServedKind(string Kind, string[] Versions, bool IsNamespaced, bool HasStatus, ResourceSchema? Schema = null, JsonArray? Columns = null)
{
    private static readonly Dictionary<string, ServedKind> s_builtIn = new(StringComparer.Ordinal)
    {
        ["namespaces"] = new("Namespace", ["v1"], false, true),
        ["nodes"] = new("Node", ["v1"], false, true),
        ["pods"] = new("Pod", ["v1"], true, true),
        ["services"] = new("Service", ["v1"], true, true),
        ["secrets"] = new("Secret", ["v1"], true, false),
        ["configmaps"] = new("ConfigMap", ["v1"], true, false),
        ["serviceaccounts"] = new("ServiceAccount", ["v1"], true, false),
        ["events"] = new("Event", ["v1"], true, false),
        ["discovery.k8s.io/endpointslices"] = new("EndpointSlice", ["v1"], true, false),
        ["networking.k8s.io/networkpolicies"] = new("NetworkPolicy", ["v1"], true, false),
        ["coordination.k8s.io/leases"] = new("Lease", ["v1"], true, false),
        ["rbac.authorization.k8s.io/clusterroles"] = new("ClusterRole", ["v1"], false, false),
        ["rbac.authorization.k8s.io/clusterrolebindings"] = new("ClusterRoleBinding", ["v1"], false, false),
        ["rbac.authorization.k8s.io/roles"] = new("Role", ["v1"], true, false),
        ["rbac.authorization.k8s.io/rolebindings"] = new("RoleBinding", ["v1"], true, false),
        [CustomDefinitions.Resource] = new("CustomResourceDefinition", ["v1"], false, true),
    };

    public static IEnumerable<string> BuiltIn => s_builtIn.Keys;

    public bool IsCustom => Schema is not null;

    /// <summary>Of a resource that is there without anybody having said how it looks.</summary>
    public static ServedKind Of(string resource)
    {
        if (s_builtIn.TryGetValue(resource, out var known))
            return known;
        var kind = Array.Find(NodeMesh.Sources.Kubernetes.Resource.All, r => (r.Kind.Group.Length > 0 ? $"{r.Kind.Group}/{r.Plural}" : r.Plural) == resource)?.Kind;
        return new ServedKind(kind?.Kind ?? "", [], kind?.Namespaced ?? true, true);
    }
}
