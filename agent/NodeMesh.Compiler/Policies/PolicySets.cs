using System.Collections.Immutable;
using NodeMesh.Compiler.Identities;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Policies;

/// <summary>Gathers what all policies together say to a pod.</summary>
internal static class PolicySets
{
    private static readonly ImmutableArray<PortMatch> AllOfTcp = [new PortMatch(Protocol.Tcp, 0, 65535, null)];

    /// <summary>Null when no policy selects the pod.</summary>
    public static PolicySet? Of(Workload pod, ImmutableArray<Policy> policies, IdentityTable identities)
    {
        var ns = identities.Namespaces[pod.Name.Namespace];
        var selecting = policies.Where(p => p.Namespaces.Matches(ns) && p.Subject.Matches(pod.Labels)).ToList();
        if (selecting.Count == 0)
            return null;

        return new PolicySet(
            Direction(selecting.Any(p => p.IsolatesIngress), selecting.SelectMany(p => p.Ingress.Select(r => Resolve(r, p, rule => IngressPorts(rule, pod))))),
            Direction(selecting.Any(p => p.IsolatesEgress), selecting.SelectMany(p => p.Egress.Select(r => Resolve(r, p, EgressPorts)))),
            [.. selecting.Select(p => p.Ref.ToString())]);
    }

    private static DirectionRules Direction(bool isolated, IEnumerable<SetRule> rules) =>
        new(isolated, [.. rules.DistinctBy(r => r.Text, StringComparer.Ordinal).OrderBy(r => r.Text, StringComparer.Ordinal)]);

    private static SetRule Resolve(PolicyRule rule, Policy policy, Func<PolicyRule, ImmutableArray<PortMatch>?> resolve)
    {
        var ports = resolve(rule);

        // Requests travel over TCP only; without this a rule about methods would take UDP and ICMP away.
        if (ports is null && rule.Http.Length > 0)
            ports = AllOfTcp;

        var peers = rule.Peers.Length == 0 ? "*" : string.Join(" | ", rule.Peers.Select(CanonicalText.Of).Order(StringComparer.Ordinal));
        var where = ports is { } list ? string.Join(" | ", list.Select(CanonicalText.Of).Order(StringComparer.Ordinal)) : "*";
        var http = string.Join(" | ", rule.Http.Select(CanonicalText.Of).Order(StringComparer.Ordinal));

        // A refusal by request names its policy in the log, so such rules of two policies are two rules.
        var source = policy.Ref.ToString();
        var text = $"{rule.Action} peers={peers} ports={where} {http}{(rule.Http.Length > 0 ? $" of {source}" : "")}";
        return new SetRule(rule.Action, rule.Peers, ports, rule.Http, source, text);
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
}
