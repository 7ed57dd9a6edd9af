using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Policies;

/// <summary>A policy as written and as expanded, with what it names that is not there.</summary>
internal sealed record ExpandedPolicy(Policy Written, Policy Meant, ImmutableArray<Diagnostic> Findings);

/// <summary>
/// Policies whose peers are services, nodes by label or the API server, put in terms of addresses: what comes after knows only pods, blocks and entities. A policy that
/// means the same as before stays the same object.
/// </summary>
internal sealed record PolicyExpansion(ImmutableArray<Policy> Written, ImmutableArray<Policy> Meant, ImmutableSortedDictionary<ObjectRef, ExpandedPolicy> Expanded)
{
    public static readonly PolicyExpansion Empty = new([], [], ImmutableSortedDictionary.Create<ObjectRef, ExpandedPolicy>(Comparer<ObjectRef>.Create((a, b) =>
        a.Kind != b.Kind ? string.CompareOrdinal(a.Kind, b.Kind) : a.Name.CompareTo(b.Name))));

    private static readonly ObjectName ApiServer = new("default", "kubernetes");

    public IEnumerable<Diagnostic> Findings => Expanded.Values.SelectMany(e => e.Findings);

    public static PolicyExpansion Run(MeshSnapshot mesh, PolicyExpansion before)
    {
        if (mesh.Policies == before.Written && before.Expanded.IsEmpty)
            return before;
        var expanded = Empty.Expanded.ToBuilder();
        var meant = mesh.Policies.ToBuilder();
        for (var i = 0; i < meant.Count; i++)
        {
            var policy = meant[i];
            if (!policy.Ingress.Any(IsToExpand) && !policy.Egress.Any(IsToExpand))
                continue;
            var next = Expand(policy, mesh);
            if (before.Expanded.TryGetValue(policy.Ref, out var was) && ReferenceEquals(was.Written, policy) && IsSame(was, next))
                next = was;
            expanded.Add(policy.Ref, next);
            meant[i] = next.Meant;
        }

        var isSame = mesh.Policies == before.Written && expanded.Values.SequenceEqual(before.Expanded.Values, ReferenceEqualityComparer.Instance);
        return isSame ? before : new PolicyExpansion(mesh.Policies, expanded.Count == 0 ? mesh.Policies : meant.ToImmutable(), expanded.ToImmutable());
    }

    private static bool IsToExpand(PolicyRule rule) => rule.Services.Length > 0 || rule.Peers.Any(p => p is NodePeer or EntityPeer { Entity: PolicyEntity.KubeApiserver });

    private static ExpandedPolicy Expand(Policy policy, MeshSnapshot mesh)
    {
        var findings = new List<Diagnostic>();
        var meant = policy with { Ingress = [.. policy.Ingress.SelectMany(Rules)], Egress = [.. policy.Egress.SelectMany(Rules)] };
        return new ExpandedPolicy(policy, meant, [.. findings.Distinct()]);

        IEnumerable<PolicyRule> Rules(PolicyRule rule)
        {
            if (!IsToExpand(rule))
                return [rule];
            Service? Find(ObjectName name)
            {
                var service = ServiceOf(mesh, name);
                if (service is null)
                    findings.Add(new Diagnostic("no-such-service", Severity.Warning, policy.Ref, $"spec.{rule.Name}",
                        $"there is no Service {name} whose backends the mesh knows; add it or mend the name", "the rule does not speak of its backends until it is there", policy.Location));
                return service;
            }

            ImmutableArray<PolicyPeer> peers = [.. rule.Peers.SelectMany(p => p switch
            {
                NodePeer nodes => mesh.Nodes.Where(n => nodes.Nodes.Matches(n.Labels)).SelectMany(n => n.Addresses).Distinct().Order().Select(Address),
                EntityPeer { Entity: PolicyEntity.KubeApiserver } => Find(ApiServer) is { } server ? Backends(server.Ports) : [],
                _ => [p],
            })];
            var written = rule with { Peers = peers, Services = [] };
            return rule.Services.Select(Find).OfType<Service>().SelectMany(service => ToService(written, service)).Prepend(written).Where(r => r.Peers.Length > 0);
        }
    }

    /// <summary>A rule per target port, since the backends need not all have the same; with ports of its own, one for all backends.</summary>
    private static IEnumerable<PolicyRule> ToService(PolicyRule rule, Service service)
    {
        if (rule.Ports.Length > 0)
            return [rule with { Peers = [.. Backends(service.Ports)] }];
        return service.Ports.Where(p => rule.Http.Length == 0 || p.Protocol == Protocol.Tcp)
            .SelectMany(p => p.Backends.Select(b => (p.Protocol, b.Port, b.Address)))
            .GroupBy(b => (b.Protocol, b.Port))
            .OrderBy(g => g.Key)
            .Select(g => rule with
            {
                Peers = [.. g.Select(b => b.Address).Distinct().Order().Select(Address)],
                Ports = [new PortMatch(g.Key.Protocol, g.Key.Port, g.Key.Port, null)],
            });
    }

    private static IEnumerable<PolicyPeer> Backends(ImmutableArray<ServicePort> ports) =>
        ports.SelectMany(p => p.Backends).Select(b => b.Address).Distinct().Order().Select(Address);

    private static PolicyPeer Address(IpAddr address) => new CidrPeer(IpPrefix.Host(address), []);

    private static Service? ServiceOf(MeshSnapshot mesh, ObjectName name)
    {
        var (low, high) = (0, mesh.Services.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var order = mesh.Services[middle].Name.CompareTo(name);
            if (order == 0)
                return mesh.Services[middle];
            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return null;
    }

    private static bool IsSame(ExpandedPolicy was, ExpandedPolicy now) =>
        was.Findings.SequenceEqual(now.Findings) && IsSame(was.Meant.Ingress, now.Meant.Ingress) && IsSame(was.Meant.Egress, now.Meant.Egress);

    private static bool IsSame(ImmutableArray<PolicyRule> a, ImmutableArray<PolicyRule> b) =>
        a.Length == b.Length && a.Zip(b).All(r => r.First.Name == r.Second.Name && r.First.Peers.SequenceEqual(r.Second.Peers) && r.First.Ports.SequenceEqual(r.Second.Ports));
}
