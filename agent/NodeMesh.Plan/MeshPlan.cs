using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Plan;

/// <summary>The mesh as run: what the kernel and the proxy should do at one revision.</summary>
/// <param name="Names">What the numbers mean, for people: identities, policy sets, services.</param>
public sealed record MeshPlan(ulong Revision, KernelPlan Kernel, ProxyPlan Proxy, PlanNames Names, ImmutableArray<Diagnostic> Diagnostics)
{
    public static readonly MeshPlan Empty = new(0, KernelPlan.Empty, ProxyPlan.Empty, PlanNames.Empty, []);

    /// <summary>Of the compiler, for the next plan; null when this plan was not compiled.</summary>
    public PlanMemory? Memory { get; init; }
}

/// <summary>What the compiler keeps of the making of a plan, so that the next costs no more than the difference. Immutable; it says nothing that the plan's
/// input did not say.</summary>
public abstract class PlanMemory;

/// <param name="Identities">id to "pod shop app=web,…", "cidr 10.0.0.0/8", "host".</param>
/// <param name="PolicySets">id to the names of the policies in the set.</param>
/// <param name="Rules">nm_verdict_entry.rule and audit_rule to "NetworkPolicy shop/api ingress[0]".</param>
/// <param name="Services">id to "shop/web:80/TCP".</param>
/// <param name="Frontends">What kind of address it is, where it is not a cluster address.</param>
/// <param name="SourceRanges">id to the blocks.</param>
public sealed record PlanNames(
    ImmutableSortedDictionary<uint, string> Identities,
    ImmutableSortedDictionary<uint, string> PolicySets,
    ImmutableSortedDictionary<uint, string> Rules,
    RowTable<uint, string> Services,
    RowTable<FrontendKey, FrontendKind> Frontends,
    RowTable<uint, string> SourceRanges)
{
    public static readonly PlanNames Empty = new(
        ImmutableSortedDictionary<uint, string>.Empty, ImmutableSortedDictionary<uint, string>.Empty, ImmutableSortedDictionary<uint, string>.Empty,
        RowTable<uint, string>.Empty,
        RowTable<FrontendKey, FrontendKind>.Empty, RowTable<uint, string>.Empty);
}

/// <summary>What an address is to a service.</summary>
public enum FrontendKind
{
    ClusterIp,
    NodePort,
    ExternalIp,
    LoadBalancerIp,
    HostPort,
}
