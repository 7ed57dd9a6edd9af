using System.Collections.Immutable;

namespace NodeMesh.Model;

/// <summary>A Service with its backends already resolved from EndpointSlices.</summary>
/// <param name="ClusterIps">One or two addresses; empty for headless services.</param>
public sealed record Service(ObjectName Name, ImmutableArray<IpAddr> ClusterIps, ImmutableArray<ServicePort> Ports, SourceLocation? Location = null);

/// <param name="Name">Empty for the only port.</param>
/// <param name="AppProtocol">appProtocol as written; empty when absent.</param>
/// <param name="Backends">Ready backends of both families, sorted by address and port.</param>
public sealed record ServicePort(string Name, Protocol Protocol, ushort Port, string AppProtocol, ImmutableArray<Backend> Backends);

/// <param name="NodeName">Empty when unknown.</param>
public readonly record struct Backend(IpAddr Address, ushort Port, string NodeName) : IComparable<Backend>
{
    public int CompareTo(Backend other) => Address != other.Address ? Address.CompareTo(other.Address) : Port.CompareTo(other.Port);
}
