using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Services;

/// <summary>The frontends of a local pod's host ports: the node's port leads to this pod alone, ready or not, and the caller's address stays. Pure.</summary>
internal static class HostPortFrontends
{
    /// <summary>Pods of this node with host ports, by name.</summary>
    public static ImmutableArray<Workload> Pods(NodePods here, NodeView node) => node is { ServesOutside: true, Name.Length: > 0 }
        ? [.. here.Pods.Where(pod => pod is { HostPorts.Length: > 0, Addresses.Length: > 0 } && pod.NodeName == node.Name)]
        : [];

    public static Fragment Of(Workload pod, NodeView node, ImmutableHashSet<BusyPort> busy)
    {
        var to = new FragmentBuilder(new SourceKey(SourceKind.Pod, pod.Name), pod.Location, node, busy);
        foreach (var port in pod.HostPorts)
        {
            if (port.Protocol is not (Protocol.Tcp or Protocol.Udp))
            {
                to.Report("unsupported-protocol", Severity.Warning, "spec.containers",
                    $"host port {port.Number}/{port.Protocol.ToString().ToUpperInvariant()}: only TCP and UDP ports are served", "the port is left out");
                continue;
            }

            foreach (var address in pod.Addresses)
            {
                if (port.Address is { } only && only.IsIPv4 != address.IsIPv4)
                    continue;
                var name = $"{pod.Name} host port {port.Number}/{port.Protocol.ToString().ToUpperInvariant()}";
                var draft = new PortDraft(ContentHash.Of($"{name} {(address.IsIPv4 ? "IPv4" : "IPv6")}"), name, 0);
                var group = to.Group(draft, [new Backend(address, port.Target, pod.NodeName)], port.Protocol, Balancing.Random, "spec.containers");
                IEnumerable<IpAddr> at = port.Address is { } one
                    ? [one]
                    : node.Addresses.Concat(NodeView.Loopbacks).Where(a => a.IsIPv4 == address.IsIPv4);
                to.AddOnNode(at, port.Number, port.Protocol, FrontendKind.HostPort, draft, FrontendFlag.KeepSource, group, group, "spec.containers");
            }
        }

        return to.Build(pod.CreatedAt, pod);
    }
}
