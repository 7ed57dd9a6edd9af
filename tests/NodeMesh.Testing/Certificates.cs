namespace NodeMesh.Testing;

/// <summary>Makes throw-away certificates with openssl in a directory, and the Secrets that hold them.</summary>
public sealed class Certificates(string directory)
{
    /// <summary>A certificate for <paramref name="host"/> that signs itself.</summary>
    /// <param name="serial">Decimal serial number.</param>
    /// <returns>The file that a client has to trust.</returns>
    public string Make(string name, string host, string serial = "1")
    {
        var crt = Path.Combine(directory, $"{name}.crt");
        Shell.Script($"""
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -set_serial {serial} \
              -keyout {directory}/{name}.key -out {crt} -subj '/CN={host}' -addext 'subjectAltName=DNS:{host}' 2>&1
            """).MustSucceed("openssl req");
        return crt;
    }

    /// <summary>The Secret <paramref name="secret"/> that holds the certificate <paramref name="name"/> and its key, or the key of another one.</summary>
    public string Secret(string secret, string name, string? keyOf = null, string ns = "default") => $$"""
        apiVersion: v1
        kind: Secret
        metadata: { name: {{secret}}, namespace: {{ns}} }
        type: kubernetes.io/tls
        data:
          tls.crt: {{Convert.ToBase64String(File.ReadAllBytes(Path.Combine(directory, $"{name}.crt")))}}
          tls.key: {{Convert.ToBase64String(File.ReadAllBytes(Path.Combine(directory, $"{keyOf ?? name}.key")))}}
        """;
}
