using System.Globalization;
using System.Text.Json.Nodes;

namespace NodeMesh.Testing.ApiServer;

/// <param name="Type">ADDED, MODIFIED or DELETED.</param>
public sealed record StoreEvent(long Version, string Type, string Namespace, string Name, JsonObject Object);

/// <summary>The store refused, with the reason and code of a meta/v1 Status.</summary>
public sealed class StoreException(int code, string reason, string message) : Exception(message)
{
    public int Code => code;

    public string Reason => reason;
}

/// <summary>The objects of one resource, and what happened to them since a version that may be forgotten.</summary>
internal sealed class ResourceTable
{
    public SortedDictionary<(string Namespace, string Name), JsonObject> Objects { get; } = [];

    public List<StoreEvent> History { get; } = [];

    /// <summary>What happened up to here is not told any more.</summary>
    public required long Compacted { get; set; }
}

/// <summary>What etcd and the registry are to an API server: one counter of versions for all, a history for each resource, optimistic locking. Thread-safe.</summary>
public sealed class ObjectStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, ResourceTable> _tables = new(StringComparer.Ordinal);
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Nothing was before.</summary>
    private const long First = 1000;
    private long _version = First;

    /// <summary>As metadata has times: by the second.</summary>
    public static string Now() => DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    public long Version
    {
        get
        {
            lock (_lock)
                return _version;
        }
    }

    /// <summary>Done at the next change of anything.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock)
                return _changed.Task;
        }
    }

    public (long Version, List<JsonObject> Objects) List(string resource, string ns, string name)
    {
        lock (_lock)
            return (_version, [.. Table(resource).Objects.Where(o => Fits(o.Key.Namespace, o.Key.Name, ns, name)).Select(o => o.Value)]);
    }

    /// <summary>What happened after <paramref name="after"/>, and the newest version.</summary>
    /// <exception cref="StoreException">Expired: it is forgotten.</exception>
    public (long Version, List<StoreEvent> Events) Since(string resource, string ns, string name, long after)
    {
        lock (_lock)
        {
            var table = Table(resource);
            if (after < table.Compacted)
                throw new StoreException(410, "Expired", $"too old resource version: {after} ({table.Compacted})");

            // From the end: of a long history little is new.
            var first = table.History.FindLastIndex(e => e.Version <= after) + 1;
            return (_version, [.. table.History.Skip(first).Where(e => Fits(e.Namespace, e.Name, ns, name))]);
        }
    }

    public JsonObject Get(string resource, string ns, string name)
    {
        lock (_lock)
            return Table(resource).Objects.GetValueOrDefault((ns, name)) ?? throw new StoreException(404, "NotFound", $"{resource} \"{name}\" not found");
    }

    /// <exception cref="StoreException">AlreadyExists, or Conflict where it says a version that is not the newest.</exception>
    public JsonObject Put(string resource, JsonObject obj, bool mustBeNew = false)
    {
        lock (_lock)
        {
            var next = (JsonObject)obj.DeepClone();
            var metadata = next["metadata"] as JsonObject ?? throw new StoreException(422, "Invalid", "metadata.name: Required value");
            var key = ((string?)metadata["namespace"] ?? "", (string?)metadata["name"] ?? throw new StoreException(422, "Invalid", "metadata.name: Required value"));
            var table = Table(resource);
            var old = table.Objects.GetValueOrDefault(key);
            if (old is not null && mustBeNew)
                throw new StoreException(409, "AlreadyExists", $"{resource} \"{key.Item2}\" already exists");
            if (old is not null && (string?)metadata["resourceVersion"] is { Length: > 0 } said && said != (string?)old["metadata"]!["resourceVersion"])
                throw new StoreException(409, "Conflict", "the object has been modified; please apply your changes to the latest version and try again");
            metadata["uid"] ??= (string?)old?["metadata"]?["uid"] ?? Guid.NewGuid().ToString();
            metadata["creationTimestamp"] ??= (string?)old?["metadata"]?["creationTimestamp"] ?? Now();
            metadata["generation"] = ((long?)old?["metadata"]?["generation"] ?? 0) + (old is null || !JsonNode.DeepEquals(old["spec"], next["spec"]) ? 1 : 0);
            Record(table, old is null ? "ADDED" : "MODIFIED", key, next);
            table.Objects[key] = next;
            return next;
        }
    }

    public void Delete(string resource, string ns, string name)
    {
        lock (_lock)
        {
            var table = Table(resource);
            if (!table.Objects.Remove((ns, name), out var old))
                throw new StoreException(404, "NotFound", $"{resource} \"{name}\" not found");
            Record(table, "DELETED", (ns, name), (JsonObject)old.DeepClone());
        }
    }

    /// <summary>What happened to a resource up to here is forgotten.</summary>
    public long CompactedTo(string resource)
    {
        lock (_lock)
            return Table(resource).Compacted;
    }

    /// <summary>Forgets what happened: who wants to go on from before now has to list anew.</summary>
    public void Compact()
    {
        lock (_lock)
        {
            _version++;
            foreach (var table in _tables.Values)
            {
                table.History.Clear();
                table.Compacted = _version;
            }
        }
    }

    private void Record(ResourceTable table, string type, (string Namespace, string Name) key, JsonObject obj)
    {
        obj["metadata"]!["resourceVersion"] = (++_version).ToString(CultureInfo.InvariantCulture);
        table.History.Add(new StoreEvent(_version, type, key.Namespace, key.Name, obj));
        var waiting = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        waiting.SetResult();
    }

    private ResourceTable Table(string resource)
    {
        if (!_tables.TryGetValue(resource, out var table))
            _tables.Add(resource, table = new ResourceTable { Compacted = First });
        return table;
    }

    private static bool Fits(string ns, string name, string wantedNamespace, string wantedName) =>
        (wantedNamespace.Length == 0 || ns == wantedNamespace) && (wantedName.Length == 0 || name == wantedName);
}
