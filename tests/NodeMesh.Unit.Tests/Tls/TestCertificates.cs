using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using NodeMesh.Model;

namespace NodeMesh.Unit.Tests.Tls;

/// <summary>Self-signed certificates of the shape a checked Secret has.</summary>
internal static class TestCertificates
{
    public static Certificate Make(string name, params string[] dnsNames)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        foreach (var dns in dnsNames)
            names.AddDnsName(dns);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return From(name, certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    public static Certificate From(string name, string chain, string key)
    {
        var fingerprint = Convert.ToHexString(SHA256.HashData(Encoding.ASCII.GetBytes(chain + key)));
        return new Certificate(
            new ObjectName("edge", name),
            new SensitiveBytes(Encoding.ASCII.GetBytes(chain)),
            new SensitiveBytes(Encoding.ASCII.GetBytes(key)),
            fingerprint,
            DateTimeOffset.UtcNow.AddDays(1));
    }
}
