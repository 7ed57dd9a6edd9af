using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace NodeMesh.Testing.ApiServer;

/// <summary>What becomes of an object that is created, changed or deleted, as the registry of an API server has it.</summary>
internal sealed class Writer(ObjectStore store, CustomDefinitions definitions)
{
    // The server's own; what a client says of them counts for nothing.
    private static readonly string[] s_own = ["uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"];

    private int _addresses;

    /// <summary>What only a whole cluster refuses: objects of namespaces that do not exist.</summary>
    public bool ChecksNamespaces { get; set; }

    /// <exception cref="StoreException">Refused.</exception>
    public JsonObject Create(ApiTarget target, ServedKind kind, JsonObject body, IQueryCollection query)
    {
        var metadata = body["metadata"] as JsonObject ?? throw Invalid("metadata: Required value");
        Same(body, kind, target);
        if (metadata["resourceVersion"] is not null)
            throw new StoreException(400, "BadRequest", "resourceVersion should not be set on objects to be created");
        if (metadata["name"] is null && (string?)metadata["generateName"] is { } prefix)
            metadata["name"] = prefix + Guid.NewGuid().ToString("N")[..5];
        var name = (string?)metadata["name"] ?? throw Invalid("metadata.name: Required value: name or generateName is required");
        if (target.Namespace.Length > 0)
        {
            if ((string?)metadata["namespace"] is { } said && said != target.Namespace)
                throw new StoreException(400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request");
            metadata["namespace"] = target.Namespace;
            if (ChecksNamespaces && store.List("namespaces", "", target.Namespace).Objects.Count == 0)
                throw new StoreException(404, "NotFound", $"namespaces \"{target.Namespace}\" not found");
        }

        foreach (var own in s_own)
            metadata.Remove(own);
        if (kind.HasStatus)
            body.Remove("status");
        Shape(kind, body, null, query);
        Defaults(target.Resource, body);
        if (target.Resource == CustomDefinitions.Resource)
            CustomDefinitions.Check(body);
        if (IsDry(query))
            return store.List(target.Resource, target.Namespace, name).Objects.Count == 0 ? body : throw new StoreException(409, "AlreadyExists", $"{target.Resource} \"{name}\" already exists");
        var created = store.Put(target.Resource, body, mustBeNew: true);
        if (target.Resource == CustomDefinitions.Resource)
            definitions.Created(created);
        return created;
    }

    /// <summary>PUT and PATCH, of the object or of its status.</summary>
    /// <exception cref="StoreException">Refused.</exception>
    public JsonObject Change(ApiTarget target, ServedKind kind, JsonObject body, HttpRequest request)
    {
        if (target.Subresource.Length > 0 && !(target.IsStatus && kind.HasStatus))
            throw new StoreException(404, "NotFound", "the server could not find the requested resource");
        if (target.Verb == "patch" && request.ContentType?.StartsWith("application/merge-patch+json", StringComparison.Ordinal) != true)
            throw new StoreException(415, "UnsupportedMediaType", $"the body of the request was in an unknown format: {request.ContentType}");
        var old = store.Get(target.Resource, target.Namespace, target.Name);
        var next = target.Verb == "patch" ? (JsonObject)Merge(old.DeepClone(), body)! : body;
        Same(next, kind, target);
        var metadata = next["metadata"] as JsonObject ?? throw Invalid("metadata: Required value");
        if ((string?)metadata["name"] != target.Name)
            throw new StoreException(400, "BadRequest", "the name of the object does not match the name on the URL");
        if (kind.IsCustom && (string?)metadata["resourceVersion"] is null or "")
            throw Invalid("metadata.resourceVersion: Invalid value: 0x0: must be specified for an update");
        if ((string?)metadata["uid"] is { } uid && uid != (string?)old["metadata"]!["uid"])
            throw new StoreException(409, "Conflict", "Precondition failed: UID in precondition does not match");

        // The status has a door of its own, and neither door opens the other's room.
        if (target.IsStatus)
        {
            var changed = (JsonObject)old.DeepClone();
            changed["status"] = next["status"]?.DeepClone();
            if (next["metadata"]?["resourceVersion"] is { } version)
                changed["metadata"]!["resourceVersion"] = version.DeepClone();
            next = changed;
        }
        else if (kind.HasStatus)
        {
            next.Remove("status");
            if (old["status"] is { } status)
                next["status"] = status.DeepClone();
        }

        Owned(next, old);
        Shape(kind, next, old, request.Query);
        return IsDry(request.Query) ? next : Stored(target, next, old);
    }

    /// <summary>A Pod on a node goes when its kubelet says so, or at once when it is forced; what has finalizers goes with the last of them.</summary>
    /// <exception cref="StoreException">There is none.</exception>
    public JsonObject Delete(ApiTarget target, IQueryCollection query, JsonObject? options)
    {
        var old = store.Get(target.Resource, target.Namespace, target.Name);
        if (IsDry(query))
            return old;
        var grace = int.TryParse(query["gracePeriodSeconds"], out var asked) ? asked : (int?)options?["gracePeriodSeconds"];
        var waits = old["metadata"]!["finalizers"] is JsonArray { Count: > 0 } || target.Resource == "namespaces"
            || (target.Resource == "pods" && old["spec"]?["nodeName"] is not null && grace != 0);
        if (!waits)
        {
            if (target.Resource == CustomDefinitions.Resource)
                definitions.Delete(old);
            else
                store.Delete(target.Resource, target.Namespace, target.Name);
            return new JsonObject { ["kind"] = "Status", ["apiVersion"] = "v1", ["status"] = "Success" };
        }

        if (old["metadata"]!["deletionTimestamp"] is not null)
            return old;
        var leaving = (JsonObject)old.DeepClone();
        leaving["metadata"]!["deletionTimestamp"] = ObjectStore.Now();
        leaving["metadata"]!["deletionGracePeriodSeconds"] = grace ?? (target.Resource == "pods" ? 30 : 0);
        return store.Put(target.Resource, leaving);
    }

    private JsonObject Stored(ApiTarget target, JsonObject next, JsonObject old)
    {
        var said = (string?)next["metadata"]!["resourceVersion"];
        if (said is { Length: > 0 } && said != (string?)old["metadata"]!["resourceVersion"])
            throw new StoreException(409, "Conflict", "the object has been modified; please apply your changes to the latest version and try again");
        next["metadata"]!["resourceVersion"] = old["metadata"]!["resourceVersion"]!.DeepClone();

        // What changes nothing is no change.
        if (JsonNode.DeepEquals(next, old))
            return old;
        var changed = store.Put(target.Resource, next);
        if (changed["metadata"]!["deletionTimestamp"] is not null && old["metadata"]!["finalizers"] is JsonArray { Count: > 0 } && changed["metadata"]!["finalizers"] is not JsonArray { Count: > 0 })
            store.Delete(target.Resource, target.Namespace, target.Name);
        return changed;
    }

    private static void Owned(JsonObject next, JsonObject old)
    {
        foreach (var own in s_own)
        {
            next["metadata"]!.AsObject().Remove(own);
            if (old["metadata"]![own] is { } was)
                next["metadata"]![own] = was.DeepClone();
        }
    }

    private static void Same(JsonObject body, ServedKind kind, ApiTarget target)
    {
        if (kind.Kind.Length == 0)
            return;
        body["kind"] ??= kind.Kind;
        body["apiVersion"] ??= target.ApiVersion;
        if ((string?)body["kind"] != kind.Kind || (string?)body["apiVersion"] != target.ApiVersion)
            throw new StoreException(400, "BadRequest", $"{body["kind"]} in version \"{body["apiVersion"]}\" cannot be handled as a {kind.Kind} of {target.ApiVersion}");
    }

    private static void Shape(ServedKind kind, JsonObject body, JsonObject? old, IQueryCollection query)
    {
        if (kind.Schema is not { } schema)
            return;
        var whole = body.DeepClone();
        schema.Prune(body);
        if (query["fieldValidation"] == "Strict" && !JsonNode.DeepEquals(whole, body))
            throw new StoreException(400, "BadRequest", "strict decoding error: unknown field");
        schema.Default(body);
        if (schema.Validate(body, old) is { Count: > 0 } found)
            throw Invalid(string.Join(", ", found.Select(v => $"{v.Path}: Invalid value: {v.Message}")));
    }

    private void Defaults(string resource, JsonObject body)
    {
        if (resource == "pods")
            body["status"] = new JsonObject { ["phase"] = "Pending" };
        else if (resource == "namespaces")
            body["status"] = new JsonObject { ["phase"] = "Active" };
        else if (resource == "services" && body["spec"] is JsonObject spec)
        {
            spec["type"] ??= "ClusterIP";
            spec["clusterIP"] ??= $"10.96.200.{Interlocked.Increment(ref _addresses)}";
            spec["clusterIPs"] ??= new JsonArray(spec["clusterIP"]!.DeepClone());
        }
    }

    private static bool IsDry(IQueryCollection query) => query["dryRun"] == "All";

    private static StoreException Invalid(string message) => new(422, "Invalid", message);

    /// <summary>RFC 7396.</summary>
    private static JsonNode? Merge(JsonNode? target, JsonNode? patch)
    {
        if (patch is not JsonObject fields)
            return patch?.DeepClone();
        var merged = target as JsonObject ?? [];
        foreach (var (name, value) in fields)
        {
            var old = merged[name];
            merged.Remove(name);
            if (value is not null)
                merged[name] = Merge(old, value);
        }

        return merged;
    }
}
