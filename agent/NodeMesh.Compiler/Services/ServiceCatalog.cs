using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Compiler.Services;

internal readonly record struct ServicePortName(ObjectName Service, ushort Port)
{
    public override string ToString() => $"{Service}:{Port}";
}

/// <summary>Services by name, and the clusters that the proxy makes of their TCP ports.</summary>
internal sealed class ServiceCatalog
{
    private readonly Dictionary<ObjectName, Service> _services;
    private readonly NodeView _node;
    private readonly Dictionary<string, ClusterPlan> _previous;
    private readonly Dictionary<string, ClusterPlan> _clusters = new(StringComparer.Ordinal);

    private ServiceCatalog(Dictionary<ObjectName, Service> services, NodeView node, Dictionary<string, ClusterPlan> previous)
    {
        _services = services;
        _node = node;
        _previous = previous;
    }

    /// <param name="previous">Whose clusters are taken over where they are equal.</param>
    public static ServiceCatalog Build(MeshSnapshot mesh, NodeView node, ProxyPlan previous)
    {
        var old = new Dictionary<string, ClusterPlan>(StringComparer.Ordinal);
        var tables = previous.Services.Values.SelectMany(s => s.Tables)
            .Concat(previous.Gateways.SelectMany(g => g.Hosts).Select(h => h.Routes));
        var inRoutes = tables.SelectMany(t => t.Hosts).SelectMany(h => h.Entries).SelectMany(e => e.Action.Targets).Select(t => t.Cluster);
        foreach (var cluster in previous.Services.Values.Select(s => s.Cluster).Concat(inRoutes))
            if (cluster is not null)
                old[cluster.Name] = cluster;
        return new ServiceCatalog(mesh.Services.ToDictionary(s => s.Name), node, old);
    }

    public Service? Find(ObjectName name) => _services.GetValueOrDefault(name);

    public ServicePort? FindTcpPort(ServicePortName name) =>
        Find(name.Service)?.Ports.FirstOrDefault(p => p.Port == name.Port && p.Protocol == Protocol.Tcp);

    /// <summary>Those backends of one family that the kernel would choose among for a caller inside: the proxy keeps the client's address, so it cannot change over to the other.</summary>
    /// <returns>Null when there is no such service or TCP port.</returns>
    public ClusterPlan? Cluster(ServicePortName name, bool ipv4)
    {
        var text = ipv4 ? name.ToString() : $"{name}/IPv6";
        if (_clusters.TryGetValue(text, out var cluster))
            return cluster;
        if (Find(name.Service) is not { } service || FindTcpPort(name) is not { } port)
            return null;
        cluster = new ClusterPlan(text, [.. BackendChoice.Inside(service, port, ipv4, _node).Select(b => new EndpointAddress(b.Address, b.Port))]);
        if (_previous.TryGetValue(text, out var old) && PlanEquality.Same(old, cluster))
            cluster = old;
        _clusters.Add(text, cluster);
        return cluster;
    }

    /// <summary>Backends for callers from outside, whose address is not kept: IPv4 where there are any.</summary>
    public ClusterPlan? ClusterOfAnyFamily(ServicePortName name) =>
        Cluster(name, ipv4: true) is { Endpoints.Length: 0 } && Cluster(name, ipv4: false) is { Endpoints.Length: > 0 } ipv6 ? ipv6 : Cluster(name, ipv4: true);
}
