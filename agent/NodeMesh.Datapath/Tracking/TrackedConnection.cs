using NodeMesh.Model;

namespace NodeMesh.Datapath.Tracking;

/// <summary>Where a tracked connection is in its life, under the names of Linux's own tracking where they mean the same.</summary>
public enum ConnectionState
{
    /// <summary>Nobody has answered yet.</summary>
    Opening,
    Established,

    /// <summary>One side has ended its direction.</summary>
    HalfClosed,

    /// <summary>Both sides have, or one reset it.</summary>
    Closed,
}

/// <summary>A row of the connection tables.</summary>
/// <param name="Ifindex">The pod at whose gate it is tracked; of a connection between two pods of this node, the opener.</param>
/// <param name="PodOpened">The pod opened it, not its peer.</param>
/// <param name="Source">Of the opener.</param>
/// <param name="Protocol">IP protocol number.</param>
/// <param name="ByProxy">The proxy opened it, in the name of <paramref name="Source"/>.</param>
/// <param name="HandedOver">Its packets go to the proxy.</param>
/// <param name="Local">Between two pods of this node, past its stack.</param>
/// <param name="ExpiresIn">Without a packet.</param>
/// <param name="Translation">What became of a service address on the packet path; then <paramref name="Ifindex"/> is 0 when it came in by a device of the node.</param>
public sealed record TrackedConnection(
    uint Ifindex, bool PodOpened, byte Protocol, IpAddr Source, ushort SourcePort, IpAddr Destination, ushort DestinationPort,
    ConnectionState State, bool ByProxy, bool HandedOver, bool Local, TimeSpan ExpiresIn, Translation? Translation = null);

/// <param name="Source">Whom the backend sees.</param>
public sealed record Translation(IpAddr Source, ushort SourcePort, IpAddr Backend, ushort BackendPort);

/// <summary>Which connections are meant; what is null or 0 is not asked for.</summary>
/// <param name="Ifindexes">Of pods at either end.</param>
/// <param name="Address">Of either end.</param>
/// <param name="Port">Of either end.</param>
public sealed record ConnectionFilter(IReadOnlySet<uint>? Ifindexes = null, IpAddr? Address = null, ushort Port = 0, byte Protocol = 0, ConnectionState? State = null)
{
    internal bool Matches(TrackedConnection c, uint answerer) =>
        (Ifindexes is null || Ifindexes.Contains(c.Ifindex) || (answerer != 0 && Ifindexes.Contains(answerer)))
        && (Address is not { } address || c.Source == address || c.Destination == address)
        && (Port == 0 || c.SourcePort == Port || c.DestinationPort == Port)
        && (Protocol == 0 || c.Protocol == Protocol)
        && (State is not { } state || c.State == state);
}
