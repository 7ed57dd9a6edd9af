using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace NodeMesh.Proxy.Tls;

/// <summary>The DNS names a certificate is good for (RFC 9525: subjectAltName only).</summary>
internal static class CertificateNames
{
    /// <exception cref="CryptographicException">Not a PEM certificate.</exception>
    public static string[] Of(ReadOnlySpan<byte> chainPem)
    {
        using var certificate = X509Certificate2.CreateFromPem(System.Text.Encoding.ASCII.GetString(chainPem));
        return [.. certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().SelectMany(e => e.EnumerateDnsNames()).Select(n => n.ToLowerInvariant())];
    }
}
