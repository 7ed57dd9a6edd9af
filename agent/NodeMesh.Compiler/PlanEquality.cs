using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Compiler;

/// <summary>Equality by content where a record holds arrays, whose own equality is that of references.</summary>
internal static class PlanEquality
{
    public static bool Same(HttpPolicyPlan a, HttpPolicyPlan b) =>
        a.AllowAll == b.AllowAll && a.Rest == b.Rest && Same(a.Allow, b.Allow, Same) && Same(a.Deny, b.Deny, Same)
        && (a.Audit is null ? b.Audit is null : b.Audit is not null && Same(a.Audit, b.Audit));

    public static bool Same(ClusterPlan a, ClusterPlan b) => a.Name == b.Name && a.Endpoints.AsSpan().SequenceEqual(b.Endpoints.AsSpan());

    /// <summary>Clusters are compared by reference: they are already the previous plan's objects where equal.</summary>
    public static bool Same(ServicePlan a, ServicePlan b) =>
        a.Name == b.Name && a.Protocol == b.Protocol && ReferenceEquals(a.Cluster, b.Cluster)
        && (a.Routes is null ? b.Routes is null : b.Routes is not null && Same(a.Routes.Hosts, b.Routes.Hosts, Same))
        && a.ConsumerRoutes.Count == b.ConsumerRoutes.Count
        && a.ConsumerRoutes.All(r => b.ConsumerRoutes.TryGetValue(r.Key, out var other) && Same(r.Value.Hosts, other.Hosts, Same));

    private static bool Same(HttpRulePlan a, HttpRulePlan b) => a.Policy == b.Policy && a.Rule == b.Rule && CanonicalText.Of(a.Match) == CanonicalText.Of(b.Match);

    private static bool Same(VirtualHostPlan a, VirtualHostPlan b) => a.Host == b.Host && Same(a.Entries, b.Entries, Same);

    private static bool Same(RouteEntryPlan a, RouteEntryPlan b) => Same(a.Match, b.Match) && Same(a.Action, b.Action);

    private static bool Same(RouteMatch a, RouteMatch b) =>
        ReferenceEquals(a, b) || (a.Path == b.Path && a.Method == b.Method && Same(a.Headers, b.Headers, Same) && Same(a.Query, b.Query, Same));

    private static bool Same(HeaderMatch a, HeaderMatch b) => a == b;

    private static bool Same(RouteActionPlan a, RouteActionPlan b) =>
        ReferenceEquals(a, b) || (a.Name == b.Name && a.Redirect == b.Redirect && a.Rewrite == b.Rewrite && a.TotalWeight == b.TotalWeight
            && a.Timeout == b.Timeout && a.BackendTimeout == b.BackendTimeout && a.TimeoutCoversResponse == b.TimeoutCoversResponse
            && Same(a.RequestHeaders, b.RequestHeaders, Same)
            && Same(a.ResponseHeaders, b.ResponseHeaders, Same) && Same(a.Targets, b.Targets, Same));

    private static bool Same(RouteTargetPlan a, RouteTargetPlan b) =>
        ReferenceEquals(a.Cluster, b.Cluster) && a.Weight == b.Weight && Same(a.RequestHeaders, b.RequestHeaders, Same)
        && Same(a.ResponseHeaders, b.ResponseHeaders, Same);

    private static bool Same(HeaderFilter a, HeaderFilter b) =>
        ReferenceEquals(a, b) || (a.OnResponse == b.OnResponse && a.Set.SequenceEqual(b.Set) && a.Add.SequenceEqual(b.Add) && a.Remove.SequenceEqual(b.Remove));

    private static bool Same<T>(ImmutableArray<T> a, ImmutableArray<T> b, Func<T, T, bool> same)
    {
        if (a == b)
            return true;
        if (a.Length != b.Length)
            return false;
        for (var i = 0; i < a.Length; i++)
            if (!same(a[i], b[i]))
                return false;
        return true;
    }
}
