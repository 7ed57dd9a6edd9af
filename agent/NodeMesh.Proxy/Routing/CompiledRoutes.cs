using System.Runtime.CompilerServices;
using NodeMesh.Plan;
using NodeMesh.Proxy.Http;

namespace NodeMesh.Proxy.Routing;

/// <summary>A route table ready for the hot path: matching allocates nothing. Made once per table, which plans share while it stays the same.</summary>
internal sealed class CompiledRoutes
{
    private static readonly ConditionalWeakTable<RouteTablePlan, CompiledRoutes> Made = [];

    private readonly (HostPattern Host, CompiledRoute[] Routes)[] _hosts;

    private CompiledRoutes(RouteTablePlan plan) =>
        _hosts = [.. plan.Hosts.Select(h => (new HostPattern(h.Host), h.Entries.Select(e => new CompiledRoute(e)).ToArray()))];

    public static CompiledRoutes For(RouteTablePlan plan) => Made.GetValue(plan, static p => new CompiledRoutes(p));

    /// <summary>The first match of the most specific host that has one; null: 404. A less specific host's routes still serve what the more
    /// specific one's do not match, since Gateway API ranks rules and does not shut any out.</summary>
    public CompiledRoute? Match(RequestHead head)
    {
        var host = HostPattern.HostOf(head.Authority);
        foreach (var (pattern, routes) in _hosts)
        {
            if (!pattern.Matches(host))
                continue;
            foreach (var route in routes)
            {
                if (route.Matches(head))
                    return route;
            }
        }

        return null;
    }
}
