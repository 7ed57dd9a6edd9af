using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Kubernetes.Status;

/// <summary>What is known of an object whose status is ours to write.</summary>
/// <param name="Changed">The resource version at which this generation was heard first.</param>
/// <param name="ParentRefs">Of an HTTPRoute, as written.</param>
internal sealed record StatusObject(
    Resource Resource, string Version, ObjectName Name, string Uid, long Generation, ulong Changed, string ResourceVersion, JsonObject? Status, JsonArray? ParentRefs)
{
    /// <summary>Whose it is, by its spec: of a GatewayClass; else empty.</summary>
    public string Controller { get; init; } = "";

    public ObjectRef Ref => new(Resource.Kind.Kind, Name);

    public EventObject ForEvents => new(
        $"{Resource.Kind.Group}/{Version}", Resource.Kind.Kind, Name, Uid, ResourceVersion, Generation.ToString(CultureInfo.InvariantCulture));

    public string Path => $"{(Name.Namespace.Length == 0 ? Resource.Path(Version) : Resource.Path(Version, Name.Namespace))}/{Name.Name}";
}

/// <summary>Those objects, as the informers hear them; read by the writer of statuses.</summary>
internal sealed class StatusBook
{
    public static readonly KindInfo[] Kinds = [Dom.Kinds.MeshPolicy, Dom.Kinds.ClusterMeshPolicy, Dom.Kinds.HttpRoute, Dom.Kinds.GatewayClass];

    private readonly ConcurrentDictionary<string, StatusObject> _objects = new(StringComparer.Ordinal);

    public ICollection<StatusObject> All => _objects.Values;

    /// <summary>The newest change of a spec, of each resource: what a node must have enforced to have enforced all.</summary>
    public IReadOnlyDictionary<string, ulong> Newest => _objects.Values.GroupBy(o => o.Resource.Plural).ToDictionary(g => g.Key, g => g.Max(o => o.Changed), StringComparer.Ordinal);

    public void Take(Resource resource, string origin, ApiMap? map, ReadOnlySpan<byte> json)
    {
        if (map is null)
        {
            _objects.TryRemove(origin, out _);
            return;
        }

        if (JsonNode.Parse(json) is not JsonObject obj || obj["metadata"] is not JsonObject metadata)
            return;
        var version = (string?)metadata["resourceVersion"] ?? "";
        var generation = (long?)metadata["generation"] ?? 0;
        var old = _objects.GetValueOrDefault(origin);
        var changed = old is not null && old.Generation == generation && old.Uid == (string?)metadata["uid"] ? old.Changed : Number(version);
        var apiVersion = (map["apiVersion"] as ApiScalar)?.Text ?? "";
        _objects[origin] = new StatusObject(
            resource, apiVersion[(apiVersion.IndexOf('/') + 1)..], new ObjectName((string?)metadata["namespace"] ?? "", (string?)metadata["name"] ?? ""),
            (string?)metadata["uid"] ?? "", generation, changed, version, obj["status"]?.DeepClone() as JsonObject, obj["spec"]?["parentRefs"]?.DeepClone() as JsonArray)
        {
            Controller = (string?)obj["spec"]?["controllerName"] ?? "",
        };
    }

    /// <summary>Resource versions are numbers that grow (Kubernetes 1.35); of a server whose are not, nothing is said to be programmed.</summary>
    public static ulong Number(string resourceVersion) => ulong.TryParse(resourceVersion, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : ulong.MaxValue;
}
