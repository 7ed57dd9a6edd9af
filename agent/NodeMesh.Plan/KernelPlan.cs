using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Plan;

/// <summary>Rows of the kernel's tables, as they should be. Keys that depend on the node's interfaces are left to the reconciler.</summary>
public sealed record KernelPlan(
    RowTable<IdentityKey, IdentityEntry> Identities,
    RowTable<BackendKey, BackendEntry> Backends,
    RowTable<SlotKey, SlotEntry> Slots,
    RowTable<MemberKey, MemberEntry> Members,
    RowTable<SourceRangeKey, SourceRangeEntry> SourceRanges,
    RowTable<FrontendKey, FrontendEntry> Frontends,
    RowTable<PeerGroupKey, PeerGroupEntry> PeerGroups,
    RowTable<ClassKey, ClassEntry> Classes,
    RowTable<VerdictKey, VerdictEntry> Verdicts,
    ImmutableArray<EndpointPlan> Endpoints)
{
    public static readonly KernelPlan Empty = new(
        RowTable<IdentityKey, IdentityEntry>.Empty,
        RowTable<BackendKey, BackendEntry>.Empty,
        RowTable<SlotKey, SlotEntry>.Empty,
        RowTable<MemberKey, MemberEntry>.Empty,
        RowTable<SourceRangeKey, SourceRangeEntry>.Empty,
        RowTable<FrontendKey, FrontendEntry>.Empty,
        RowTable<PeerGroupKey, PeerGroupEntry>.Empty,
        RowTable<ClassKey, ClassEntry>.Empty,
        RowTable<VerdictKey, VerdictEntry>.Empty,
        []);
}

/// <summary>A local pod: becomes nm_endpoint and nm_pod rows and two links once its interface is found.</summary>
/// <param name="Identity">nm_identity_entry.identity of its addresses.</param>
/// <param name="PolicySet">0 when no policy selects it.</param>
public sealed record EndpointPlan(
    ObjectName Name, Attachment Attachment, ImmutableArray<IpAddr> Addresses, uint Identity, uint PolicySet)
{
    /// <summary>The set has no rows here, since there is no room for them: the kernel keeps what it has for the pod.</summary>
    public bool IsHeld { get; init; }
}
