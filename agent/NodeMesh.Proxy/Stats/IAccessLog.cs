namespace NodeMesh.Proxy.Stats;

/// <summary>Takes access records. Called by one thread, in batches; a record is valid during the call only.</summary>
public interface IAccessLog
{
    void Write(AccessRecord record);

    /// <summary>A batch is over.</summary>
    void Flush();
}

/// <summary>One request. Reused: copy what is to be kept.</summary>
public sealed class AccessRecord
{
    internal const int MaxPath = 512;
    internal const int MaxName = 256;
    internal readonly byte[] PathBytes = new byte[MaxPath];
    internal readonly byte[] AuthorityBytes = new byte[MaxName];
    internal readonly byte[] MethodBytes = new byte[32];
    internal readonly byte[] RequestIdBytes = new byte[64];
    internal readonly byte[] UserAgentBytes = new byte[MaxName];
    internal int PathLength;
    internal int AuthorityLength;
    internal int MethodLength;
    internal int RequestIdLength;
    internal int UserAgentLength;

    public DateTimeOffset Start { get; internal set; }

    public TimeSpan Duration { get; internal set; }

    /// <summary>0: the client went away before there was one.</summary>
    public int Status { get; internal set; }

    public CloseReason Reason { get; internal set; }

    public string Route { get; internal set; } = "-";

    public string Cluster { get; internal set; } = "-";

    /// <summary>RESPONSE_CODE_DETAILS; null when there is nothing to say.</summary>
    public string? Detail { get; internal set; }

    public Model.IpAddr Client { get; internal set; }

    public ushort ClientPort { get; internal set; }

    public Plan.EndpointAddress Upstream { get; internal set; }

    public long BytesReceived { get; internal set; }

    public long BytesSent { get; internal set; }

    public int Attempts { get; internal set; }

    public ReadOnlySpan<byte> Method => MethodBytes.AsSpan(0, MethodLength);

    /// <summary>With query; cut at 512 bytes.</summary>
    public ReadOnlySpan<byte> Target => PathBytes.AsSpan(0, PathLength);

    public ReadOnlySpan<byte> Authority => AuthorityBytes.AsSpan(0, AuthorityLength);

    public ReadOnlySpan<byte> RequestId => RequestIdBytes.AsSpan(0, RequestIdLength);

    public ReadOnlySpan<byte> UserAgent => UserAgentBytes.AsSpan(0, UserAgentLength);

    internal static int Copy(ReadOnlySpan<byte> from, byte[] to)
    {
        var n = Math.Min(from.Length, to.Length);
        from[..n].CopyTo(to);
        return n;
    }
}
