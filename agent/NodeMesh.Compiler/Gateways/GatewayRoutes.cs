using System.Collections.Immutable;
using NodeMesh.Compiler.Identities;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Gateways;

/// <summary>Which routes are attached to which listeners, under which hosts.</summary>
internal sealed class GatewayRoutes
{
    private readonly Dictionary<(ObjectName Gateway, string Listener), List<(string Host, Route Route)>> _attached = [];

    public ImmutableArray<(string Host, Route Route)> Of(Sockets.Claim claim) =>
        _attached.TryGetValue((claim.Gateway.Name, claim.Listener.Name), out var routes) ? [.. routes] : [];

    public static GatewayRoutes Attach(MeshSnapshot mesh, IdentityTable identities, PlanBuilder plan)
    {
        var routes = new GatewayRoutes();
        var gateways = mesh.Gateways.ToDictionary(g => g.Name);
        foreach (var route in mesh.Routes)
        {
            foreach (var parent in route.Parents)
            {
                if (parent.Kind == ParentKind.Gateway && routes.TryAttach(route, parent, gateways, identities) is { } problem)
                    plan.Report(problem.Code, Severity.Warning, new ObjectRef("HTTPRoute", route.Name), parent.Path,
                        problem.Message, "the route is not attached to this parent", route.Location);
            }
        }

        return routes;
    }

    private (string Code, string Message)? TryAttach(
        Route route, RouteParent parent, Dictionary<ObjectName, Gateway> gateways, IdentityTable identities)
    {
        // Gateways of another class are somebody else's; that one does not exist is said where references are followed, in Sources.
        if (!gateways.TryGetValue(parent.Name, out var gateway))
            return null;

        var named = gateway.Listeners.Where(l => (parent.SectionName is null || l.Name == parent.SectionName) && (parent.Port is null || l.Port == parent.Port)).ToList();
        if (named.Count == 0)
            return null;

        var ns = identities.Namespaces[route.Name.Namespace];
        var open = named.Where(l => l.RouteNamespaces.Matches(ns)).ToList();
        if (open.Count == 0)
            return ("not-allowed-by-listeners", $"Gateway {parent.Name} takes no routes from namespace {ns.Name}; see its allowedRoutes");

        var hostnames = route.Hostnames.Length == 0 ? [Hostnames.Any] : route.Hostnames;
        var any = false;
        foreach (var listener in open)
        {
            foreach (var host in hostnames.Select(h => Hostnames.Intersect(listener.Hostname ?? Hostnames.Any, h)).OfType<string>().Distinct())
            {
                any = true;
                var key = (gateway.Name, listener.Name);
                if (!_attached.TryGetValue(key, out var list))
                    _attached.Add(key, list = []);
                if (!list.Contains((host, route)))
                    list.Add((host, route));
            }
        }

        return any ? null : ("no-matching-hostname", $"no hostname of the route is one of Gateway {parent.Name}'s listeners");
    }
}
