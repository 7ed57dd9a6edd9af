using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>kubernetes.io/tls Secrets. No message carries any of their content.</summary>
internal static class SecretTranslator
{
    private const string TlsType = "kubernetes.io/tls";
    private const string ChainKey = "tls.crt";
    private const string KeyKey = "tls.key";

    /// <param name="now">The certificate must be in date at this moment.</param>
    public static SecretDraft Translate(ApiObject obj, Fields root, DateTimeOffset now)
    {
        Metadata.Read(root, obj);
        root.Ignore("immutable", "data", "stringData");
        if (root.Text("type") != TlsType)
            return new SecretDraft(null);

        var data = root.Map("data");
        var plain = root.Map("stringData");
        var chain = Bytes(root, data, plain, ChainKey);
        var key = Bytes(root, data, plain, KeyKey);
        if (chain is null || key is null)
            return new SecretDraft(null);
        return new SecretDraft(Check(obj, root, chain, key, now));
    }

    private static byte[]? Bytes(Fields root, Fields? data, Fields? plain, string name)
    {
        if (plain?.Get(name) is { } text)
            return text.Text() is { } s ? Encoding.UTF8.GetBytes(s) : null;
        if (data?.Get(name) is not { } encoded)
        {
            root.Error("missing-field", $"a Secret of type {TlsType} needs '{name}' in data (base64) or stringData");
            return null;
        }
        if (encoded.Text() is not { } base64)
            return null;
        try
        {
            return Convert.FromBase64String(base64);
        }
        catch (FormatException)
        {
            encoded.Error("bad-base64", $"'{name}' is not base64; encode it, or put the PEM text under stringData");
            return null;
        }
    }

    private static Certificate? Check(ApiObject obj, Fields root, byte[] chain, byte[] key, DateTimeOffset now)
    {
        var pem = Encoding.UTF8.GetString(chain);
        using var first = Load(root, pem);
        if (first is null)
            return null;

        var (from, to) = (new DateTimeOffset(first.NotBefore.ToUniversalTime()), new DateTimeOffset(first.NotAfter.ToUniversalTime()));
        if (now < from)
            root.Report.Error("certificate-not-yet-valid", $"data[{ChainKey}]", root.At, $"the certificate is valid from {from:u} only; check the clock or renew it");
        if (now > to)
            root.Report.Error("certificate-expired", $"data[{ChainKey}]", root.At, $"the certificate expired at {to:u}; renew it");
        if (!KeyFits(root, first, Encoding.UTF8.GetString(key)))
            return null;

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(chain);
        hash.AppendData(key);
        var fingerprint = Convert.ToHexStringLower(hash.GetHashAndReset());
        return new Certificate(obj.Name, new SensitiveBytes(chain), new SensitiveBytes(key), fingerprint, to) { Location = obj.Location };
    }

    private static X509Certificate2? Load(Fields root, string pem)
    {
        var all = new X509Certificate2Collection();
        try
        {
            all.ImportFromPem(pem);
        }
        catch (CryptographicException)
        {
            root.Report.Error("bad-certificate", $"data[{ChainKey}]", root.At, $"'{ChainKey}' has a certificate that does not parse; give the chain as PEM, the server's certificate first");
            return null;
        }
        if (all.Count == 0)
        {
            root.Report.Error("bad-certificate", $"data[{ChainKey}]", root.At, $"'{ChainKey}' has no PEM certificate");
            return null;
        }
        foreach (var other in all.Skip(1))
            other.Dispose();
        return all[0];
    }

    private static bool KeyFits(Fields root, X509Certificate2 certificate, string keyPem)
    {
        AsymmetricAlgorithm? key = certificate.PublicKey.Oid.Value switch
        {
            "1.2.840.113549.1.1.1" => RSA.Create(),
            "1.2.840.10045.2.1" => ECDsa.Create(),
            _ => null,
        };
        if (key is null)
        {
            root.Report.Error("bad-certificate", $"data[{ChainKey}]", root.At, "the certificate's key is neither RSA nor ECDSA");
            return false;
        }
        using (key)
        {
            try
            {
                key.ImportFromPem(keyPem);
            }
            catch (Exception e) when (e is CryptographicException or ArgumentException)
            {
                root.Report.Error("bad-key", $"data[{KeyKey}]", root.At,
                    $"'{KeyKey}' is no unencrypted PEM private key of the certificate's kind; the key itself is never shown");
                return false;
            }
            if (IsPrivate(key) && key.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(certificate.PublicKey.ExportSubjectPublicKeyInfo()))
                return true;
            root.Report.Error("key-mismatch", $"data[{KeyKey}]", root.At, $"'{KeyKey}' is not the private key of the first certificate in '{ChainKey}'");
            return false;
        }
    }

    /// <summary>ImportFromPem takes a public key as well, which serves nobody here.</summary>
    private static bool IsPrivate(AsymmetricAlgorithm key)
    {
        try
        {
            CryptographicOperations.ZeroMemory(key.ExportPkcs8PrivateKey());
            return true;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }
}
