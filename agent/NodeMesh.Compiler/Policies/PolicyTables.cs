using System.Collections.Immutable;
using NodeMesh.Compiler.Identities;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Policies;

/// <summary>Policy as it was compiled last: the rows, and what made them, so that a change costs what it changes.</summary>
/// <param name="Sets">By content; also those that do not fit.</param>
/// <param name="Fitting">Those whose rows are in the tables.</param>
/// <param name="RuleIds">The numbers of rules, by name.</param>
internal sealed record PolicyTables(
    ImmutableArray<Policy> Policies,
    bool AreAudited,
    LocalPods Local,
    IdentityTable Identities,
    PeerGroups Groups,
    Selections Selections,
    IReadOnlyDictionary<ContentHash, SetRows> Sets,
    ImmutableArray<SetRows> Fitting,
    IdSpace RuleIds,
    RowTable<ClassKey, ClassEntry> Classes,
    RowTable<VerdictKey, VerdictEntry> Verdicts,
    RowTable<VerdictKey, HttpPolicyPlan> Http,
    ImmutableSortedDictionary<uint, string> SetNames,
    ImmutableSortedDictionary<uint, string> RuleNames,
    ImmutableArray<EndpointPlan> Endpoints,
    Dialled Dialled,
    ImmutableArray<Diagnostic> Findings)
{
    public static readonly PolicyTables Empty = new(
        [], false, LocalPods.None, IdentityTable.Empty, PeerGroups.Empty, Selections.None, new Dictionary<ContentHash, SetRows>(), [], IdSpace.Empty,
        RowTable<ClassKey, ClassEntry>.Empty, RowTable<VerdictKey, VerdictEntry>.Empty, RowTable<VerdictKey, HttpPolicyPlan>.Empty,
        ImmutableSortedDictionary<uint, string>.Empty, ImmutableSortedDictionary<uint, string>.Empty, [], Dialled.Nobody, []);
}
