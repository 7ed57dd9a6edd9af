using System.Text.Json.Nodes;
using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Files;

namespace NodeMesh.Testing;

/// <summary>YAML as the JSON that a client sends to the API server; read by the agent's own reader, so that a test and a file mean the same.</summary>
public static class Yaml
{
    /// <summary>One for each document that is not empty.</summary>
    public static IReadOnlyList<JsonObject> Objects(string text) => [.. YamlReader.Read(text).OfType<ApiNode>().Select(n => (JsonObject)Json(n)!)];

    /// <summary>The one document of a text.</summary>
    public static JsonObject Object(string text) => Objects(text).Single();

    /// <summary>What was read already.</summary>
    internal static JsonNode? Json(ApiNode node) => node switch
    {
        ApiMap map => new JsonObject(map.Fields.Select(f => KeyValuePair.Create(f.Name, Json(f.Value)))),
        ApiList list => new JsonArray([.. list.Items.Select(Json)]),
        ApiScalar { Kind: ScalarKind.Number or ScalarKind.Flag } scalar => JsonNode.Parse(scalar.Text),
        ApiScalar { Kind: ScalarKind.Null } => null,
        ApiScalar scalar => JsonValue.Create(scalar.Text),
        _ => throw new ArgumentOutOfRangeException(nameof(node)),
    };
}
