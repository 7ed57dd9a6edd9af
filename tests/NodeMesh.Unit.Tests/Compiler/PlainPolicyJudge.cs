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

/// <summary>Judges by the policies as they are written, with no identity, class or prefix: what the compiled rows are held against.</summary>
internal sealed class PlainPolicyJudge(MeshSnapshot mesh, NodeFacts node)
{
    public Outcome Judge(Workload subject, Direction direction, IpAddr peer, Protocol protocol, ushort port, string method)
    {
        var selecting = mesh.Policies.Where(p => InNamespace(p.Namespaces, subject.Name.Namespace) && p.Subject.Matches(subject.Labels)).ToList();
        var isolated = selecting.Any(p => direction == Direction.Ingress ? p.IsolatesIngress : p.IsolatesEgress);
        var rules = selecting.SelectMany(p => direction == Direction.Ingress ? p.Ingress : p.Egress)
            .Where(r => r.Peers.Length == 0 || r.Peers.Any(p => IsPeer(p, peer)))
            .Where(r => IsPort(r, direction == Direction.Ingress ? subject : PodAt(peer), protocol, port))
            .ToList();

        if (rules.Any(r => r.Action == PolicyAction.Deny && r.Http.Length == 0))
            return Outcome.Deny;
        var allowed = !isolated || rules.Any(r => r.Action == PolicyAction.Allow && r.Http.Length == 0);
        var byRequest = rules.Where(r => r.Action == PolicyAction.Allow && r.Http.Length > 0).ToList();
        if (!allowed && byRequest.Count == 0)
            return Outcome.DefaultDeny;

        var refused = rules.Any(r => r.Action == PolicyAction.Deny && IsRequest(r, method));
        return !refused && (allowed || byRequest.Any(r => IsRequest(r, method))) ? Outcome.Allow : Outcome.RequestRefused;
    }

    private Workload? PodAt(IpAddr address) => mesh.Workloads.FirstOrDefault(w => !w.HostNetwork && w.Addresses.Contains(address));

    private bool IsNode(IpAddr address) => IsThisNode(address) || mesh.Nodes.Any(n => n.Addresses.Contains(address));

    private bool IsThisNode(IpAddr address) => node.Addresses.Contains(address);

    private bool IsPeer(PolicyPeer peer, IpAddr address) => peer switch
    {
        PodPeer p => PodAt(address) is { } pod && InNamespace(p.Namespaces, pod.Name.Namespace) && p.Pods.Matches(pod.Labels),
        // The node itself is not a matter of policy: a pod and its node always reach each other.
        CidrPeer c => !IsThisNode(address) && InBlock(c.Cidr, address) && !c.Except.Any(e => InBlock(e, address)),
        EntityPeer { Entity: PolicyEntity.Host } => IsThisNode(address),
        EntityPeer { Entity: PolicyEntity.Cluster } => IsNode(address) || PodAt(address) is not null,
        _ => !IsNode(address) && PodAt(address) is null,
    };

    private static bool InBlock(IpPrefix block, IpAddr address) => block.Contains(address) && address.IsIPv4 == (block.Bits >= 96 && block.Address.IsIPv4);

    private static bool IsPort(PolicyRule rule, Workload? target, Protocol protocol, ushort port)
    {
        if (rule.Ports.Length == 0)
            return rule.Http.Length == 0 || protocol == Protocol.Tcp;
        foreach (var match in rule.Ports)
        {
            if (match.Named is { } name)
            {
                if (target is not null && match.Protocol == protocol && target.Ports.Any(p => p.Name == name && p.Protocol == protocol && p.Number == port))
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

    private bool InNamespace(NamespaceMatch match, string name)
    {
        var labels = mesh.Namespaces.FirstOrDefault(n => n.Name == name)?.Labels ?? ImmutableSortedDictionary<string, string>.Empty;
        return (match.Name is null || match.Name == name) && (match.Selector is null || match.Selector.Matches(labels.SetItem("kubernetes.io/metadata.name", name)));
    }
}
