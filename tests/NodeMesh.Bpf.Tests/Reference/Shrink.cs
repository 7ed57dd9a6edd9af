using System.Text.Json.Nodes;

namespace NodeMesh.Bpf.Tests.Reference;

/// <summary>Makes a counter-example small: leaves out objects, then fields and entries of lists, as long as it still is one.</summary>
internal static class Shrink
{
    public static List<JsonObject> Of(List<JsonObject> documents, Func<List<JsonObject>, bool> isCounterExample)
    {
        var small = Copy(documents);
        for (var shrunk = true; shrunk;)
        {
            shrunk = false;
            for (var i = small.Count - 1; i >= 0; i--)
                shrunk |= Try(ref small, isCounterExample, less => less.RemoveAt(i));
            for (var i = 0; i < small.Count; i++)
                for (var parts = Parts(small[i]).Count - 1; parts >= 0; parts--)
                    shrunk |= Try(ref small, isCounterExample, less => Remove(Parts(less[i])[parts]));
        }

        return small;
    }

    private static bool Try(ref List<JsonObject> small, Func<List<JsonObject>, bool> isCounterExample, Action<List<JsonObject>> remove)
    {
        var less = Copy(small);
        try
        {
            remove(less);
        }
        catch (ArgumentOutOfRangeException)
        {
            return false; // What stood there went with what it stood in.
        }

        if (!isCounterExample(less))
            return false;
        small = less;
        return true;
    }

    private static List<JsonObject> Copy(List<JsonObject> documents) => [.. documents.Select(d => (JsonObject)d.DeepClone())];

    /// <summary>Everything inside an object that can be left out, outer before inner.</summary>
    private static List<JsonNode> Parts(JsonNode node)
    {
        var parts = new List<JsonNode>();
        IEnumerable<JsonNode?> children = node switch
        {
            JsonObject map => map.Select(f => f.Value),
            JsonArray list => list,
            _ => [],
        };
        foreach (var child in children.OfType<JsonNode>())
        {
            parts.Add(child);
            parts.AddRange(Parts(child));
        }

        return parts;
    }

    private static void Remove(JsonNode part)
    {
        if (part.Parent is JsonObject map)
            map.Remove(part.GetPropertyName());
        else if (part.Parent is JsonArray list)
            list.RemoveAt(part.GetElementIndex());
    }
}
