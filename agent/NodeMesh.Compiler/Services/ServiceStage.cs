using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Services;

/// <summary>A cluster address and TCP port whose requests the proxy serves.</summary>
internal readonly record struct L7Frontend(IpAddr Address, ServicePortName Port);

/// <summary>Load balancing in the kernel: frontends at the addresses of services, over groups of backends for each kind of caller.</summary>
internal static class ServiceStage
{
    /// <param name="l7">Ports that a route shapes.</param>
    /// <param name="old">What was compiled before; the result is the same without it.</param>
    /// <param name="touched">Sources whose frontends or backends may be others than before.</param>
    public static ServiceTables Run(
        MeshSnapshot mesh, NodeFacts facts, NodeView node, NodePods here, ImmutableHashSet<ServicePortName> l7, ServiceTables old, out IReadOnlySet<SourceKey> touched)
    {
        var from = old.Node is { } was && was.SameAs(node) ? old : ServiceTables.Empty with { Node = node };
        var pods = HostPortFrontends.Pods(here, node);
        var changes = new Dictionary<SourceKey, Fragment?>();

        foreach (var (gone, service) in SortedLists.Difference(from.Services, mesh.Services, s => s.Name))
            changes[new SourceKey(SourceKind.Service, (service ?? gone)!.Name)] = service is null ? null : ServiceFrontends.Of(service, node, l7, facts.BusyPorts);
        foreach (var (gone, pod) in SortedLists.Difference(from.HostPortPods, pods, w => w.Name))
            changes[new SourceKey(SourceKind.Pod, (pod ?? gone)!.Name)] = pod is null ? null : HostPortFrontends.Of(pod, node, facts.BusyPorts);
        foreach (var (gone, gateway) in SortedLists.Difference(from.Gateways, mesh.Gateways, g => g.Name))
            changes[new SourceKey(SourceKind.Gateway, (gateway ?? gone)!.Name)] = gateway is null ? null : ListenerPorts.Of(gateway, facts, node);
        foreach (var key in Others(from, l7, facts.BusyPorts))
        {
            if (!changes.ContainsKey(key) && from.Fragments.TryGetValue(key, out var fragment))
                changes.Add(key, fragment.Origin is Service service
                    ? ServiceFrontends.Of(service, node, l7, facts.BusyPorts)
                    : HostPortFrontends.Of((Workload)fragment.Origin, node, facts.BusyPorts));
        }

        var edit = new ServiceEdit(from);
        var next = changes.Count == 0 ? from : edit.Apply(changes);
        touched = ReferenceEquals(from, old) ? edit.Touched : next.Fragments.Keys.Concat(old.Fragments.Keys).ToHashSet();
        return next with { Services = mesh.Services, HostPortPods = pods, Gateways = mesh.Gateways, Busy = facts.BusyPorts, L7 = l7 };
    }

    /// <summary>Sources that are the same and yet mean something else: a route came or went, or a process listens on one of their ports.</summary>
    private static IEnumerable<SourceKey> Others(ServiceTables from, ImmutableHashSet<ServicePortName> l7, ImmutableHashSet<BusyPort> busy)
    {
        if (!ReferenceEquals(from.L7, l7))
            foreach (var port in l7.SymmetricExcept(from.L7))
                yield return new SourceKey(SourceKind.Service, port.Service);
        if (ReferenceEquals(from.Busy, busy) || from.Fragments.Count == 0)
            yield break;
        var ports = busy.SymmetricExcept(from.Busy).Select(b => (b.Protocol, b.Port)).ToHashSet();
        if (ports.Count == 0)
            yield break;
        foreach (var (key, fragment) in from.Fragments)
        {
            var wants = fragment.Origin switch
            {
                Service service => service.Ports.Any(p => ports.Contains((p.Protocol, p.NodePort)) || ports.Contains((p.Protocol, p.Port))),
                Workload pod => pod.HostPorts.Any(p => ports.Contains((p.Protocol, p.Number))),
                _ => false,
            };
            if (wants)
                yield return key;
        }
    }
}
