using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Agent.Api;

/// <summary>Services as the API shows them: as meant, and as this node serves them. Pure.</summary>
internal static class ServiceMapping
{
    /// <param name="connections">How many are open to each address, port and protocol.</param>
    public static ServicesReply Services(
        MeshSnapshot snapshot, MeshPlan plan, NodeFacts node, IReadOnlyDictionary<(IpAddr, ushort, byte), int> connections)
    {
        var frontends = plan.Kernel.Frontends.ToLookup(f => plan.Names.Services.GetValueOrDefault(f.Value.Service, ""), StringComparer.Ordinal);
        var reply = new ServicesReply();
        foreach (var service in snapshot.Services)
            foreach (var port in service.Ports)
                reply.Services.Add(Line(service, port, snapshot, plan, node, [.. frontends[$"{service.Name}:{port.Port}/{port.Protocol.ToString().ToUpperInvariant()}"]], connections));
        return reply;
    }

    private static Service Line(
        Model.Service service, ServicePort port, MeshSnapshot snapshot, MeshPlan plan, NodeFacts node, KeyValuePair<FrontendKey, FrontendEntry>[] frontends,
        IReadOnlyDictionary<(IpAddr, ushort, byte), int> connections)
    {
        var line = new Service
        {
            Namespace = service.Name.Namespace,
            Name = service.Name.Name,
            PortName = port.Name,
            Port = port.Port,
            Protocol = port.Protocol.ToString().ToUpperInvariant(),
            Type = service.Type.ToString(),
            InternalTrafficPolicy = service.InternalPolicy.ToString(),
            ExternalTrafficPolicy = service.ExternalPolicy.ToString(),
            TrafficDistribution = service.TrafficDistribution,
            AffinitySeconds = (uint)(service.Affinity?.TotalSeconds ?? 0),
            Balancing = (service.Balancing ?? node.Balancing) == Balancing.Maglev ? "maglev" : "random",
            HealthCheckNodePort = service.HealthCheckNodePort,
            HandledBy = frontends.Any(f => ((FrontendFlag)f.Value.Flags).HasFlag(FrontendFlag.L7)) ? "proxy" : frontends.Length > 0 ? "kernel"
                : service is { HasIPv4: false, HasIPv6: false } ? "none (headless)" : "none",
        };
        line.ClusterIps.AddRange(service.ClusterIps.Select(a => a.ToString()));
        line.Routes.AddRange(snapshot.Routes
            .Where(r => r.Parents.Any(p => p.Kind == ParentKind.Service && p.Name == service.Name && (p.Port is null || p.Port == port.Port)))
            .Select(r => r.Name.ToString()));
        line.Frontends.AddRange(frontends.OrderBy(f => Kind(plan, f.Key)).ThenBy(f => f.Key.Addr.ToIpAddr()).Select(f => Frontend(plan, f.Key, f.Value)));

        var chosen = frontends.Where(f => Kind(plan, f.Key) == FrontendKind.ClusterIp).SelectMany(f => Backends(plan, f.Value.Inside)).ToHashSet();
        line.Endpoints.AddRange(port.Backends.Select(b => Endpoint(b, node, chosen.Contains((b.Address, b.Port)), connections.GetValueOrDefault((b.Address, b.Port, (byte)port.Protocol)))));
        line.Backends.AddRange(line.Endpoints.Where(e => e.Chosen).Select(e => e.Address));
        return line;
    }

    private static FrontendKind Kind(MeshPlan plan, FrontendKey key) => plan.Names.Frontends.GetValueOrDefault(key);

    private static Frontend Frontend(MeshPlan plan, FrontendKey key, FrontendEntry entry) => new()
    {
        Kind = Kind(plan, key) switch
        {
            FrontendKind.NodePort => "node port",
            FrontendKind.ExternalIp => "external address",
            FrontendKind.LoadBalancerIp => "load balancer address",
            FrontendKind.HostPort => "host port",
            _ => "cluster IP",
        },
        Address = key.Addr.ToIpAddr().WithPort(key.PortBe.ToHost()),
        InsideBackends = (uint)Backends(plan, entry.Inside).Distinct().Count(),
        OutsideBackends = (uint)Backends(plan, entry.Outside).Distinct().Count(),
        SourceRanges = ((FrontendFlag)entry.Flags).HasFlag(FrontendFlag.Ranges) ? plan.Names.SourceRanges.GetValueOrDefault(entry.Ranges, "") : "",
    };

    private static Backend Endpoint(Model.Backend backend, NodeFacts node, bool chosen, int connections) => new()
    {
        Address = backend.Address.WithPort(backend.Port),
        Node = backend.NodeName,
        Zone = backend.Zone ?? "",
        State = !backend.NotReady ? "ready" : backend is { Terminating: true, NotServing: false } ? "terminating" : "not ready",
        Local = backend.NodeName.Length > 0 && backend.NodeName == node.NodeName,
        Chosen = chosen,
        Connections = (uint)connections,
    };

    private static IEnumerable<(IpAddr Address, ushort Port)> Backends(MeshPlan plan, Group group) => Enumerable.Range(0, (int)group.Slots)
        .Select(slot => plan.Kernel.Backends[new BackendKey { Backend = plan.Kernel.Slots[new SlotKey { Group = group.Id, Slot = (uint)slot }].Backend }])
        .Select(b => (b.Addr.ToIpAddr(), b.PortBe.ToHost()));
}
