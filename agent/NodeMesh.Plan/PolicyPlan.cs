using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Plan;

/// <summary>The very tables the kernel has, for the proxy to judge by, with the request rules that only the proxy can judge.</summary>
/// <param name="Http">By the verdict row that says Redirect.</param>
public sealed record PolicyPlan(
    RowTable<IdentityKey, IdentityEntry> Identities,
    RowTable<PeerGroupKey, PeerGroupEntry> PeerGroups,
    RowTable<ClassKey, ClassEntry> Classes,
    RowTable<VerdictKey, VerdictEntry> Verdicts,
    RowTable<VerdictKey, HttpPolicyPlan> Http)
{
    public static readonly PolicyPlan Empty = new(
        RowTable<IdentityKey, IdentityEntry>.Empty,
        RowTable<PeerGroupKey, PeerGroupEntry>.Empty,
        RowTable<ClassKey, ClassEntry>.Empty,
        RowTable<VerdictKey, VerdictEntry>.Empty,
        RowTable<VerdictKey, HttpPolicyPlan>.Empty);

    /// <summary>As <see cref="PlanNames.Rules"/>, for the proxy's counts.</summary>
    public ImmutableSortedDictionary<uint, string> Rules { get; init; } = ImmutableSortedDictionary<uint, string>.Empty;
}

/// <summary>Requests are refused when any of <paramref name="Deny"/> matches; else let through when <paramref name="AllowAll"/> or any of
/// <paramref name="Allow"/> matches; else refused.</summary>
/// <param name="AllowAll">A rule without request conditions allows this class and port; then non-HTTP bytes may pass only if Deny is empty.</param>
public sealed record HttpPolicyPlan(bool AllowAll, ImmutableArray<HttpRulePlan> Allow, ImmutableArray<HttpRulePlan> Deny)
{
    public static readonly HttpPolicyPlan Open = new(true, [], []);

    /// <summary>The rule that decides about what no rule about requests matches; null: none does, which allows.</summary>
    public string? Rest { get; init; }

    /// <summary>What would hold if policies under audit were enforced: a request that passes and that this would refuse is counted. Null: the same.</summary>
    public HttpPolicyPlan? Audit { get; init; }

    /// <summary>No request could be refused.</summary>
    public bool PassesAnything => AllowAll && Deny.IsEmpty;
}

/// <param name="Policy">"MeshPolicy shop/read-only", for logs.</param>
public sealed record HttpRulePlan(string Policy, HttpMatch Match)
{
    /// <summary>"MeshPolicy shop/read-only ingress[0]", for counts.</summary>
    public string Rule { get; init; } = "";
}
