namespace NodeMesh.Proxy;

/// <summary>Which side of the proxy something happened on.</summary>
public enum Side : byte
{
    None,
    Downstream,
    Upstream,
    Proxy,
}

/// <summary>Why a request or connection ended other than well. One value is one access-log flag (Envoy's) and one metric label.</summary>
public enum CloseReason : byte
{
    None,

    /// <summary>DC: the client went away.</summary>
    DownstreamClosed,

    /// <summary>DPE: the client broke the protocol.</summary>
    DownstreamProtocolError,

    /// <summary>NR: no route.</summary>
    NoRoute,

    /// <summary>UH: the cluster has no endpoint.</summary>
    NoHealthyUpstream,

    /// <summary>UF: connecting failed.</summary>
    UpstreamConnectFailure,

    /// <summary>UC: the backend ended the connection.</summary>
    UpstreamClosed,

    /// <summary>UT: the route's time was up.</summary>
    UpstreamTimeout,

    /// <summary>UPE: the backend broke the protocol.</summary>
    UpstreamProtocolError,

    /// <summary>LR: a local limit reset the stream.</summary>
    LocalReset,

    /// <summary>SI: the stream was idle too long.</summary>
    StreamIdle,

    /// <summary>UO: too many connections or no free source port.</summary>
    Overflow,

    /// <summary>UAEX: policy refused it (Envoy's flag for a failed authorization).</summary>
    PolicyDenied,

    /// <summary>NC: the route's backend reference is invalid.</summary>
    NoCluster,

    /// <summary>MR: SNI and Host name different listeners (421).</summary>
    Misdirected,

    /// <summary>NH: bytes that are no HTTP where request rules apply.</summary>
    NotHttp,

    /// <summary>TL: the TLS handshake failed.</summary>
    TlsFailed,

    /// <summary>LL: somebody dialled the proxy's own listener.</summary>
    DialledListener,
}

/// <summary>Why a connection or request ended. One value = one metric label = one access-log flag = at most one status.</summary>
public readonly record struct ProxyError(CloseReason Reason, Side Side, bool Retryable)
{
    public bool IsNone => Reason == CloseReason.None;
}

/// <summary>The short names of close reasons.</summary>
public static class ResponseFlags
{
    private static readonly string[] Names =
        ["-", "DC", "DPE", "NR", "UH", "UF", "UC", "UT", "UPE", "LR", "SI", "UO", "UAEX", "NC", "MR", "NH", "TL", "LL"];

    /// <summary>Envoy's flag, or ours where Envoy has none; "-" for None.</summary>
    public static string Of(CloseReason reason) => Names[(int)reason];
}
