using System.Collections.Immutable;
using NodeMesh.Compiler.Services;
using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Compiler.Routes;

/// <summary>Turns rules into what the proxy does; a rule is turned once, however many of its matches there are.</summary>
/// <param name="parent">Where the requests come in.</param>
/// <param name="cluster">The backends behind a service port; null when there is no such port.</param>
internal sealed class RouteActions(ParentKind parent, Func<ServicePortName, ClusterPlan?> cluster, PlanBuilder plan)
{
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(15);

    private readonly Dictionary<(ObjectName, int), RouteActionPlan> _actions = [];

    /// <summary>Entries in order of precedence.</summary>
    public ImmutableArray<RouteEntryPlan> Entries(IEnumerable<Route> routes)
    {
        var candidates = routes.SelectMany(route => route.Rules.SelectMany((rule, r) => rule.Matches.Select((_, m) => new RouteCandidate(route, r, m))));
        return [.. candidates.Order(RouteOrder.Instance).Select(c => new RouteEntryPlan(c.Match, Of(c)))];
    }

    private RouteActionPlan Of(RouteCandidate candidate)
    {
        var key = (candidate.Route.Name, candidate.RuleIndex);
        if (!_actions.TryGetValue(key, out var action))
            _actions.Add(key, action = Translate(candidate.Route, candidate.RuleIndex));
        return action;
    }

    private RouteActionPlan Translate(Route route, int index)
    {
        var rule = route.Rules[index];
        var targets = ImmutableArray.CreateBuilder<RouteTargetPlan>();
        for (var i = 0; i < rule.Backends.Length; i++)
        {
            if (rule.Backends[i].Weight > 0)
                targets.Add(Target(route, $"spec.rules[{index}].backendRefs[{i}]", rule.Backends[i]));
        }

        return new RouteActionPlan(
            rule.Name.Length == 0 ? route.Name.ToString() : $"{route.Name}/{rule.Name}",
            rule.Filters.OfType<RedirectFilter>().FirstOrDefault(),
            rule.Filters.OfType<RewriteFilter>().FirstOrDefault(),
            Headers(rule.Filters, onResponse: false),
            Headers(rule.Filters, onResponse: true),
            targets.ToImmutable(),
            targets.Sum(t => t.Weight),
            NoneWhenZero(rule.RequestTimeout ?? DefaultTimeout),
            NoneWhenZero(rule.BackendTimeout),
            rule.RequestTimeout is not null);
    }

    private RouteTargetPlan Target(Route route, string field, RouteBackend backend)
    {
        var isValid = backend.ProblemAt(parent) is null;
        var found = isValid ? cluster(new ServicePortName(backend.Service, backend.Port)) : null;

        // An invalid reference is reported by who found it so; that there is no such service is found here.
        if (found is null && isValid)
        {
            plan.Report("backend-not-found", Severity.Warning, new ObjectRef("HTTPRoute", route.Name), field,
                $"there is no Service {backend.Service} with TCP port {backend.Port}", "its share of the requests is answered with 500", route.Location);
        }

        return new RouteTargetPlan(found, backend.Weight, Headers(backend.Filters, onResponse: false), Headers(backend.Filters, onResponse: true));
    }

    private static ImmutableArray<HeaderFilter> Headers(ImmutableArray<RouteFilter> filters, bool onResponse) =>
        [.. filters.OfType<HeaderFilter>().Where(f => f.OnResponse == onResponse)];

    private static TimeSpan? NoneWhenZero(TimeSpan? time) => time == TimeSpan.Zero ? null : time;
}
