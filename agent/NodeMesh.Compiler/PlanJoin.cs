using System.Collections.Frozen;
using System.Collections.Immutable;
using NodeMesh.Compiler.Identities;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler;

/// <summary>Joins the parts into a plan, keeping the previous plan's object wherever its content is equal: readers compare references, and
/// a frozen dictionary is costly to build.</summary>
internal static class PlanJoin
{
    public static MeshPlan Join(CompilerMemory now, CompilerMemory? before, MeshPlan previous)
    {
        var isSameRoutes = before is not null && ReferenceEquals(now.Routes, before.Routes);
        var (was, rows, policy) = (previous.Kernel, now.Services.Rows, now.Policy);
        var kernel = new KernelPlan(
            now.Identities.Rows,
            rows.Backends,
            rows.Slots,
            rows.Members,
            rows.SourceRanges,
            rows.Frontends,
            policy.Groups.Rows,
            policy.Classes,
            policy.Verdicts,
            was.Endpoints.SequenceEqual(policy.Endpoints, EndpointComparer.Instance) ? was.Endpoints : policy.Endpoints);
        if (kernel == was)
            kernel = was;

        var names = Names(now, before, previous.Names);
        var proxy = new ProxyPlan(
            now.Mesh.Revision,
            isSameRoutes || SameServices(previous.Proxy.Services, now.Routes.Services) ? previous.Proxy.Services : now.Routes.Services.ToFrozenDictionary(),
            LocalPods(previous, kernel),
            isSameRoutes ? previous.Proxy.Gateways : [.. now.Routes.Gateways],
            Policy(previous.Proxy.Policy, new PolicyPlan(kernel.Identities, kernel.PeerGroups, kernel.Classes, kernel.Verdicts, policy.Http) { Rules = policy.RuleNames }),
            now.Node.Addresses.FirstOrDefault(a => a.IsIPv4),
            now.Node.Addresses.FirstOrDefault(a => !a.IsIPv4));
        return new MeshPlan(now.Mesh.Revision, kernel, proxy, names, Diagnostics(now, before, previous)) { Memory = now };
    }

    private static PlanNames Names(CompilerMemory now, CompilerMemory? before, PlanNames previous) => new(
        IdentityNames(now.Policy.Identities, before?.Policy.Identities ?? IdentityTable.Empty, previous.Identities),
        now.Policy.SetNames,
        now.Policy.RuleNames,
        now.Services.Rows.PortNames,
        now.Services.Rows.Kinds,
        now.Services.Rows.RangeNames);

    private static ImmutableSortedDictionary<uint, string> IdentityNames(IdentityTable now, IdentityTable before, ImmutableSortedDictionary<uint, string> previous)
    {
        if (ReferenceEquals(now, before))
            return previous;
        if (before.ById.Count == 0)
            return now.All.ToImmutableSortedDictionary(i => i.Id, i => i.Name);
        var names = previous.ToBuilder();
        foreach (var (old, next) in IdentityTable.Difference(before, now))
            if (next is null)
                names.Remove(old!.Id);
            else
                names[next.Id] = next.Name;
        return names.ToImmutable();
    }

    private static ImmutableArray<Diagnostic> Diagnostics(CompilerMemory now, CompilerMemory? before, MeshPlan previous)
    {
        if (before is not null && now.Mesh.Diagnostics == before.Mesh.Diagnostics && ReferenceEquals(now.Expansion, before.Expansion)
            && ReferenceEquals(now.Policy, before.Policy) && ReferenceEquals(now.Attach, before.Attach)
            && ReferenceEquals(now.Routes, before.Routes) && ReferenceEquals(now.Services.Findings, before.Services.Findings))
            return previous.Diagnostics;
        var all = now.Mesh.Diagnostics.Concat(now.Expansion.Findings).Concat(now.Policy.Identities.Findings).Concat(now.Policy.Findings).Concat(now.Attach.Plan.Diagnostics).Concat(now.Routes.Diagnostics)
            .Concat(now.Services.Findings.Values.SelectMany(f => f));
        return [.. all.Distinct().OrderBy(d => d.Object.Kind, StringComparer.Ordinal).ThenBy(d => d.Object.Name).ThenBy(d => d.FieldPath, StringComparer.Ordinal)
            .ThenBy(d => d.Code, StringComparer.Ordinal).ThenBy(d => d.Message, StringComparer.Ordinal).ThenBy(d => d.ToString(), StringComparer.Ordinal)];
    }

    private static bool SameServices(FrozenDictionary<ServiceAddress, ServicePlan> was, Dictionary<ServiceAddress, ServicePlan> now) =>
        was.Count == now.Count && now.All(s => was.TryGetValue(s.Key, out var old) && ReferenceEquals(old, s.Value));

    private static FrozenDictionary<IpAddr, LocalPodPlan> LocalPods(MeshPlan previous, KernelPlan kernel)
    {
        var pods = new Dictionary<IpAddr, LocalPodPlan>();
        foreach (var endpoint in kernel.Endpoints)
        {
            foreach (var address in endpoint.Addresses)
            {
                // A pod's two addresses may be told apart by blocks, so each has its own row.
                var row = kernel.Identities[new IdentityKey { PrefixBits = 128, Addr = Addr.From(address) }];
                pods[address] = new LocalPodPlan(endpoint.Name, address, row.Identity, endpoint.PolicySet);
            }
        }

        var was = previous.Proxy.LocalPods;
        return was.Count == pods.Count && pods.All(p => was.TryGetValue(p.Key, out var old) && old == p.Value) ? was : pods.ToFrozenDictionary();
    }

    private static PolicyPlan Policy(PolicyPlan was, PolicyPlan now) => now == was ? was : now;

    private sealed class EndpointComparer : IEqualityComparer<EndpointPlan>
    {
        public static readonly EndpointComparer Instance = new();

        public bool Equals(EndpointPlan? a, EndpointPlan? b) =>
            ReferenceEquals(a, b) || (a is not null && b is not null && a.Name == b.Name && a.Attachment == b.Attachment
                && a.Identity == b.Identity && a.PolicySet == b.PolicySet && a.IsHeld == b.IsHeld && a.Addresses.AsSpan().SequenceEqual(b.Addresses.AsSpan()));

        public int GetHashCode(EndpointPlan endpoint) => endpoint.Name.GetHashCode();
    }
}
