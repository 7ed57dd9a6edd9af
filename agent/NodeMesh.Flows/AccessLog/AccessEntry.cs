using NodeMesh.Model;

namespace NodeMesh.Flows.AccessLog;

/// <summary>One request as the access log shows it. Texts are bytes as they came from the wire: untrusted.</summary>
public readonly ref struct AccessEntry
{
    public required DateTimeOffset Start { get; init; }

    public required TimeSpan Duration { get; init; }

    /// <summary>0: the client went away before there was an answer.</summary>
    public required int Status { get; init; }

    /// <summary>"-" when nothing was wrong.</summary>
    public required string Flags { get; init; }

    public required string? Detail { get; init; }

    public required string Route { get; init; }

    public required string Cluster { get; init; }

    public required IpAddr Client { get; init; }

    public required ushort ClientPort { get; init; }

    /// <summary>Unspecified: none was chosen.</summary>
    public required IpAddr Upstream { get; init; }

    public required ushort UpstreamPort { get; init; }

    public required long BytesReceived { get; init; }

    public required long BytesSent { get; init; }

    public required int Attempts { get; init; }

    public required ReadOnlySpan<byte> Method { get; init; }

    public required ReadOnlySpan<byte> Target { get; init; }

    public required ReadOnlySpan<byte> Authority { get; init; }

    public required ReadOnlySpan<byte> RequestId { get; init; }

    public required ReadOnlySpan<byte> UserAgent { get; init; }
}
