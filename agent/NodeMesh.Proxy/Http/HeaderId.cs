namespace NodeMesh.Proxy.Http;

/// <summary>Headers the codec itself must know.</summary>
internal enum HeaderId : byte
{
    Other,
    Host,
    Connection,
    ContentLength,
    TransferEncoding,
    Expect,
    Upgrade,
    KeepAlive,
    ProxyConnection,
    Te,
    Trailer,
    RequestId,
    ForwardedFor,
    ForwardedProto,
    ProxyAuthenticate,
    ProxyAuthorization,
}

internal static class HeaderIds
{
    /// <summary>By length first: most headers are none of these and cost one switch.</summary>
    public static HeaderId Of(ReadOnlySpan<byte> name) => name.Length switch
    {
        2 when Ascii.EqualsIgnoreCase(name, "te"u8) => HeaderId.Te,
        4 when Ascii.EqualsIgnoreCase(name, "host"u8) => HeaderId.Host,
        6 when Ascii.EqualsIgnoreCase(name, "expect"u8) => HeaderId.Expect,
        7 when Ascii.EqualsIgnoreCase(name, "upgrade"u8) => HeaderId.Upgrade,
        7 when Ascii.EqualsIgnoreCase(name, "trailer"u8) => HeaderId.Trailer,
        10 when Ascii.EqualsIgnoreCase(name, "connection"u8) => HeaderId.Connection,
        10 when Ascii.EqualsIgnoreCase(name, "keep-alive"u8) => HeaderId.KeepAlive,
        12 when Ascii.EqualsIgnoreCase(name, "x-request-id"u8) => HeaderId.RequestId,
        14 when Ascii.EqualsIgnoreCase(name, "content-length"u8) => HeaderId.ContentLength,
        15 when Ascii.EqualsIgnoreCase(name, "x-forwarded-for"u8) => HeaderId.ForwardedFor,
        16 when Ascii.EqualsIgnoreCase(name, "proxy-connection"u8) => HeaderId.ProxyConnection,
        17 when Ascii.EqualsIgnoreCase(name, "transfer-encoding"u8) => HeaderId.TransferEncoding,
        17 when Ascii.EqualsIgnoreCase(name, "x-forwarded-proto"u8) => HeaderId.ForwardedProto,
        18 when Ascii.EqualsIgnoreCase(name, "proxy-authenticate"u8) => HeaderId.ProxyAuthenticate,
        19 when Ascii.EqualsIgnoreCase(name, "proxy-authorization"u8) => HeaderId.ProxyAuthorization,
        _ => HeaderId.Other,
    };
}
