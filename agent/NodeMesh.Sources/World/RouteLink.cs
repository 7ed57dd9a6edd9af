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
        var allGateways = gathered.Of<GatewayDraft>(Kinds.Gateway).Select(e => e.Source.Name).ToHashSet();
        var result = new List<Route>();
        foreach (var entry in gathered.Of<RouteDraft>(Kinds.HttpRoute))
        {
            ParentLink.Check(found, entry.Source, entry.Value.Route, services, gatewayNames, allGateways);
            result.Add(Reuse(previous, entry.Value.Route, Rules(entry.Source, entry.Value, services, grants, found)));
        }
        return result;
    }

    private static ImmutableArray<RouteRule> Rules(
        ObjectSite source, RouteDraft draft, IReadOnlyDictionary<ObjectName, Service> services, Grants grants, List<Diagnostic> found)
    {
        var isForGateway = draft.Route.Parents.Any(p => p.Kind == ParentKind.Gateway);
        var rules = draft.Route.Rules;
        for (var r = 0; r < rules.Length; r++)
            for (var b = 0; b < rules[r].Backends.Length; b++)
            {
                var backend = rules[r].Backends[b];
                if (backend.Invalid is not null)
                    continue; // what stands there is said already
                var linked = backend with { Invalid = WhyInvalid(backend, services), Ungranted = WhyUngranted(backend, source.Name.Namespace, grants) };
                if (linked == backend)
                    continue;
                rules = rules.SetItem(r, rules[r] with { Backends = rules[r].Backends.SetItem(b, linked) });
                if ((isForGateway ? linked.ProblemAt(ParentKind.Gateway) : linked.Invalid) is { } problem)
                    found.Add(new Diagnostic("invalid-backend", Severity.Error, source.Ref, $"spec.rules[{r}].backendRefs[{b}]", problem.Message,
                        $"requests {(problem == linked.Invalid ? "" : "to the Gateway ")}for this backend get 500", source.Location with { Line = draft.BackendLines[r][b] }));
            }
        return rules;
    }

    private static RefProblem? WhyUngranted(RouteBackend backend, string ns, Grants grants) =>
        grants.Allows("HTTPRoute", ns, "Service", backend.Service) ? null : new RefProblem(RefReason.RefNotPermitted, Grants.Missing("Service", backend.Service));

    private static RefProblem? WhyInvalid(RouteBackend backend, IReadOnlyDictionary<ObjectName, Service> services)
    {
        if (!services.TryGetValue(backend.Service, out var service))
            return new RefProblem(RefReason.BackendNotFound, $"there is no usable Service {backend.Service}");
        if (service.Ports.FirstOrDefault(p => p.Port == backend.Port && p.Protocol == Protocol.Tcp) is not { } port)
            return new RefProblem(RefReason.BackendNotFound, $"Service {backend.Service} has no TCP port {backend.Port}");
        return IsBeyondHttp1(port.AppProtocol)
            ? new RefProblem(RefReason.UnsupportedProtocol, $"port {backend.Port} of Service {backend.Service} has appProtocol {port.AppProtocol}, and backends are called by HTTP/1.1 without TLS")
            : null;
    }

    /// <summary>Protocols of which nothing could come but errors when they are spoken to in plain HTTP/1.1 (GEP-1911).</summary>
    private static bool IsBeyondHttp1(string appProtocol) =>
        appProtocol.ToLowerInvariant() is "kubernetes.io/h2c" or "kubernetes.io/wss" or "http2" or "grpc" or "https" or "tls";

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
