using System.Text.Json;

namespace NodeMesh.Sources.Kubernetes;

/// <summary>One page of a list: items as they stand in it.</summary>
/// <param name="Continue">Where the next page begins; empty: this is the last.</param>
internal sealed record ListPage(List<ReadOnlyMemory<byte>> Items, string ResourceVersion, string Continue)
{
    /// <exception cref="JsonException">No list.</exception>
    public static ListPage Read(byte[] json)
    {
        var items = new List<ReadOnlyMemory<byte>>();
        var (version, next) = ("", "");
        var reader = new Utf8JsonReader(json);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException("a list expected");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("metadata"u8))
            {
                reader.Read();
                Metadata(ref reader, ref version, ref next);
            }
            else if (reader.ValueTextEquals("items"u8))
            {
                reader.Read();
                if (reader.TokenType != JsonTokenType.StartArray)
                    continue; // null: none
                while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
                {
                    var start = (int)reader.TokenStartIndex;
                    reader.Skip();
                    items.Add(json.AsMemory(start, (int)reader.BytesConsumed - start));
                }
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        return new ListPage(items, version, next);
    }

    private static void Metadata(ref Utf8JsonReader reader, ref string version, ref string next)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isVersion = reader.ValueTextEquals("resourceVersion"u8);
            var isNext = reader.ValueTextEquals("continue"u8);
            reader.Read();
            if (isVersion)
                version = reader.GetString() ?? "";
            else if (isNext)
                next = reader.GetString() ?? "";
            else
                reader.Skip();
        }
    }
}
