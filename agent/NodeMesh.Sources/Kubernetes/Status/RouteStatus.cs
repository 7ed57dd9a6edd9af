using System.Text.Json.Nodes;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Translate;

namespace NodeMesh.Sources.Kubernetes.Status;

/// <summary>The status of an HTTPRoute: what became of it at each parent that is ours (Gateway API, RouteParentStatus). Pure.</summary>
internal static class RouteStatus
{
    public const string MeshController = "nodemesh.io/mesh-controller";

    /// <param name="mesh">Which knows the route as it is used.</param>
    /// <param name="found">What is wrong with it.</param>
    /// <returns>Null: no parent is ours, nor was any.</returns>
    public static JsonObject? Of(StatusObject route, MeshSnapshot mesh, IReadOnlyList<Diagnostic> found, DateTimeOffset now)
    {
        // Other controllers have theirs in the same list.
        var before = (route.Status?["parents"] as JsonArray ?? []).OfType<JsonObject>().ToList();
        var foreign = before.Where(p => !IsOurs((string?)p["controllerName"]));
        var used = mesh.Routes.FirstOrDefault(r => r.Name == route.Name);
        var ours = new List<JsonObject>();
        foreach (var parentRef in (route.ParentRefs ?? []).OfType<JsonObject>())
        {
            var parent = Read(parentRef, route.Name.Namespace);
            if (parent is null || ControllerOf(parent, mesh) is not { } controller)
                continue;
            var old = before.FirstOrDefault(p => (string?)p["controllerName"] == controller && JsonNode.DeepEquals(p["parentRef"], parentRef));
            ours.Add(new JsonObject
            {
                ["parentRef"] = parentRef.DeepClone(),
                ["controllerName"] = controller,
                ["conditions"] = new JsonArray(Accepted(route, parent, mesh, found, old?["conditions"] as JsonArray, now), ResolvedRefs(route, used, old?["conditions"] as JsonArray, now)),
            });
        }

        var all = foreign.Select(p => p.DeepClone()).Concat(ours).ToArray();
        return all.Length == 0 && before.Count == 0 ? null : new JsonObject { ["parents"] = new JsonArray(all) };
    }

    private static bool IsOurs(string? controller) => controller is MeshController or GatewayClassTranslator.ControllerName;

    private static string? ControllerOf(RouteParent parent, MeshSnapshot mesh) =>
        parent.Kind == ParentKind.Service ? MeshController : mesh.Gateways.Any(g => g.Name == parent.Name) ? GatewayClassTranslator.ControllerName : null;

    private static RouteParent? Read(JsonObject parentRef, string ns)
    {
        var group = (string?)parentRef["group"] ?? Kinds.GatewayGroup;
        var kind = (string?)parentRef["kind"] ?? "Gateway";
        var name = new ObjectName((string?)parentRef["namespace"] ?? ns, (string?)parentRef["name"] ?? "");
        var port = (ushort?)(int?)parentRef["port"];
        return (group, kind) switch
        {
            ("", "Service") => new RouteParent(ParentKind.Service, name, port, (string?)parentRef["sectionName"]),
            (Kinds.GatewayGroup, "Gateway") => new RouteParent(ParentKind.Gateway, name, port, (string?)parentRef["sectionName"]),
            _ => null,
        };
    }

    private static JsonObject Accepted(StatusObject route, RouteParent parent, MeshSnapshot mesh, IReadOnlyList<Diagnostic> found, JsonArray? before, DateTimeOffset now)
    {
        JsonObject Condition(bool holds, string reason, string message) => Conditions.Of("Accepted", holds, reason, message, route.Generation, before, now);

        // What a backend refers to is the other condition's matter.
        var refused = found.Where(d => d is { Severity: Severity.Error, Code: not "invalid-backend" } or { Code: "unsupported" }).ToList();
        if (refused.Count > 0)
            return Condition(false, "UnsupportedValue", string.Join("; ", refused.Select(d => $"{d.FieldPath}: {d.Message}")));
        if (parent.Kind == ParentKind.Service)
        {
            var service = mesh.Services.FirstOrDefault(s => s.Name == parent.Name);
            if (service is null)
                return Condition(false, "NoMatchingParent", $"there is no Service {parent.Name} with a cluster address");
            if (parent.Port is { } port && !service.Ports.Any(p => p.Port == port && p.Protocol == Protocol.Tcp))
                return Condition(false, "NoMatchingParent", $"Service {parent.Name} has no TCP port {port}");
        }
        else if (!mesh.Gateways.First(g => g.Name == parent.Name).Listeners.Any(l => (parent.SectionName ?? l.Name) == l.Name && (parent.Port ?? l.Port) == l.Port))
        {
            return Condition(false, "NoMatchingParent", $"Gateway {parent.Name} has no such listener");
        }

        return Condition(true, "Accepted", "The route is accepted");
    }

    private static JsonObject ResolvedRefs(StatusObject route, Route? used, JsonArray? before, DateTimeOffset now)
    {
        var bad = used?.Rules.SelectMany(r => r.Backends).FirstOrDefault(b => b.Invalid is not null);
        return bad is null
            ? Conditions.Of("ResolvedRefs", true, "ResolvedRefs", "All references are resolved", route.Generation, before, now)
            : Conditions.Of("ResolvedRefs", false, bad.Problem.ToString(), bad.Invalid!, route.Generation, before, now);
    }
}
