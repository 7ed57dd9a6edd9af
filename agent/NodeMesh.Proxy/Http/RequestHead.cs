namespace NodeMesh.Proxy.Http;

/// <summary>A parsed request head; every span points into the connection's buffer. Already checked: what reaches a filter is well formed.</summary>
internal sealed class RequestHead : HeaderBlock
{
    internal Slice MethodSlice;
    internal Slice TargetSlice;
    internal Slice PathSlice;
    internal Slice QuerySlice;
    internal Slice AuthoritySlice;

    /// <summary>Upper case as received; methods are case sensitive (RFC 9110, 9.1).</summary>
    public ReadOnlySpan<byte> Method => Bytes(MethodSlice);

    /// <summary>Path with query, origin form ("*" for OPTIONS *).</summary>
    public ReadOnlySpan<byte> Target => Bytes(TargetSlice);

    /// <summary>Starts with "/" (or is "*"); as received, not decoded, without the query.</summary>
    public ReadOnlySpan<byte> Path => Bytes(PathSlice);

    /// <summary>Without the "?"; empty when there is none.</summary>
    public ReadOnlySpan<byte> Query => Bytes(QuerySlice);

    /// <summary>Host with port as received, from the Host header (equal to an absolute form's authority); empty for HTTP/1.0 without Host.</summary>
    public ReadOnlySpan<byte> Authority => Bytes(AuthoritySlice);

    /// <summary>1 for HTTP/1.1, 0 for HTTP/1.0.</summary>
    public int MinorVersion { get; internal set; }

    public KnownMethod KnownMethod { get; internal set; }

    public BodyFraming Framing { get; internal set; }

    /// <summary>With <see cref="BodyFraming.Length"/>.</summary>
    public long ContentLength { get; internal set; }

    public bool KeepAlive { get; internal set; }

    public bool ExpectsContinue { get; internal set; }

    /// <summary>Connection: upgrade together with an Upgrade header.</summary>
    public bool Upgrade { get; internal set; }

    /// <summary>Bytes from the request line to the empty line.</summary>
    public int HeadLength { get; internal set; }

    internal override void Clear(byte[] buffer)
    {
        base.Clear(buffer);
        MethodSlice = TargetSlice = PathSlice = QuerySlice = AuthoritySlice = default;
        MinorVersion = 1;
        KnownMethod = KnownMethod.Other;
        Framing = BodyFraming.None;
        ContentLength = 0;
        KeepAlive = ExpectsContinue = Upgrade = false;
        HeadLength = 0;
    }
}

/// <summary>How the length of a body is known (RFC 9112, 6.3).</summary>
internal enum BodyFraming : byte
{
    None,
    Length,
    Chunked,

    /// <summary>Responses only.</summary>
    UntilClose,
}

/// <summary>Methods whose meaning the proxy needs.</summary>
internal enum KnownMethod : byte
{
    Other,
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Trace,
    Connect,
}
