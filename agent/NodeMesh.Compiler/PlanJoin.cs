using System.Collections.Frozen;
using System.Collections.Immutable;
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
        var isSamePolicy = before is not null && ReferenceEquals(now.Policy, before.Policy);
        var isSameRoutes = before is not null && ReferenceEquals(now.Routes, before.Routes);
        var (was, rows, policy) = (previous.Kernel, now.Services.Rows, now.Policy.Plan);
        var kernel = new KernelPlan(
            isSamePolicy && isSameRoutes ? was.Identities : Keep(was.Identities, Identities(now)),
            rows.Backends,
            rows.Slots,
            rows.Members,
            rows.SourceRanges,
            rows.Frontends,
            isSamePolicy ? was.Classes : Keep(was.Classes, policy.Classes),
            isSamePolicy ? was.Verdicts : Keep(was.Verdicts, policy.Verdicts),
            isSamePolicy ? was.Endpoints : Endpoints(was, policy));
        if (kernel == was)
            kernel = was;

        var names = Names(now, isSamePolicy, previous.Names);
        var proxy = new ProxyPlan(
            now.Mesh.Revision,
            isSameRoutes || SameServices(previous.Proxy.Services, now.Routes.Services) ? previous.Proxy.Services : now.Routes.Services.ToFrozenDictionary(),
            LocalPods(previous, kernel),
            isSameRoutes ? previous.Proxy.Gateways : [.. now.Routes.Gateways],
            Policy(previous, kernel, policy.Http, names.Rules),
            now.Node.Addresses.FirstOrDefault(a => a.IsIPv4),
            now.Node.Addresses.FirstOrDefault(a => !a.IsIPv4));
        return new MeshPlan(now.Mesh.Revision, kernel, proxy, names, Diagnostics(now, before, previous)) { Memory = now };
    }

    private static RowTable<TKey, TValue> Keep<TKey, TValue>(RowTable<TKey, TValue> was, Dictionary<TKey, TValue> now)
        where TKey : struct
        where TValue : struct, IEquatable<TValue>
    {
        // A few rows of many: what is the same stays shared, and whoever compares the two tables sees only the rest.
        var builder = was.ToBuilder();
        if (was.Count > 0)
        {
            foreach (var key in was.Keys.Where(k => !now.ContainsKey(k)))
                builder.Remove(key);
            foreach (var (key, value) in now)
                builder.Set(key, value);
        }

        return was.Count > 0 ? builder.ToTable() : RowTable<TKey, TValue>.From(now);
    }

    private static ImmutableArray<EndpointPlan> Endpoints(KernelPlan was, PlanBuilder policy)
    {
        ImmutableArray<EndpointPlan> now = [.. policy.Endpoints.OrderBy(e => e.Name)];
        return was.Endpoints.SequenceEqual(now, EndpointComparer.Instance) ? was.Endpoints : now;
    }

    private static Dictionary<IdentityKey, IdentityEntry> Identities(CompilerMemory now)
    {
        var identities = now.Policy.Identities;
        var rows = new Dictionary<IdentityKey, IdentityEntry>(identities.Rows.Count);
        var addresses = now.Policy.Plan.DialledAddresses.Concat(now.Routes.DialledAddresses).ToHashSet();
        foreach (var address in addresses)
            AddRow(IpPrefix.Host(address), identities.Of(address));
        foreach (var (prefix, identity) in identities.Rows)
            AddRow(prefix, identity);
        return rows;

        void AddRow(IpPrefix prefix, uint identity)
        {
            var dialled = now.Policy.Plan.DialledIdentities.Contains(identity) || (prefix.Bits == 128 && addresses.Contains(prefix.Address));
            rows[new IdentityKey { PrefixBits = (uint)prefix.Bits, Addr = Addr.From(prefix.Address) }] =
                new IdentityEntry { Identity = identity, Flags = dialled ? (uint)IdentityFlag.Backend : 0 };
        }
    }

    private static PlanNames Names(CompilerMemory now, bool isSamePolicy, PlanNames previous) => new(
        isSamePolicy ? previous.Identities : now.Policy.Identities.All.ToImmutableSortedDictionary(i => i.Id, i => i.Name),
        isSamePolicy ? previous.PolicySets : now.Policy.Plan.PolicySetNames.ToImmutableSortedDictionary(),
        isSamePolicy ? previous.Rules : now.Policy.Plan.RuleNames.ToImmutableSortedDictionary(),
        now.Services.Rows.PortNames,
        now.Services.Rows.Kinds,
        now.Services.Rows.RangeNames);

    private static ImmutableArray<Diagnostic> Diagnostics(CompilerMemory now, CompilerMemory? before, MeshPlan previous)
    {
        if (before is not null && now.Mesh.Diagnostics == before.Mesh.Diagnostics && ReferenceEquals(now.Expansion, before.Expansion)
            && ReferenceEquals(now.Policy, before.Policy) && ReferenceEquals(now.Attach, before.Attach)
            && ReferenceEquals(now.Routes, before.Routes) && ReferenceEquals(now.Services.Findings, before.Services.Findings))
            return previous.Diagnostics;
        var all = now.Mesh.Diagnostics.Concat(now.Expansion.Findings).Concat(now.Policy.Plan.Diagnostics).Concat(now.Attach.Plan.Diagnostics).Concat(now.Routes.Diagnostics)
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

    private static PolicyPlan Policy(MeshPlan previous, KernelPlan kernel, Dictionary<VerdictKey, HttpPolicyPlan> http, ImmutableSortedDictionary<uint, string> rules)
    {
        var (was, had) = (previous.Proxy.Policy, previous.Kernel);
        var now = new PolicyPlan(
            ReferenceEquals(had.Identities, kernel.Identities) ? was.Identities : kernel.Identities.ToFrozenDictionary(),
            ReferenceEquals(had.Classes, kernel.Classes) ? was.Classes : kernel.Classes.ToFrozenDictionary(),
            ReferenceEquals(had.Verdicts, kernel.Verdicts) ? was.Verdicts : kernel.Verdicts.ToFrozenDictionary(),
            was.Http.Count == http.Count && http.All(h => was.Http.TryGetValue(h.Key, out var old) && PlanEquality.Same(old, h.Value))
                ? was.Http
                : http.ToFrozenDictionary())
        {
            Rules = rules,
        };
        return ReferenceEquals(now.Identities, was.Identities) && ReferenceEquals(now.Classes, was.Classes)
            && ReferenceEquals(now.Verdicts, was.Verdicts) && ReferenceEquals(now.Http, was.Http) && ReferenceEquals(now.Rules, was.Rules) ? was : now;
    }

    private sealed class EndpointComparer : IEqualityComparer<EndpointPlan>
    {
        public static readonly EndpointComparer Instance = new();

        public bool Equals(EndpointPlan? a, EndpointPlan? b) =>
            ReferenceEquals(a, b) || (a is not null && b is not null && a.Name == b.Name && a.Attachment == b.Attachment
                && a.Identity == b.Identity && a.PolicySet == b.PolicySet && a.IsHeld == b.IsHeld && a.Addresses.AsSpan().SequenceEqual(b.Addresses.AsSpan()));

        public int GetHashCode(EndpointPlan endpoint) => endpoint.Name.GetHashCode();
    }
}
