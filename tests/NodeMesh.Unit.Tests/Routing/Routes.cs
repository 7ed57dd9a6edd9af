using NodeMesh.Model;
using NodeMesh.Plan;
using MatchType = NodeMesh.Model.MatchType;

namespace NodeMesh.Unit.Tests.Routing;

/// <summary>Short forms of route plans.</summary>
internal static class Routes
{
    public static RouteMatch Prefix(string path) => new(new StringMatch(MatchType.PathPrefix, path), [], [], null);

    public static RouteActionPlan Action(string name, RedirectFilter? redirect = null, RewriteFilter? rewrite = null, params RouteTargetPlan[] targets) =>
        new(name, redirect, rewrite, [], [], [.. targets], targets.Sum(t => t.Weight), null, null);

    public static RouteEntryPlan Entry(RouteMatch match, string name) => new(match, Action(name));

    public static RouteTablePlan Table(params (string Host, RouteEntryPlan[] Entries)[] hosts) =>
        new([.. hosts.Select(h => new VirtualHostPlan(h.Host, [.. h.Entries]))]);

    public static RouteTargetPlan Target(string cluster, int weight) => new(new ClusterPlan(cluster, []), weight, [], []);
}
