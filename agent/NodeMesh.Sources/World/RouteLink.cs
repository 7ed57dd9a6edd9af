using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Translate;

namespace NodeMesh.Sources.World;

/// <summary>Routes whose references have been followed.</summary>
internal static class RouteLink
{
    /// <param name="found">Takes what is wrong.</param>
    public static List<Route> Run(
        Gathered gathered, IReadOnlyDictionary<ObjectName, Service> services, IReadOnlyList<Gateway> gateways,
        IReadOnlyDictionary<ObjectName, Route> previous, List<Diagnostic> found)
    {
        var grants = new Grants(gathered);
        var gatewayNames = gateways.ToDictionary(g => g.Name);
        var foreignGateways = gathered.Of<GatewayDraft>(Kinds.Gateway).Select(e => e.Source.Name).ToHashSet();
        var result = new List<Route>();
        foreach (var entry in gathered.Of<RouteDraft>(Kinds.HttpRoute))
        {
            var draft = entry.Value;
            CheckParents(found, entry.Source, draft.Route, services, gatewayNames, foreignGateways);
            var rules = draft.Route.Rules;
            for (var r = 0; r < rules.Length; r++)
                for (var b = 0; b < rules[r].Backends.Length; b++)
                {
                    var backend = rules[r].Backends[b];
                    if (backend.Invalid is not null || WhyInvalid(backend, entry.Source.Name.Namespace, services, grants, out var problem) is not { } why)
                        continue;
                    var at = entry.Source.Location with { Line = draft.BackendLines[r][b] };
                    found.Add(new Diagnostic("invalid-backend", Severity.Error, entry.Source.Ref, $"spec.rules[{r}].backendRefs[{b}]", why,
                        "requests for this backend get 500", at));
                    rules = rules.SetItem(r, rules[r] with { Backends = rules[r].Backends.SetItem(b, backend with { Invalid = why, Problem = problem }) });
                }
            result.Add(Reuse(previous, draft.Route, rules));
        }
        return result;
    }

    private static string? WhyInvalid(RouteBackend backend, string routeNamespace, IReadOnlyDictionary<ObjectName, Service> services, Grants grants, out RefProblem problem)
    {
        problem = RefProblem.RefNotPermitted;
        if (!grants.Allows("HTTPRoute", routeNamespace, "Service", backend.Service))
            return Grants.Missing("Service", backend.Service);
        problem = RefProblem.BackendNotFound;
        if (!services.TryGetValue(backend.Service, out var service))
            return $"there is no usable Service {backend.Service}";
        return service.Ports.Any(p => p.Port == backend.Port && p.Protocol == Protocol.Tcp) ? null : $"Service {backend.Service} has no TCP port {backend.Port}";
    }

    private static void CheckParents(List<Diagnostic> found, ObjectSite source, Route route, IReadOnlyDictionary<ObjectName, Service> services,
        Dictionary<ObjectName, Gateway> gateways, HashSet<ObjectName> allGateways)
    {
        foreach (var p in route.Parents)
        {
            string? why = null;
            if (p.Kind == ParentKind.Service)
            {
                if (!services.TryGetValue(p.Name, out var service))
                    why = $"there is no usable Service {p.Name}";
                else if (p.Port is { } port && !service.Ports.Any(s => s.Port == port))
                    why = $"Service {p.Name} has no port {port}";
            }
            else if (!gateways.TryGetValue(p.Name, out var gateway))
                why = allGateways.Contains(p.Name) ? null : $"there is no Gateway {p.Name}";
            else if (p.SectionName is { } section && !gateway.Listeners.Any(l => l.Name == section))
                why = $"Gateway {p.Name} has no usable listener '{section}'";
            else if (p.Port is { } port && !gateway.Listeners.Any(l => l.Port == port))
                why = $"Gateway {p.Name} has no usable listener on port {port}";
            if (why is not null)
                found.Add(new Diagnostic("unknown-parent", Severity.Warning, source.Ref, "spec.parentRefs", why,
                    "the route takes no requests there until it exists", source.Location));
        }
    }

    private static Route Reuse(IReadOnlyDictionary<ObjectName, Route> previous, Route draft, ImmutableArray<RouteRule> rules)
    {
        if (rules == draft.Rules)
            return draft;
        var isSame = previous.TryGetValue(draft.Name, out var old) && old.Parents == draft.Parents && old.Rules.Length == rules.Length
            && old.Location == draft.Location
            && old.Rules.Zip(rules).All(p => p.First.Matches == p.Second.Matches && p.First.Backends.AsSpan().SequenceEqual(p.Second.Backends.AsSpan()));
        return isSame ? old! : draft with { Rules = rules };
    }
}
