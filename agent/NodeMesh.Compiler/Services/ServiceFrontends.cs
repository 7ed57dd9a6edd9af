using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Services;

/// <summary>The frontends of one Service: at its cluster, node, external and load balancer addresses. Pure.</summary>
internal static class ServiceFrontends
{
    /// <param name="l7">Ports whose requests the proxy serves.</param>
    public static Fragment Of(Service service, NodeView node, ImmutableHashSet<ServicePortName> l7, ImmutableHashSet<BusyPort> busy)
    {
        var to = new FragmentBuilder(new SourceKey(SourceKind.Service, service.Name), service.Location, node, busy);
        foreach (var port in service.Ports)
        {
            if (port.Protocol is not (Protocol.Tcp or Protocol.Udp))
            {
                to.Report("unsupported-protocol", Severity.Warning, $"spec.ports[{port.Index}].protocol",
                    $"{port.Protocol.ToString().ToUpperInvariant()} service ports are not balanced", "the port is left out");
                continue;
            }

            foreach (var ipv4 in new[] { true, false })
                if (service.Has(ipv4))
                    AddPort(service, port, ipv4, node, l7, to);
        }

        return to.Build(service.CreatedAt, service);
    }

    private static void AddPort(Service service, ServicePort port, bool ipv4, NodeView node, ImmutableHashSet<ServicePortName> l7, FragmentBuilder to)
    {
        var field = $"spec.ports[{port.Index}]";
        var balancing = service.Balancing ?? node.Balancing;
        var draft = Port(service, port, ipv4);
        var backends = port.Backends.Where(b => b.Address.IsIPv4 == ipv4).ToList();
        var cluster = to.Group(draft, BackendChoice.OfCluster(backends, node), port.Protocol, balancing, field);
        var local = service.InternalPolicy == TrafficPolicy.Local || service.ExternalPolicy == TrafficPolicy.Local
            ? to.Group(draft, BackendChoice.OfNode(backends, node), port.Protocol, balancing, field)
            : cluster;
        if (local.Hash == cluster.Hash)
            local = cluster;
        var isServed = BackendChoice.IsServed(backends);
        var flags = (service.Affinity is null ? 0 : FrontendFlag.Affinity) | (balancing == Balancing.Maglev ? FrontendFlag.Maglev : 0);

        // A cluster address means the same to every caller: kube-proxy applies the internal policy to those from outside too.
        var inside = service.InternalPolicy == TrafficPolicy.Local ? local : cluster;
        var isDropped = service.InternalPolicy == TrafficPolicy.Local && local.Slots == 0 && isServed;
        var clusterFlags = flags | (isDropped ? FrontendFlag.DropInside | FrontendFlag.DropOutside : 0);
        if (port.Protocol == Protocol.Tcp && l7.Contains(new ServicePortName(service.Name, port.Port)))
            clusterFlags |= FrontendFlag.L7;
        foreach (var address in service.ClusterIps.Where(a => a.IsIPv4 == ipv4))
        {
            if (node.Addresses.Contains(address))
                to.Report("own-address", Severity.Error, "spec.clusterIPs", $"{address} is this node's own address; give the service another cluster IP", "the service is not served there");
            else
                to.Add(address, port.Port, port.Protocol, FrontendKind.ClusterIp, draft, clusterFlags, inside, inside, null, $"{field}.port");
        }

        if (node.ServesOutside)
            AddExternal(service, port, ipv4, node, to, draft, flags, cluster, local, isServed);
    }

    /// <summary>From outside by the external policy; pods and the node itself get there as by policy Cluster.</summary>
    private static void AddExternal(
        Service service, ServicePort port, bool ipv4, NodeView node, FragmentBuilder to, PortDraft draft, FrontendFlag flags, GroupDraft cluster, GroupDraft local,
        bool isServed)
    {
        var isLocal = service.ExternalPolicy == TrafficPolicy.Local;
        var outside = isLocal ? local : cluster;
        if (isLocal)
            flags |= FrontendFlag.KeepSource | (local.Slots == 0 && isServed ? FrontendFlag.DropOutside : 0);
        if (port.NodePort != 0)
        {
            var addresses = node.NodePortAddresses.Concat(node.LoopbackNodePorts).Where(a => a.IsIPv4 == ipv4);
            to.AddOnNode(addresses, port.NodePort, port.Protocol, FrontendKind.NodePort, draft, flags, cluster, outside, $"spec.ports[{port.Index}].nodePort");
        }

        var ranges = service.SourceRanges.Length == 0 ? null : RangesDraft.Of(service.SourceRanges.Where(r => r.IsIPv4() == ipv4));
        foreach (var address in service.LoadBalancerIps.Where(a => a.IsIPv4 == ipv4))
            AddAt(address, FrontendKind.LoadBalancerIp, "status.loadBalancer.ingress", ranges);
        foreach (var address in service.ExternalIps.Where(a => a.IsIPv4 == ipv4))
            AddAt(address, FrontendKind.ExternalIp, "spec.externalIPs", null);

        void AddAt(IpAddr address, FrontendKind kind, string field, RangesDraft? blocks)
        {
            if (node.Addresses.Contains(address))
            {
                // Many balancers announce the nodes' own addresses, so it is served; but a process that listens there keeps its port.
                var text = FragmentBuilder.Text(port.Port, port.Protocol);
                if (to.IsBusy(address, port.Port, port.Protocol))
                {
                    to.Report("port-in-use", Severity.Error, field, $"{address} is this node's own address, and a process listens on {text} there", "the process keeps the port");
                    return;
                }

                to.Report("own-address", Severity.Warning, field, $"{address} is this node's own address", $"{text} there leads to the service");
            }

            to.Add(address, port.Port, port.Protocol, kind, draft, flags | (blocks is null ? 0 : FrontendFlag.Ranges), cluster, outside, blocks, field);
        }
    }

    private static PortDraft Port(Service service, ServicePort port, bool ipv4)
    {
        // Slots and affinity are of one family, so a service of both needs two numbers.
        var name = $"{service.Name}:{port.Port}/{port.Protocol.ToString().ToUpperInvariant()}";
        return new PortDraft(ContentHash.Of($"service {name} {(ipv4 ? "IPv4" : "IPv6")}"), name, (uint)(service.Affinity?.TotalSeconds ?? 0));
    }
}
