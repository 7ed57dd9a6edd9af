namespace NodeMesh.Proxy.Http;

/// <summary>A parsed response head; every span points into the upstream connection's buffer.</summary>
internal sealed class ResponseHead : HeaderBlock
{
    internal Slice ReasonSlice;

    public int Status { get; internal set; }

    /// <summary>The reason phrase; may be empty.</summary>
    public ReadOnlySpan<byte> Reason => Bytes(ReasonSlice);

    public int MinorVersion { get; internal set; }

    public BodyFraming Framing { get; internal set; }

    public long ContentLength { get; internal set; }

    /// <summary>The upstream connection can carry another request after this one.</summary>
    public bool KeepAlive { get; internal set; }

    public int HeadLength { get; internal set; }

    internal override void Clear(byte[] buffer)
    {
        base.Clear(buffer);
        ReasonSlice = default;
        Status = 0;
        MinorVersion = 1;
        Framing = BodyFraming.None;
        ContentLength = 0;
        KeepAlive = false;
        HeadLength = 0;
    }
}
