namespace NodeMesh.Proxy.Http;

/// <summary>What parsing a head came to. Everything from <see cref="Malformed"/> on is a refusal.</summary>
internal enum ParseStatus : byte
{
    Complete,
    NeedMore,

    /// <summary>400 (502 from a backend) and the connection is closed.</summary>
    Malformed,

    /// <summary>431: more bytes or lines than the limits allow.</summary>
    TooLarge,

    /// <summary>505: a version that is not HTTP/1.x.</summary>
    Version,

    /// <summary>417: an Expect other than 100-continue.</summary>
    Expectation,

    /// <summary>501: CONNECT.</summary>
    Unsupported,
}

/// <summary>Bounds of a head.</summary>
internal static class HeadLimits
{
    /// <summary>Envoy's default, 60 KiB, request line included.</summary>
    public const int Bytes = 60 * 1024;

    /// <summary>Envoy's default.</summary>
    public const int Headers = 100;

    /// <summary>All trailer lines of one body.</summary>
    public const int TrailerBytes = 8 * 1024;
}
