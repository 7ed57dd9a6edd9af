using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Plan;

/// <summary>Rows of the kernel's tables, as they should be. Keys that depend on the node's interfaces are left to the reconciler.</summary>
public sealed record KernelPlan(
    ImmutableDictionary<IdentityKey, IdentityEntry> Identities,
    ImmutableDictionary<BackendKey, BackendEntry> Backends,
    ImmutableDictionary<SlotKey, SlotEntry> Slots,
    ImmutableDictionary<FrontendKey, FrontendEntry> Frontends,
    ImmutableDictionary<ClassKey, ClassEntry> Classes,
    ImmutableDictionary<VerdictKey, VerdictEntry> Verdicts,
    ImmutableArray<EndpointPlan> Endpoints)
{
    public static readonly KernelPlan Empty = new(
        ImmutableDictionary<IdentityKey, IdentityEntry>.Empty,
        ImmutableDictionary<BackendKey, BackendEntry>.Empty,
        ImmutableDictionary<SlotKey, SlotEntry>.Empty,
        ImmutableDictionary<FrontendKey, FrontendEntry>.Empty,
        ImmutableDictionary<ClassKey, ClassEntry>.Empty,
        ImmutableDictionary<VerdictKey, VerdictEntry>.Empty,
        []);
}

/// <summary>A local pod: becomes nm_endpoint and nm_pod rows and two links once its interface is found.</summary>
/// <param name="Identity">nm_identity_entry.identity of its addresses.</param>
/// <param name="PolicySet">0 when no policy selects it.</param>
public sealed record EndpointPlan(
    ObjectName Name, Attachment Attachment, ImmutableArray<IpAddr> Addresses, uint Identity, uint PolicySet);
