using System.Collections.Frozen;
using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler;

/// <summary>Joins the parts into a plan, keeping the previous plan's object wherever its content is equal: readers compare references, and
/// a frozen dictionary is costly to build.</summary>
internal static class PlanReuse
{
    public static MeshPlan Combine(
        ulong revision, KernelPlan kernel, PlanBuilder parts, NodeFacts node, PlanNames names, ImmutableArray<Diagnostic> diagnostics, MeshPlan previous)
    {
        var was = previous.Kernel;
        kernel = new KernelPlan(
            Keep(was.Identities, kernel.Identities),
            Keep(was.Backends, kernel.Backends),
            Keep(was.Slots, kernel.Slots),
            Keep(was.Frontends, kernel.Frontends),
            Keep(was.Classes, kernel.Classes),
            Keep(was.Verdicts, kernel.Verdicts),
            was.Endpoints.SequenceEqual(kernel.Endpoints, EndpointComparer.Instance) ? was.Endpoints : kernel.Endpoints);
        if (SameTables(was, kernel))
            kernel = was;

        var proxy = new ProxyPlan(
            revision,
            SameServices(previous.Proxy.Services, parts.Services) ? previous.Proxy.Services : parts.Services.ToFrozenDictionary(),
            LocalPods(previous, kernel),
            [.. parts.Gateways],
            Policy(previous, kernel, parts.Http),
            node.Addresses.FirstOrDefault(a => a.IsIPv4),
            node.Addresses.FirstOrDefault(a => !a.IsIPv4));
        return new MeshPlan(revision, kernel, proxy, names, diagnostics);
    }

    private static ImmutableDictionary<TKey, TValue> Keep<TKey, TValue>(ImmutableDictionary<TKey, TValue> was, ImmutableDictionary<TKey, TValue> now)
        where TKey : struct
        where TValue : struct, IEquatable<TValue>
    {
        if (was.Count != now.Count)
            return now;
        foreach (var (key, value) in now)
            if (!was.TryGetValue(key, out var old) || !old.Equals(value))
                return now;
        return was;
    }

    private static bool SameTables(KernelPlan a, KernelPlan b) =>
        ReferenceEquals(a.Identities, b.Identities) && ReferenceEquals(a.Backends, b.Backends) && ReferenceEquals(a.Slots, b.Slots)
        && ReferenceEquals(a.Frontends, b.Frontends) && ReferenceEquals(a.Classes, b.Classes) && ReferenceEquals(a.Verdicts, b.Verdicts)
        && a.Endpoints == b.Endpoints;

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

    private static PolicyPlan Policy(MeshPlan previous, KernelPlan kernel, Dictionary<VerdictKey, HttpPolicyPlan> http)
    {
        var (was, had) = (previous.Proxy.Policy, previous.Kernel);
        var now = new PolicyPlan(
            ReferenceEquals(had.Identities, kernel.Identities) ? was.Identities : kernel.Identities.ToFrozenDictionary(),
            ReferenceEquals(had.Classes, kernel.Classes) ? was.Classes : kernel.Classes.ToFrozenDictionary(),
            ReferenceEquals(had.Verdicts, kernel.Verdicts) ? was.Verdicts : kernel.Verdicts.ToFrozenDictionary(),
            was.Http.Count == http.Count && http.All(h => was.Http.TryGetValue(h.Key, out var old) && PlanEquality.Same(old, h.Value))
                ? was.Http
                : http.ToFrozenDictionary());
        return ReferenceEquals(now.Identities, was.Identities) && ReferenceEquals(now.Classes, was.Classes)
            && ReferenceEquals(now.Verdicts, was.Verdicts) && ReferenceEquals(now.Http, was.Http) ? was : now;
    }

    private sealed class EndpointComparer : IEqualityComparer<EndpointPlan>
    {
        public static readonly EndpointComparer Instance = new();

        public bool Equals(EndpointPlan? a, EndpointPlan? b) =>
            ReferenceEquals(a, b) || (a is not null && b is not null && a.Name == b.Name && a.Attachment == b.Attachment
                && a.Identity == b.Identity && a.PolicySet == b.PolicySet && a.Addresses.AsSpan().SequenceEqual(b.Addresses.AsSpan()));

        public int GetHashCode(EndpointPlan endpoint) => endpoint.Name.GetHashCode();
    }
}
