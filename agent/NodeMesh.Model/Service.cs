using System.Collections.Immutable;

namespace NodeMesh.Model;

public enum ServiceType
{
    ClusterIP,
    NodePort,
    LoadBalancer,
}

/// <summary>Which backends traffic may go to.</summary>
public enum TrafficPolicy
{
    Cluster,

    /// <summary>Only those on the node that the traffic is on.</summary>
    Local,
}

/// <summary>How a new connection's backend is chosen.</summary>
public enum Balancing
{
    Random,

    /// <summary>By the hash of the connection, the same on every node.</summary>
    Maglev,
}

/// <summary>A Service with its backends already resolved from EndpointSlices.</summary>
/// <param name="ClusterIps">One or two addresses; empty for headless services.</param>
public sealed record Service(ObjectName Name, ImmutableArray<IpAddr> ClusterIps, ImmutableArray<ServicePort> Ports, SourceLocation? Location = null)
{
    public ServiceType Type { get; init; }

    /// <summary>metadata.creationTimestamp; who is older keeps an address that two want.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>The families it is served in: those of its cluster addresses; without any, spec.ipFamilies.</summary>
    public bool HasIPv4 { get; init; } = ClusterIps.Any(a => a.IsIPv4);

    public bool HasIPv6 { get; init; } = ClusterIps.Any(a => !a.IsIPv4);

    public ImmutableArray<IpAddr> ExternalIps { get; init; } = [];

    /// <summary>status.loadBalancer.ingress[].ip, those of ipMode VIP: a balancer of ipMode Proxy wants its traffic to come to it.</summary>
    public ImmutableArray<IpAddr> LoadBalancerIps { get; init; } = [];

    /// <summary>loadBalancerSourceRanges; empty: everybody.</summary>
    public ImmutableArray<IpPrefix> SourceRanges { get; init; } = [];

    public TrafficPolicy InternalPolicy { get; init; }

    /// <summary>Local only where the service can be reached from outside at all.</summary>
    public TrafficPolicy ExternalPolicy { get; init; }

    /// <summary>sessionAffinity ClientIP: how long a client keeps its backend; null: not at all.</summary>
    public TimeSpan? Affinity { get; init; }

    /// <summary>0 unless of type LoadBalancer with external policy Local.</summary>
    public ushort HealthCheckNodePort { get; init; }

    /// <summary>spec.trafficDistribution, for people: its effect is in the backends' hints.</summary>
    public string TrafficDistribution { get; init; } = "";

    /// <summary>By annotation; null: what the node does for all.</summary>
    public Balancing? Balancing { get; init; }

    public bool Has(bool ipv4) => ipv4 ? HasIPv4 : HasIPv6;
}

/// <param name="Name">Empty for the only port.</param>
/// <param name="AppProtocol">appProtocol as written; empty when absent.</param>
/// <param name="Backends">Of both families and whatever state, sorted by address and port.</param>
public sealed record ServicePort(string Name, Protocol Protocol, ushort Port, string AppProtocol, ImmutableArray<Backend> Backends)
{
    /// <summary>0: none.</summary>
    public ushort NodePort { get; init; }

    /// <summary>Place in spec.ports as written.</summary>
    public int Index { get; init; }
}

/// <summary>An endpoint of a service (discovery/v1). What is not said is as the API defaults it: ready and serving, not terminating, no hints.</summary>
/// <param name="NodeName">Empty when unknown.</param>
public readonly record struct Backend(IpAddr Address, ushort Port, string NodeName) : IComparable<Backend>
{
    /// <summary>Null when unknown.</summary>
    public string? Zone { get; init; }

    public bool NotReady { get; init; }

    public bool NotServing { get; init; }

    public bool Terminating { get; init; }

    /// <summary>Zones that should use it, joined by commas; null: no hint.</summary>
    public string? ForZones { get; init; }

    /// <summary>Nodes that should use it, joined by commas; null: no hint.</summary>
    public string? ForNodes { get; init; }

    public int CompareTo(Backend other) => Address != other.Address ? Address.CompareTo(other.Address) : Port.CompareTo(other.Port);
}
