using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace NodeMesh.Testing.ApiServer;

/// <summary>What there is to be asked for: kinds that every cluster has, and those of CustomResourceDefinitions, which come and go.</summary>
internal sealed class CustomDefinitions(ObjectStore store)
{
    public const string Resource = "apiextensions.k8s.io/customresourcedefinitions";

    private readonly ConcurrentDictionary<string, ServedKind> _served = new(StringComparer.Ordinal);

    public ServedKind? this[string resource] => _served.GetValueOrDefault(resource);

    /// <summary>Without a definition that says how its objects look.</summary>
    public void Install(string resource)
    {
        _served[resource] = ServedKind.Of(resource);
        if (resource.Split('/') is [var group, var plural] && group.Contains('.', StringComparison.Ordinal) && !ServedKind.BuiltIn.Contains(resource))
            store.Put(Resource, new JsonObject { ["metadata"] = new JsonObject { ["name"] = $"{plural}.{group}" } });
    }

    public void Uninstall(string resource) => _served.TryRemove(resource, out _);

    /// <summary>Looks at a definition before it is stored, and says in its status that it is served.</summary>
    /// <exception cref="StoreException">Invalid.</exception>
    public static void Check(JsonObject definition)
    {
        var spec = (JsonObject)definition["spec"]!;
        var (group, plural) = ((string)spec["group"]!, (string)spec["names"]!["plural"]!);
        if ((string?)definition["metadata"]!["name"] != $"{plural}.{group}")
            throw new StoreException(422, "Invalid", $"metadata.name: Invalid value: must be {plural}.{group}");
        if ((group.EndsWith(".k8s.io", StringComparison.Ordinal) || group.EndsWith(".kubernetes.io", StringComparison.Ordinal))
            && definition["metadata"]!["annotations"]?["api-approved.kubernetes.io"] is null)
            throw new StoreException(422, "Invalid", "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation");
        try
        {
            if (Served(definition).Schema!.TooExpensive is { } why)
                throw new StoreException(422, "Invalid", $"spec.validation.openAPIV3Schema: Forbidden: {why}");
        }
        catch (Exception e) when (e is NotSupportedException or Cel.CelException or InvalidOperationException or NullReferenceException)
        {
            throw new StoreException(422, "Invalid", $"spec.versions: Invalid value: {e.Message}");
        }

        definition["status"] = new JsonObject
        {
            ["acceptedNames"] = spec["names"]!.DeepClone(),
            ["storedVersions"] = new JsonArray([.. ((JsonArray)spec["versions"]!).Where(v => (bool)v!["storage"]!).Select(v => v!["name"]!.DeepClone())]),
            ["conditions"] = new JsonArray(Condition("NamesAccepted"), Condition("Established")),
        };
    }

    /// <summary>The definition is stored.</summary>
    public void Created(JsonObject definition) => _served[ResourceOf(definition)] = Served(definition);

    /// <summary>Its objects go, and then itself.</summary>
    public void Delete(JsonObject definition)
    {
        var resource = ResourceOf(definition);
        foreach (var obj in store.List(resource, "", "").Objects)
            store.Delete(resource, (string?)obj["metadata"]!["namespace"] ?? "", (string)obj["metadata"]!["name"]!);
        Uninstall(resource);
        store.Delete(Resource, "", (string)definition["metadata"]!["name"]!);
    }

    private static string ResourceOf(JsonObject definition)
    {
        // One that was installed without saying how it looks has only its name.
        var name = (string)definition["metadata"]!["name"]!;
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        return $"{name[(dot + 1)..]}/{name[..dot]}";
    }

    private static ServedKind Served(JsonObject definition)
    {
        var spec = definition["spec"]!;
        var versions = ((JsonArray)spec["versions"]!).Where(v => (bool)v!["served"]!).ToList();
        var stored = ((JsonArray)spec["versions"]!).Single(v => (bool)v!["storage"]!)!;
        return new ServedKind((string)spec["names"]!["kind"]!, [.. versions.Select(v => (string)v!["name"]!)], (string)spec["scope"]! == "Namespaced",
            stored["subresources"]?["status"] is not null, ResourceSchema.Of(definition), stored["additionalPrinterColumns"] as JsonArray);
    }

    private static JsonObject Condition(string type) => new() { ["type"] = type, ["status"] = "True", ["reason"] = type, ["message"] = "", ["lastTransitionTime"] = ObjectStore.Now() };
}
