using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace NodeMesh.Testing.ApiServer;

/// <summary>A list as kubectl asks for it: a meta/v1 Table with the columns of the definition.</summary>
internal static partial class TableText
{
    public static JsonObject Of(ServedKind kind, IEnumerable<JsonObject> objects)
    {
        List<JsonNode> columns = [.. (kind.Columns ?? []).OfType<JsonNode>()];
        return new JsonObject
        {
            ["kind"] = "Table",
            ["apiVersion"] = "meta.k8s.io/v1",
            ["columnDefinitions"] = new JsonArray([Column("Name", "string"), .. columns.Select(c => Column((string)c["name"]!, (string)c["type"]!))]),
            ["rows"] = new JsonArray([.. objects.Select(o => new JsonObject
            {
                ["cells"] = new JsonArray([o["metadata"]!["name"]!.DeepClone(), .. columns.Select(c => At(o, (string)c["jsonPath"]!)?.DeepClone())]),
            })]),
        };
    }

    private static JsonObject Column(string name, string type) => new() { ["name"] = name, ["type"] = type };

    /// <summary>".a.b" and ".a[?(@.type=="x")].b" of JSONPath, which is what columns take.</summary>
    private static JsonNode? At(JsonNode? node, string path)
    {
        foreach (Match step in Step().Matches(path))
            node = step.Groups["field"] is { Success: true } field
                ? (node as JsonObject)?[field.Value]
                : (node as JsonArray)?.FirstOrDefault(e => (string?)e?[step.Groups["key"].Value] == step.Groups["value"].Value);
        return node;
    }

    [GeneratedRegex("""\.(?<field>\w+)|\[\?\(@\.(?<key>\w+)=="(?<value>\w+)"\)\]""")]
    private static partial Regex Step();
}
