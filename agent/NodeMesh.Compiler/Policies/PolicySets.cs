using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Policies;

/// <summary>Gathers what all policies together say to a pod, as one list per direction whose first matching rule decides (docs/policies.md).</summary>
internal static class PolicySets
{
    private static readonly ImmutableArray<PortMatch> AllOfTcp = [PortMatch.All(Protocol.Tcp)];

    /// <summary>Null when no policy selects the pod.</summary>
    /// <param name="selecting">In the order of judging.</param>
    /// <param name="isAudit">Every policy only counts.</param>
    public static PolicySet? Of(Workload pod, IReadOnlyList<Policy> selecting, bool isAudit)
    {
        if (selecting.Count == 0)
            return null;
        if (isAudit)
            selecting = [.. selecting.Select(p => p with { IsAudit = true })];
        return new PolicySet(
            Rules(selecting, Direction.Ingress, rule => IngressPorts(rule, pod)),
            Rules(selecting, Direction.Egress, EgressPorts),
            [.. selecting.Select(p => p.Ref.ToString())]);
    }

    private static DirectionRules Rules(IReadOnlyList<Policy> policies, Direction direction, Func<PolicyRule, ImmutableArray<PortMatch>?> ports)
    {
        var rules = policies.SelectMany(policy => Of(policy, direction).Select(rule => Resolve(rule, policy, ports))).Concat(Isolation(policies, direction));

        // Stable: within its rank a rule stays where its policy and its place in it put it.
        return new DirectionRules([.. rules.DistinctBy(r => r.Text, StringComparer.Ordinal).OrderBy(r => r.Tier).ThenBy(RankInTier)]);
    }

    private static ImmutableArray<PolicyRule> Of(Policy policy, Direction direction) => direction == Direction.Ingress ? policy.Ingress : policy.Egress;

    /// <summary>What no rule of the namespace tier allows is refused. Of several policies that say so, one does; one under audit cannot stand for the others.</summary>
    private static IEnumerable<SetRule> Isolation(IReadOnlyList<Policy> policies, Direction direction) => policies
        .Where(p => direction == Direction.Ingress ? p.IsolatesIngress : p.IsolatesEgress)
        .DistinctBy(p => p.IsAudit)
        .Select(p => new SetRule(PolicyTier.Namespace, Verdict.DefaultDeny, p.IsAudit, [], null, [], p.Ref.ToString(), $"{p.Ref} (isolates {Word(direction)})"));

    private static int RankInTier(SetRule rule) => (rule.Tier, rule.Verdict) switch
    {
        (not PolicyTier.Namespace, _) => 0,
        (_, Verdict.Deny) => 0,
        (_, Verdict.Allow) => 1,
        _ => 2,
    };

    private static SetRule Resolve(PolicyRule rule, Policy policy, Func<PolicyRule, ImmutableArray<PortMatch>?> resolve)
    {
        var ports = resolve(rule);

        // Requests travel over TCP only; without this a rule about methods would take UDP and ICMP away.
        if (ports is null && rule.Http.Length > 0)
            ports = AllOfTcp;
        var peers = rule.Peers.Any(p => p is EntityPeer { Entity: PolicyEntity.All }) ? [] : rule.Peers;
        Verdict? verdict = rule.Action switch { PolicyAction.Allow => Verdict.Allow, PolicyAction.Deny => Verdict.Deny, _ => null };
        return new SetRule(policy.Tier, verdict, policy.IsAudit, peers, ports, rule.Http, policy.Ref.ToString(), $"{policy.Ref} {rule.Name}");
    }

    private static ImmutableArray<PortMatch>? IngressPorts(PolicyRule rule, Workload pod) => rule.Ports.Length == 0
        ? null
        : [.. rule.Ports.SelectMany(p => p.Named is null ? [p] : Named(p, pod.Ports)).Distinct()];

    // Names are those of the pod that is connected to: resolved per class of peers.
    private static ImmutableArray<PortMatch>? EgressPorts(PolicyRule rule) => rule.Ports.Length == 0 ? null : rule.Ports;

    /// <summary>The numbers that a name has at a pod.</summary>
    public static IEnumerable<PortMatch> Named(PortMatch port, ImmutableArray<NamedPort> ports) => ports
        .Where(p => p.Name == port.Named && (port.Protocol == Protocol.Any || port.Protocol == p.Protocol))
        .Select(p => new PortMatch(p.Protocol, p.Number, p.Number, null));

    private static string Word(Direction direction) => direction.ToString().ToLowerInvariant();
}
