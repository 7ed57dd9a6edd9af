using System.Text;
using System.Text.Json.Nodes;

namespace NodeMesh.Bpf.Tests.Reference;

/// <summary>Objects as a person would write them down.</summary>
internal static class Yaml
{
    public static string Of(IEnumerable<JsonObject> documents)
    {
        var text = new StringBuilder();
        foreach (var document in documents)
        {
            if (text.Length > 0)
                text.AppendLine("---");
            Map(document, 0, text);
        }

        return text.ToString();
    }

    private static void Map(JsonObject map, int depth, StringBuilder text)
    {
        var first = true;
        foreach (var (name, value) in map)
        {
            // The first field of a list's entry stands behind its dash.
            text.Append(first && text.Length > 0 && text[^1] == ' ' ? "" : new string(' ', depth)).Append(name).Append(':');
            first = false;
            Value(value, depth, text);
        }
    }

    private static void Value(JsonNode? value, int depth, StringBuilder text)
    {
        switch (value)
        {
            case JsonObject { Count: > 0 } map:
                text.AppendLine();
                Map(map, depth + 2, text);
                break;
            case JsonArray { Count: > 0 } list:
                text.AppendLine();
                foreach (var entry in list)
                    Entry(entry, depth, text);
                break;
            default:
                // Empty ones and scalars are alike in JSON and YAML.
                text.Append(' ').AppendLine(value?.ToJsonString() ?? "null");
                break;
        }
    }

    private static void Entry(JsonNode? entry, int depth, StringBuilder text)
    {
        text.Append(' ', depth).Append("- ");
        if (entry is JsonObject { Count: > 0 } map)
            Map(map, depth + 2, text);
        else
            text.AppendLine(entry?.ToJsonString() ?? "null");
    }
}
