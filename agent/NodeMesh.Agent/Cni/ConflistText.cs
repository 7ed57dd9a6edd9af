using System.Text;
using System.Text.Json;

namespace NodeMesh.Agent.Cni;

/// <summary>
/// One entry in a CNI configuration list, put in and taken out by cutting the text, so that all else stays as its owner wrote it, to the byte. Pure.
/// </summary>
internal static class ConflistText
{
    /// <param name="Start">Of the object, in bytes.</param>
    private readonly record struct Plugin(int Start, int End, string Type);

    /// <summary>The text with the entry last, or in the place where an older form of it is.</summary>
    /// <exception cref="FormatException">No list that this could be chained into.</exception>
    public static string With(string text, string type, string entry)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var (plugins, version) = Read(bytes);
        CheckVersion(version);
        if (plugins.FindIndex(p => p.Type == type) is var at and >= 0)
        {
            var (start, end, _) = plugins[at];
            return Encoding.UTF8.GetString(bytes, 0, start) + entry + Encoding.UTF8.GetString(bytes, end, bytes.Length - end);
        }

        if (plugins is not [.., var last])
            throw new FormatException("it lists no plugin that makes a network");
        var space = Encoding.UTF8.GetString(bytes, SpaceBefore(bytes, last.Start), last.Start - SpaceBefore(bytes, last.Start));
        return $"{Encoding.UTF8.GetString(bytes, 0, last.End)},{space}{entry}{Encoding.UTF8.GetString(bytes, last.End, bytes.Length - last.End)}";
    }

    /// <summary>A list of a single plugin's configuration and the entry; null when the text is a list already.</summary>
    /// <exception cref="FormatException">Neither of both, or of a version that cannot be chained.</exception>
    public static string? ListOf(string text, string entry)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || root.TryGetProperty("plugins", out _))
                return null;
            string Text(string field) => root.TryGetProperty(field, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
            if (Text("type").Length == 0 || Text("name").Length == 0)
                throw new FormatException("it is neither a list nor a plugin's configuration, which has a name and a type");
            CheckVersion(Text("cniVersion"));
            return $$"""
                {
                  "cniVersion": "{{JsonEncodedText.Encode(Text("cniVersion"))}}",
                  "name": "{{JsonEncodedText.Encode(Text("name"))}}",
                  "plugins": [
                    {{root.GetRawText()}},
                    {{entry}}
                  ]
                }

                """;
        }
        catch (JsonException e)
        {
            throw new FormatException($"it is no JSON: {e.Message}", e);
        }
    }

    private static void CheckVersion(string version)
    {
        if (!CniConfig.Versions.Contains(version))
            throw new FormatException($"its cniVersion is \"{version}\"; {CniConfig.Versions[0]} to {CniConfig.NewestVersion} can be chained");
    }

    /// <summary>The text without it; the same when it is not there, or nothing that could have it.</summary>
    public static string Without(string text, string type)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        List<Plugin> plugins;
        try
        {
            plugins = Read(bytes).Plugins;
        }
        catch (FormatException)
        {
            return text;
        }

        var at = plugins.FindIndex(p => p.Type == type);
        if (at < 0)
            return text;
        var (from, to) = at > 0 ? (plugins[at - 1].End, plugins[at].End) : (plugins[at].Start, plugins.Count > 1 ? plugins[1].Start : plugins[at].End);
        return Encoding.UTF8.GetString(bytes, 0, from) + Encoding.UTF8.GetString(bytes, to, bytes.Length - to);
    }

    private static int SpaceBefore(byte[] bytes, int at)
    {
        while (at > 0 && bytes[at - 1] is (byte)' ' or (byte)'\t' or (byte)'\n' or (byte)'\r')
            at--;
        return at;
    }

    private static (List<Plugin> Plugins, string Version) Read(byte[] bytes)
    {
        const int Top = 1;
        var plugins = new List<Plugin>();
        var version = "";
        var isList = false;
        try
        {
            var reader = new Utf8JsonReader(bytes);
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != Top)
                    continue;
                var name = reader.GetString();
                reader.Read();
                if (name == "cniVersion" && reader.TokenType == JsonTokenType.String)
                    version = reader.GetString()!;
                else if (name == "plugins" && reader.TokenType == JsonTokenType.StartArray)
                    isList = ReadPlugins(ref reader, plugins);
                else
                    reader.Skip();
            }
        }
        catch (JsonException e)
        {
            throw new FormatException($"it is no JSON: {e.Message}", e);
        }

        return isList ? (plugins, version) : throw new FormatException("it is no list: a single plugin's configuration has no place for another");
    }

    private static bool ReadPlugins(ref Utf8JsonReader reader, List<Plugin> plugins)
    {
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
                throw new FormatException("its plugins are not all objects");
            var (start, depth, type) = ((int)reader.TokenStartIndex, reader.CurrentDepth + 1, "");
            while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
            {
                var isType = reader.CurrentDepth == depth && reader.ValueTextEquals("type");
                reader.Read();
                if (isType && reader.TokenType == JsonTokenType.String)
                    type = reader.GetString()!;
                reader.Skip();
            }

            plugins.Add(new Plugin(start, (int)reader.BytesConsumed, type));
        }

        return true;
    }
}
