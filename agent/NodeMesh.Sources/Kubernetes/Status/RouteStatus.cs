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
        var refs = route.ParentRefs ?? [];
        for (var i = 0; i < refs.Count; i++)
        {
            if (refs[i] is not JsonObject parentRef || ControllerOf(parentRef, route.Name.Namespace, mesh) is not { } controller)
                continue;
            var old = before.FirstOrDefault(p => (string?)p["controllerName"] == controller && JsonNode.DeepEquals(p["parentRef"], parentRef))?["conditions"] as JsonArray;
            var kind = controller == MeshController ? ParentKind.Service : ParentKind.Gateway;
            ours.Add(new JsonObject
            {
                ["parentRef"] = parentRef.DeepClone(),
                ["controllerName"] = controller,
                ["conditions"] = new JsonArray(Accepted(route, RouteParent.PathOf(i), found, old, now), ResolvedRefs(route, used, kind, old, now)),
            });
        }

        var all = foreign.Select(p => p.DeepClone()).Concat(ours).ToArray();
        return all.Length == 0 && before.Count == 0 ? null : new JsonObject { ["parents"] = new JsonArray(all) };
    }

    private static bool IsOurs(string? controller) => controller is MeshController or GatewayClassTranslator.ControllerName;

    /// <summary>Null: a parent of no kind of ours, or a Gateway of another class.</summary>
    private static string? ControllerOf(JsonObject parentRef, string ns, MeshSnapshot mesh)
    {
        var name = new ObjectName((string?)parentRef["namespace"] ?? ns, (string?)parentRef["name"] ?? "");
        return ((string?)parentRef["group"] ?? Kinds.GatewayGroup, (string?)parentRef["kind"] ?? "Gateway") switch
        {
            ("", "Service") => MeshController,
            (Kinds.GatewayGroup, "Gateway") when mesh.Gateways.Any(g => g.Name == name) => GatewayClassTranslator.ControllerName,
            _ => null,
        };
    }

    /// <summary>What keeps a whole route out is said at each parent; else what keeps it from this one.</summary>
    private static JsonObject Accepted(StatusObject route, string parent, IReadOnlyList<Diagnostic> found, JsonArray? before, DateTimeOffset now)
    {
        JsonObject Condition(bool holds, string reason, string message) => Conditions.Of("Accepted", holds, reason, message, route.Generation, before, now);

        // What a backend refers to is the other condition's matter.
        var refused = found.Where(d => d is { Severity: Severity.Error, Code: not "invalid-backend" }).ToList();
        if (refused.Count > 0)
            return Condition(false, refused.Exists(d => d.Code == "incompatible-filters") ? "IncompatibleFilters" : "UnsupportedValue", string.Join("; ", refused.Select(d => $"{d.FieldPath}: {d.Message}")));
        foreach (var finding in found.Where(d => d.FieldPath == parent))
            if (ParentReason(finding.Code) is { } reason)
                return Condition(false, reason, finding.Message);
        return Condition(true, "Accepted", "The route is accepted");
    }

    /// <summary>The word of Gateway API for a finding that keeps a route from a parent (RouteReasonXxx of the condition Accepted).</summary>
    private static string? ParentReason(string code) => code switch
    {
        "unknown-parent" or "port-is-not-http" => "NoMatchingParent",
        "not-allowed-by-listeners" => "NotAllowedByListeners",
        "no-matching-hostname" => "NoMatchingListenerHostname",
        _ => null,
    };

    private static JsonObject ResolvedRefs(StatusObject route, Route? used, ParentKind parent, JsonArray? before, DateTimeOffset now)
    {
        var problem = used?.Rules.SelectMany(r => r.Backends).Select(b => b.ProblemAt(parent)).FirstOrDefault(p => p is not null);
        return problem is null
            ? Conditions.Of("ResolvedRefs", true, "ResolvedRefs", "All references are resolved", route.Generation, before, now)
            : Conditions.Of("ResolvedRefs", false, problem.Reason.ToString(), problem.Message, route.Generation, before, now);
    }
}
