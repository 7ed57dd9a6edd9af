using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Files;
using NodeMesh.Unit.Tests.Agent;

namespace NodeMesh.Unit.Tests.Deploy;

/// <summary>Objects of deploy/ as written.</summary>
internal static class Manifest
{
    public static readonly string Folder = Path.Combine(RepositoryRoot.Path, "deploy");

    public static IReadOnlyList<ApiNode> Read(string file) => [.. YamlReader.Read(File.ReadAllText(Path.Combine(Folder, file))).OfType<ApiNode>()];

    /// <summary>The one object of this kind in the file.</summary>
    public static ApiNode Find(string file, string kind) => Read(file).Single(o => Text(o, "kind") == kind);

    /// <summary>Follows names of fields; null where one is missing.</summary>
    public static ApiNode? At(ApiNode? node, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
            node = (node as ApiMap)?[name];
        return node;
    }

    public static string Text(ApiNode? node, params ReadOnlySpan<string> path) => (At(node, path) as ApiScalar)?.Text ?? "";

    public static IReadOnlyList<ApiNode> Items(ApiNode? node, params ReadOnlySpan<string> path) => (At(node, path) as ApiList)?.Items ?? [];

    /// <summary>What the one role of this kind in rbac.yaml allows, as "watch networking.k8s.io/networkpolicies".</summary>
    public static IEnumerable<string> Granted(string kind) => Items(Find("rbac.yaml", kind), "rules").SelectMany(rule =>
        Texts(rule, "apiGroups").SelectMany(g => Texts(rule, "resources").SelectMany(r => Texts(rule, "verbs").Select(v => $"{v} {(g.Length > 0 ? $"{g}/" : "")}{r}"))));

    public static IReadOnlyList<string> Texts(ApiNode? node, params ReadOnlySpan<string> path) => [.. Items(node, path).Select(i => ((ApiScalar)i).Text)];
}
