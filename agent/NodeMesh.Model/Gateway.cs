using System.Collections.Immutable;

namespace NodeMesh.Model;

/// <summary>A Gateway of our class, with listeners on this node's addresses.</summary>
/// <param name="Addresses">spec.addresses of type IPAddress; empty: every address of the node.</param>
public sealed record Gateway(ObjectName Name, ImmutableArray<IpAddr> Addresses, ImmutableArray<GatewayListener> Listeners, SourceLocation? Location = null)
{
    /// <summary>metadata.creationTimestamp; who is older keeps a port of the node that a service wants too.</summary>
    public DateTimeOffset? CreatedAt { get; init; }
}

public enum ListenerProtocol
{
    Http,
    Https,
}

/// <param name="Hostname">Lower case, exact or "*.example.com"; null matches every host.</param>
/// <param name="Certificates">Secrets of type kubernetes.io/tls; HTTPS only, never empty there.</param>
/// <param name="RouteNamespaces">Which namespaces' routes may attach; the default is the Gateway's own.</param>
public sealed record GatewayListener(
    string Name, ListenerProtocol Protocol, ushort Port, string? Hostname, ImmutableArray<ObjectName> Certificates, NamespaceMatch RouteNamespaces);

/// <summary>A kubernetes.io/tls Secret, checked: the chain parses, is in date, and the key fits its first certificate.</summary>
/// <param name="Fingerprint">SHA-256 of chain and key, hex; what may be shown and compared.</param>
public sealed record Certificate(ObjectName Name, SensitiveBytes ChainPem, SensitiveBytes KeyPem, string Fingerprint, DateTimeOffset NotAfter)
{
    /// <summary>Where the Secret stood when it was read; null when it came from no file.</summary>
    public SourceLocation? Location { get; init; }
}

/// <summary>Bytes that never reach a log or a dump: text forms show only the length.</summary>
public sealed class SensitiveBytes(byte[] bytes)
{
    public ReadOnlySpan<byte> Reveal() => bytes;

    public override string ToString() => $"({bytes.Length} bytes, not shown)";
}
