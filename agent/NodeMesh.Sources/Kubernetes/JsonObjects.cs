using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Kubernetes;

/// <summary>JSON to nodes, without what no translator looks at: of a pod that is most of it.</summary>
internal static class JsonObjects
{
    /// <summary>Of annotations those that mean something here; others, such as times of the last change, would only make changes of nothing.</summary>
    private const string OwnAnnotations = "nodemesh.io/";

    /// <summary>By this one static pods are known to the node.</summary>
    private const string StaticPod = "kubernetes.io/config.mirror";

    private static readonly JsonReaderOptions s_options = new() { MaxDepth = 64 };

    // What changes without meaning anything here would make every heartbeat a change.
    private static readonly HashSet<string> s_metadataDropped = ["managedFields", "resourceVersion", "generation", "ownerReferences", "finalizers", "selfLink", "generateName"];

    /// <summary>Of these kinds only these fields are kept; of a nested map or list named here, all.</summary>
    private static readonly Dictionary<string, HashSet<string>> s_kept = new(StringComparer.Ordinal)
    {
        ["Pod"] =
        [
            "spec.nodeName", "spec.hostNetwork", "spec.containers.name", "spec.containers.ports", "spec.initContainers.name", "spec.initContainers.ports",
            "spec.initContainers.restartPolicy", "status.phase", "status.podIP", "status.podIPs", "status.conditions.type", "status.conditions.status",
        ],
        ["Node"] = ["spec.podCIDR", "spec.podCIDRs", "status.addresses"],
        ["Namespace"] = [],
    };

    /// <summary>Of these kinds nobody reads the status.</summary>
    private static readonly HashSet<string> s_withoutStatus =
        ["NetworkPolicy", "MeshPolicy", "ClusterMeshPolicy", "ClusterNetworkPolicy", "HTTPRoute", "Gateway", "GatewayClass", "ReferenceGrant"];

    /// <summary>Stands for what is left out of objects: with other rules it is another.</summary>
    public static string Rules { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('|',
        [OwnAnnotations, StaticPod, .. s_metadataDropped.Order(), .. s_kept.OrderBy(k => k.Key).SelectMany(k => k.Value.Order().Prepend(k.Key)), .. s_withoutStatus.Order()]))))[..16];

    /// <param name="kind">Of the object: items of a list do not always say.</param>
    /// <param name="apiVersion">Likewise.</param>
    /// <param name="json">One object.</param>
    /// <param name="resourceVersion">Empty when it has none.</param>
    /// <exception cref="JsonException">Not JSON, or no object.</exception>
    public static ApiMap Read(string kind, string apiVersion, ReadOnlySpan<byte> json, out string resourceVersion)
    {
        var reader = new Utf8JsonReader(json, s_options);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException("an object expected");
        var walk = new Walk(kind);
        var map = walk.Object(ref reader, "");
        resourceVersion = walk.ResourceVersion;

        // Items of a list leave out what the list has said.
        List<ApiField> fields = [Field("apiVersion", apiVersion), Field("kind", kind), .. map.Fields.Where(f => f.Name is not ("apiVersion" or "kind"))];
        return new ApiMap(fields, default);
    }

    /// <summary>What <see cref="Write(ApiMap, IBufferWriter{byte})"/> wrote: the same map again.</summary>
    /// <exception cref="JsonException">Something else.</exception>
    public static ApiMap ReadKept(string kind, ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, s_options);
        return reader.Read() && reader.TokenType == JsonTokenType.StartObject ? new Walk(kind).Object(ref reader, "") : throw new JsonException("an object expected");
    }

    /// <summary>As JSON again, without what was left out.</summary>
    public static void Write(ApiMap map, IBufferWriter<byte> to)
    {
        using var json = new Utf8JsonWriter(to, new JsonWriterOptions { SkipValidation = true });
        Write(map, json);
    }

    /// <summary>The message of a meta/v1 Status; null when the text is none.</summary>
    public static string? StatusMessage(string text)
    {
        try
        {
            using var status = JsonDocument.Parse(text);
            return status.RootElement.ValueKind == JsonValueKind.Object && status.RootElement.TryGetProperty("message", out var message) ? message.GetString() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static void Write(ApiNode node, Utf8JsonWriter json)
    {
        switch (node)
        {
            case ApiMap map:
                json.WriteStartObject();
                foreach (var field in map.Fields)
                {
                    json.WritePropertyName(field.Name);
                    Write(field.Value, json);
                }

                json.WriteEndObject();
                break;
            case ApiList list:
                json.WriteStartArray();
                foreach (var item in list.Items)
                    Write(item, json);
                json.WriteEndArray();
                break;
            case ApiScalar { Kind: ScalarKind.Text } text:
                json.WriteStringValue(text.Text);
                break;
            case ApiScalar { Kind: ScalarKind.Null }:
                json.WriteNullValue();
                break;
            case ApiScalar numberOrFlag:
                json.WriteRawValue(numberOrFlag.Text);
                break;
        }
    }

    private static ApiField Field(string name, string value) => new(name, default, new ApiScalar(ScalarKind.Text, value, default));

    /// <summary>One reading of one object.</summary>
    private sealed class Walk(string kind)
    {
        private readonly HashSet<string>? _kept = s_kept.GetValueOrDefault(kind);

        public string ResourceVersion { get; private set; } = "";

        public ApiMap Object(ref Utf8JsonReader reader, string path)
        {
            var fields = new List<ApiField>();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
            {
                var name = reader.GetString()!;
                reader.Read();
                var at = path.Length == 0 ? name : $"{path}.{name}";
                if (at == "metadata.resourceVersion")
                    ResourceVersion = reader.GetString() ?? "";
                if (IsDropped(at, name, path))
                    reader.Skip();
                else
                    fields.Add(new ApiField(name, default, Value(ref reader, at)));
            }

            return new ApiMap(fields, default);
        }

        private ApiNode Value(ref Utf8JsonReader reader, string path)
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject:
                    return Object(ref reader, path);
                case JsonTokenType.StartArray:
                    var items = new List<ApiNode>();
                    while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                        items.Add(Value(ref reader, path));
                    return new ApiList(items, default);
                case JsonTokenType.String:
                    return new ApiScalar(ScalarKind.Text, reader.GetString()!, default);
                case JsonTokenType.Number:
                    return new ApiScalar(ScalarKind.Number, Encoding.UTF8.GetString(reader.ValueSpan), default);
                case JsonTokenType.True or JsonTokenType.False:
                    return new ApiScalar(ScalarKind.Flag, reader.TokenType == JsonTokenType.True ? "true" : "false", default);
                default:
                    return new ApiScalar(ScalarKind.Null, "", default);
            }
        }

        private bool IsDropped(string at, string name, string parent)
        {
            if (parent == "metadata")
                return s_metadataDropped.Contains(name);
            if (parent == "metadata.annotations")
                return !name.StartsWith(OwnAnnotations, StringComparison.Ordinal) && name != StaticPod;
            if (at == "status" && s_withoutStatus.Contains(kind))
                return true;
            return _kept is not null && at is not ("metadata" or "apiVersion" or "kind") && !at.StartsWith("metadata.", StringComparison.Ordinal) && !IsKept(at);
        }

        /// <summary>A kept field, what is in one, and the way to one.</summary>
        private bool IsKept(string at)
        {
            foreach (var kept in _kept!)
                if (kept == at || kept.StartsWith(at + ".", StringComparison.Ordinal) || at.StartsWith(kept + ".", StringComparison.Ordinal))
                    return true;
            return false;
        }
    }
}
