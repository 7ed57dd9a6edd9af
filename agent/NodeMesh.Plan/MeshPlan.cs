using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Plan;

/// <summary>The mesh as run: what the kernel and the proxy should do at one revision.</summary>
/// <param name="Names">What the numbers mean, for people: identities, policy sets, services.</param>
public sealed record MeshPlan(ulong Revision, KernelPlan Kernel, ProxyPlan Proxy, PlanNames Names, ImmutableArray<Diagnostic> Diagnostics)
{
    public static readonly MeshPlan Empty = new(0, KernelPlan.Empty, ProxyPlan.Empty, PlanNames.Empty, []);
}

/// <param name="Identities">id to "pod shop app=web,…", "cidr 10.0.0.0/8", "host".</param>
/// <param name="PolicySets">id to the names of the policies in the set.</param>
/// <param name="Services">id to "shop/web:80/TCP".</param>
public sealed record PlanNames(
    ImmutableSortedDictionary<uint, string> Identities, ImmutableSortedDictionary<uint, string> PolicySets, ImmutableSortedDictionary<uint, string> Services)
{
    public static readonly PlanNames Empty = new(
        ImmutableSortedDictionary<uint, string>.Empty, ImmutableSortedDictionary<uint, string>.Empty, ImmutableSortedDictionary<uint, string>.Empty);
}
