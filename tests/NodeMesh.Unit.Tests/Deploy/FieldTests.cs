using System.Text.Json;
using System.Text.Json.Serialization;
using k8s.Models;
using NodeMesh.Sources.Dom;
using NodeMesh.Testing;
using static NodeMesh.Unit.Tests.Deploy.Manifest;

namespace NodeMesh.Unit.Tests.Deploy;

/// <summary>
/// Every field in deploy/ is one that the API has, of the type that it has: kubectl refuses others, and an older one drops them without a word. The API library's
/// types stand for the API.
/// </summary>
public sealed class FieldTests
{
    private static readonly JsonSerializerOptions s_strict = new() { UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow };

    private static readonly Dictionary<string, Type> s_types = new()
    {
        ["Namespace"] = typeof(V1Namespace),
        ["ServiceAccount"] = typeof(V1ServiceAccount),
        ["ConfigMap"] = typeof(V1ConfigMap),
        ["ClusterRole"] = typeof(V1ClusterRole),
        ["ClusterRoleBinding"] = typeof(V1ClusterRoleBinding),
        ["Role"] = typeof(V1Role),
        ["RoleBinding"] = typeof(V1RoleBinding),
        ["DaemonSet"] = typeof(V1DaemonSet),
        ["CustomResourceDefinition"] = typeof(V1CustomResourceDefinition),
    };

    private static IEnumerable<TestCaseData> Objects() =>
        from file in Directory.GetFiles(Folder, "*.yaml", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(Folder, f)).Order(StringComparer.Ordinal)
        where !file.StartsWith("examples", StringComparison.Ordinal)
        from o in Read(file).Concat(Patches(file))
        where s_types.ContainsKey(Text(o, "kind"))
        select new TestCaseData(Text(o, "kind"), o).SetArgDisplayNames(file, Text(o, "kind"), Text(o, "metadata", "name"));

    [TestCaseSource(nameof(Objects))]
    public void Has_no_field_that_the_API_has_not(string kind, object manifest) =>
        Assert.That(() => JsonSerializer.Deserialize(Yaml.Json((ApiNode)manifest), s_types[kind], s_strict), Throws.Nothing);

    [TestCase("""{"spec":{"template":{"spec":{"hostNetwerk":true}}}}""")]
    [TestCase("""{"spec":{"template":{"spec":{"hostNetwork":"yes"}}}}""")]
    public void A_slip_would_be_seen(string json) =>
        Assert.That(() => JsonSerializer.Deserialize<V1DaemonSet>(json, s_strict), Throws.InstanceOf<JsonException>());

    /// <summary>Of a component: each is the part of an object that it changes.</summary>
    private static IEnumerable<ApiNode> Patches(string file) =>
        Read(file).SelectMany(o => Items(o, "patches")).SelectMany(p => NodeMesh.Sources.Files.YamlReader.Read(Text(p, "patch"))).OfType<ApiNode>();
}
