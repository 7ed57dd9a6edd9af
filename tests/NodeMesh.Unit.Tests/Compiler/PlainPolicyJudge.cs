using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Unit.Tests.Compiler;

internal enum Outcome
{
    Allow,
    Deny,
    DefaultDeny,

    /// <summary>The connection may be made, the request is refused.</summary>
    RequestRefused,
}

/// <summary>What is judged: a connection and, over TCP, a request on it.</summary>
/// <param name="Port">For ICMP the type in the high byte and the code in the low one.</param>
internal readonly record struct Attempt(Workload Subject, Direction Direction, IpAddr Peer, Protocol Protocol, ushort Port, string Method);

/// <param name="Rule">The rule that decides about the connection; null: none does.</param>
/// <param name="Audit">How policies under audit would have refused what passes; null: they would not.</param>
internal readonly record struct Expected(Outcome Outcome, string? Rule, Outcome? Audit);

/// <summary>Judges by the policies as they are written, with no identity, class or prefix: what the compiled rows are held against.</summary>
internal sealed class PlainPolicyJudge(MeshSnapshot mesh, NodeFacts node)
{
    private readonly PlainPeers _peers = new(mesh, node);

    public Expected Judge(Attempt attempt)
    {
        var selecting = mesh.Policies.Where(p => _peers.InNamespace(p.Namespaces, attempt.Subject.Name.Namespace) && p.Subject.Matches(attempt.Subject.Labels))
            .OrderBy(p => p.Priority).ThenBy(p => p.Name).ThenBy(p => p.Kind).ToList();
        var (outcome, rule) = Decide([.. selecting.Where(p => !IsAudit(p))], attempt);
        var would = Decide(selecting, attempt).Outcome;
        return new Expected(outcome, rule, outcome == Outcome.Allow && would != Outcome.Allow ? would : null);
    }

    private bool IsAudit(Policy policy) => policy.IsAudit || node.AuditsPolicies;

    private (Outcome Outcome, string? Rule) Decide(IReadOnlyList<Policy> policies, Attempt attempt)
    {
        if (Tier(policies, PolicyTier.Admin, attempt) is { } admin)
            return admin;

        var middle = policies.Where(p => p.Tier == PolicyTier.Namespace).ToList();
        var rules = middle.SelectMany(p => Matching(p, attempt)).ToList();
        if (rules.FirstOrDefault(r => r.Rule is { Action: PolicyAction.Deny, Http.Length: 0 }) is { Rule: not null } deny)
            return (Outcome.Deny, deny.Name);

        var rest = rules.FirstOrDefault(r => r.Rule is { Action: PolicyAction.Allow, Http.Length: 0 }) is { Rule: not null } allow ? (Outcome.Allow, allow.Name)
            : middle.FirstOrDefault(p => attempt.Direction == Direction.Ingress ? p.IsolatesIngress : p.IsolatesEgress) is { } isolating
                ? (Outcome.DefaultDeny, $"{isolating.Ref} (isolates {attempt.Direction.ToString().ToLowerInvariant()})")
            : Tier(policies, PolicyTier.Baseline, attempt) ?? (Outcome.Allow, null);
        var byRequest = rules.Where(r => r.Rule.Http.Length > 0).ToList();
        if (rest.Item1 != Outcome.Allow && byRequest.All(r => r.Rule.Action == PolicyAction.Deny))
            return rest;
        var refused = byRequest.Any(r => r.Rule.Action == PolicyAction.Deny && IsRequest(r.Rule, attempt.Method));
        var let = rest.Item1 == Outcome.Allow || byRequest.Any(r => r.Rule.Action == PolicyAction.Allow && IsRequest(r.Rule, attempt.Method));
        return !refused && let ? (Outcome.Allow, rest.Item2) : (Outcome.RequestRefused, null);
    }

    /// <summary>Null when the tier says nothing.</summary>
    private (Outcome, string?)? Tier(IReadOnlyList<Policy> policies, PolicyTier tier, Attempt attempt)
    {
        foreach (var (rule, name) in policies.Where(p => p.Tier == tier).SelectMany(p => Matching(p, attempt)))
        {
            if (rule.Action == PolicyAction.Pass)
                return null;
            return (rule.Action == PolicyAction.Allow ? Outcome.Allow : Outcome.Deny, name);
        }

        return null;
    }

    private IEnumerable<(PolicyRule Rule, string Name)> Matching(Policy policy, Attempt attempt) =>
        (attempt.Direction == Direction.Ingress ? policy.Ingress : policy.Egress).Where(r => IsMatch(r, attempt)).Select(r => (r, $"{policy.Ref} {r.Name}"));

    private bool IsMatch(PolicyRule rule, Attempt attempt)
    {
        var target = attempt.Direction == Direction.Ingress ? attempt.Subject : _peers.PodAt(attempt.Peer);
        var isPeer = rule.Peers.Any(p => _peers.IsPeer(p, attempt.Peer)) || (rule.Peers.Length == 0 && rule.Services.Length == 0);
        if (isPeer && IsPort(rule, target, attempt.Protocol, attempt.Port))
            return true;
        return rule.Services.Any(s => rule.Ports.Length > 0
            ? _peers.BackendsOf(s).Any(b => b.Address == attempt.Peer) && IsPort(rule, target, attempt.Protocol, attempt.Port)
            : _peers.BackendsOf(s).Contains((attempt.Peer, attempt.Protocol, attempt.Port)) && (rule.Http.Length == 0 || attempt.Protocol == Protocol.Tcp));
    }

    private static bool IsPort(PolicyRule rule, Workload? target, Protocol protocol, ushort port)
    {
        if (rule.Ports.Length == 0)
            return rule.Http.Length == 0 || protocol == Protocol.Tcp;
        foreach (var match in rule.Ports)
        {
            if (match.Named is { } name)
            {
                if (target is not null && match.Protocol is var p && (p == protocol || p == Protocol.Any)
                    && target.Ports.Any(n => n.Name == name && n.Protocol == protocol && n.Number == port))
                    return true;
            }
            else if (match.Protocol == protocol && match.First <= port && port <= match.Last)
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsRequest(PolicyRule rule, string method) => rule.Http.Any(h => h.Methods.Contains(method));
}

/// <summary>Who an address is, by the objects.</summary>
internal sealed class PlainPeers(MeshSnapshot mesh, NodeFacts node)
{
    public Workload? PodAt(IpAddr address) => mesh.Workloads.FirstOrDefault(w => !w.HostNetwork && w.Addresses.Contains(address));

    public IEnumerable<(IpAddr Address, Protocol Protocol, ushort Port)> BackendsOf(ObjectName service) =>
        mesh.Services.Where(s => s.Name == service).SelectMany(s => s.Ports).SelectMany(p => p.Backends.Select(b => (b.Address, p.Protocol, b.Port)))
            // The node itself is not a matter of policy: a pod and its node always reach each other.
            .Where(b => !IsThisNode(b.Address));

    public bool IsPeer(PolicyPeer peer, IpAddr address) => peer switch
    {
        PodPeer p => PodAt(address) is { } pod && InNamespace(p.Namespaces, pod.Name.Namespace) && p.Pods.Matches(pod.Labels),
        CidrPeer c => !IsThisNode(address) && InBlock(c.Cidr, address) && !c.Except.Any(e => InBlock(e, address)),
        NodePeer n => !IsThisNode(address) && mesh.Nodes.Any(m => n.Nodes.Matches(m.Labels) && m.Addresses.Contains(address)),
        EntityPeer { Entity: PolicyEntity.Host } => IsThisNode(address),
        EntityPeer { Entity: PolicyEntity.RemoteNode } => IsNode(address) && !IsThisNode(address),
        EntityPeer { Entity: PolicyEntity.Cluster } => IsNode(address) || PodAt(address) is not null,
        EntityPeer { Entity: PolicyEntity.World } => !IsNode(address) && PodAt(address) is null,
        EntityPeer { Entity: PolicyEntity.KubeApiserver } => BackendsOf(new ObjectName("default", "kubernetes")).Any(b => b.Address == address),
        EntityPeer { Entity: PolicyEntity.All } => true,
        _ => throw new ArgumentOutOfRangeException(nameof(peer)),
    };

    public bool InNamespace(NamespaceMatch match, string name)
    {
        var labels = mesh.Namespaces.FirstOrDefault(n => n.Name == name)?.Labels ?? ImmutableSortedDictionary<string, string>.Empty;
        return (match.Name is null || match.Name == name) && (match.Selector is null || match.Selector.Matches(labels.SetItem("kubernetes.io/metadata.name", name)));
    }

    private static bool InBlock(IpPrefix block, IpAddr address) => block.Contains(address) && address.IsIPv4 == (block.Bits >= 96 && block.Address.IsIPv4);

    private bool IsNode(IpAddr address) => IsThisNode(address) || mesh.Nodes.Any(n => n.Addresses.Contains(address));

    private bool IsThisNode(IpAddr address) => node.Addresses.Contains(address);
}
