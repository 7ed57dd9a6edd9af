namespace NodeMesh.Proxy.Tls;

/// <summary>Bounds on what a client may do before it is authenticated.</summary>
/// <param name="HandshakeTimeout">From accept to the end of the handshake, as Envoy's listener filters.</param>
/// <param name="HandshakesPerClient">Unfinished handshakes of one address at a time, on the whole node; more are closed at accept.</param>
public sealed record TlsOptions(TimeSpan HandshakeTimeout, int HandshakesPerClient)
{
    public static readonly TlsOptions Default = new(TimeSpan.FromSeconds(15), 256);
}
