using System.Collections.Immutable;
using NodeMesh.Compiler.Services;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Explain;

/// <summary>Says which rule decides about a connection, by the rows that the kernels of both ends' nodes would have.</summary>
public sealed class PolicyExplainer
{
    private readonly MeshSnapshot _mesh;
    private readonly NodeFacts _here;
    private readonly Dictionary<string, PolicyLens> _lenses = new(StringComparer.Ordinal);

    private PolicyExplainer(MeshSnapshot mesh, NodeFacts here)
    {
        _mesh = mesh;
        _here = here;
    }

    /// <param name="here">The node that is asked; pods of others are judged as on theirs.</param>
    public static PolicyAnswer Answer(MeshSnapshot mesh, NodeFacts here, PolicyQuestion question) => new PolicyExplainer(mesh, here).Answer(question);

    private PolicyAnswer Answer(PolicyQuestion question)
    {
        if (question.From is ConnectionEnd.OfService)
            return Problem("a service opens no connections: name a pod or an address as the source");
        if (Find(question.From, out var source) is { } noSource)
            return Problem(noSource);

        if (question.To is not ConnectionEnd.OfService { Name: var name })
            return Find(question.To, out var target) is { } noTarget ? Problem(noTarget) : Paths(source, target, question.Protocol, question.Port);
        if (_mesh.Services.FirstOrDefault(s => s.Name == name) is not { } service)
            return Problem($"there is no Service {name}");
        if (service.Ports.FirstOrDefault(p => p.Protocol == question.Protocol && p.Port == question.Port) is not { } port)
            return Problem($"Service {name} has no port {question.Port}/{Text(question.Protocol)}; it has {string.Join(", ", service.Ports.Select(p => $"{p.Port}/{Text(p.Protocol)}"))}");

        var backends = ((bool[])[true, false]).SelectMany(ipv4 => BackendChoice.Inside(service, port, ipv4, NodeView.Of(_mesh, FactsOf(source.Pod?.NodeName))))
            .Where(b => source.Addresses.Any(a => a.IsIPv4 == b.Address.IsIPv4)).ToList();
        return backends.Count == 0
            ? Problem($"Service {name} has no backend for {source.Text} on port {question.Port}/{Text(question.Protocol)}: the connection is refused before policy is asked")
            : new PolicyAnswer([.. backends.Select(b => Path(source, EndAt(b.Address), b.Address, question.Protocol, b.Port)).Distinct()]);
    }

    private PolicyAnswer Paths(End source, End target, Protocol protocol, ushort port)
    {
        // Of a pod with two addresses the first is meant, as everywhere; the other is the same pod to every selector.
        var to = target.Addresses.FirstOrDefault(t => source.Addresses.Any(s => s.IsIPv4 == t.IsIPv4) && protocol is not (Protocol.Icmp or Protocol.Icmpv6) || t.IsIPv4 == (protocol == Protocol.Icmp));
        return source.Addresses.Any(s => s.IsIPv4 == to.IsIPv4) && target.Addresses.Contains(to)
            ? new PolicyAnswer([Path(source, target, to, protocol, port)])
            : Problem($"{source.Text} and {target.Text} have no addresses of one family for {Text(protocol)}");
    }

    private PolicyPath Path(End source, End target, IpAddr to, Protocol protocol, ushort port)
    {
        var from = source.Addresses.First(a => a.IsIPv4 == to.IsIPv4);
        return new PolicyPath(
            Who(source, from, target.Pod), from, Who(target, to, source.Pod), to, port,
            Say(source, Direction.Egress, target, to, protocol, port),
            Say(target, Direction.Ingress, source, from, protocol, port));
    }

    private PolicySay Say(End subject, Direction direction, End other, IpAddr peer, Protocol protocol, ushort port)
    {
        if (subject.Pod is not { } pod)
            return new PolicySay(Verdict.Allow, "no pod: policies say nothing about it");
        if (pod.HostNetwork)
            return new PolicySay(Verdict.Allow, "a pod on the host's network is the node: policies say nothing about it");
        if (other.Pod?.Name == pod.Name)
            return new PolicySay(Verdict.Allow, "a pod always reaches itself");

        var lens = LensOf(pod.NodeName);
        var identity = PolicyJudge.IdentityOf(lens.Plan.Proxy.Policy, peer);
        if (identity == (uint)IdentityId.Host)
            return new PolicySay(Verdict.Allow, "a pod and its own node always reach each other");
        var set = lens.SetOf(pod.Name);
        if (set == 0)
            return new PolicySay(Verdict.Allow, $"no policy selects {subject.Text}");

        if (PolicyJudge.Find(lens.Plan.Proxy.Policy, set, direction, identity, protocol, port) is not var (key, entry))
            return new PolicySay(Verdict.None, "its policy does not fit into the node's tables: closed");
        lens.Plan.Proxy.Policy.Http.TryGetValue(key, out var http);
        var names = lens.Plan.Names.Rules;
        var because = entry.Rule != 0 ? names.GetValueOrDefault(entry.Rule, "?")
            : (Verdict)entry.Verdict == Verdict.Redirect ? "rules about requests decide" : $"no rule is about it, and nothing isolates {(direction == Direction.Egress ? "egress" : "ingress")}";
        return new PolicySay((Verdict)entry.Verdict, because, http, entry.Audit == 0 ? "" : names.GetValueOrDefault(entry.AuditRule, "?"));
    }

    private string Who(End end, IpAddr address, Workload? seenBy) => end.Pod is null
        ? $"{end.Text} ({NameOf(LensOf(seenBy?.NodeName).Plan, address)})"
        : end.Text;

    private static string NameOf(MeshPlan plan, IpAddr address) => plan.Names.Identities.GetValueOrDefault(PolicyJudge.IdentityOf(plan.Proxy.Policy, address), "world");

    /// <returns>What is wrong; null: found.</returns>
    private string? Find(ConnectionEnd wanted, out End end)
    {
        end = default!;
        switch (wanted)
        {
            case ConnectionEnd.OfAddress { Address: var address }:
                end = EndAt(address);
                return null;
            case ConnectionEnd.OfPod { Name: var name } when _mesh.Workloads.FirstOrDefault(w => w.Name == name) is { } pod:
                end = new End($"Pod {name}", pod, pod.Addresses);
                return pod.Addresses.Length > 0 ? null : $"Pod {name} has no address yet";
            case ConnectionEnd.OfPod { Name: var name }:
                return $"there is no Pod {name}";
            default:
                return "a pod or an address expected";
        }
    }

    private End EndAt(IpAddr address) => _mesh.Workloads.Where(w => !w.HostNetwork && w.Addresses.Contains(address)).OrderBy(w => w.Terminating).FirstOrDefault() is { } pod
        ? new End($"Pod {pod.Name}", pod, [address])
        : new End(address.ToString(), null, [address]);

    private PolicyLens LensOf(string? node)
    {
        node ??= _here.NodeName;
        if (!_lenses.TryGetValue(node, out var lens))
            _lenses.Add(node, lens = PolicyLens.Of(_mesh, FactsOf(node), w => w.NodeName == node));
        return lens;
    }

    private NodeFacts FactsOf(string? node) => string.IsNullOrEmpty(node) || node == _here.NodeName
        ? _here
        : _here with { NodeName = node, Addresses = _mesh.Nodes.FirstOrDefault(n => n.Name == node)?.Addresses ?? [] };

    private static PolicyAnswer Problem(string what) => new([], what);

    private static string Text(Protocol protocol) => Enum.IsDefined(protocol) ? protocol.ToString().ToUpperInvariant() : $"protocol {(byte)protocol}";

    /// <param name="Pod">Null: an address that is no pod's.</param>
    private sealed record End(string Text, Workload? Pod, ImmutableArray<IpAddr> Addresses);
}
