using System.Collections.Immutable;
using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using k8s;
using k8s.Authentication;

namespace NodeMesh.Sources.Kubernetes;

/// <summary>Where the API server is asked, what it has to prove, and who we are to it.</summary>
/// <param name="Client">As a kubeconfig or a service account says.</param>
public sealed record ApiServerAccess(KubernetesClientConfiguration Client)
{
    private const string Token = "token";
    private const string Authorities = "ca.crt";

    /// <summary>URLs that are asked in place of the client's host, each of which has to prove its own name; empty: that host is.</summary>
    public ImmutableArray<string> Servers { get; init; } = [];

    /// <summary>Reads the authorities that count, where they are renewed; null: those of the client.</summary>
    internal RenewedFile<X509Certificate2Collection>? RenewedAuthorities { get; init; }

    /// <summary>By what the kubelet mounts of a service account, and renews.</summary>
    /// <param name="directory">Where it mounts that.</param>
    public static ApiServerAccess OfServiceAccount(KubernetesClientConfiguration client, string directory)
    {
        client.TokenProvider = new TokenFile(Path.Combine(directory, Token));
        return new ApiServerAccess(client) { RenewedAuthorities = new(Path.Combine(directory, Authorities), Pem) };
    }

    private static X509Certificate2Collection Pem(byte[] text)
    {
        var certificates = new X509Certificate2Collection();
        certificates.ImportFromPem(Encoding.ASCII.GetString(text));
        return certificates.Count > 0 ? certificates : throw new FormatException("there is no certificate in it");
    }

    private sealed class TokenFile(string path) : ITokenProvider
    {
        private readonly RenewedFile<AuthenticationHeaderValue> _file = new(path, Read);

        public Task<AuthenticationHeaderValue> GetAuthenticationHeaderAsync(CancellationToken cancellationToken) => Task.FromResult(_file.Current);

        private static AuthenticationHeaderValue Read(byte[] text) =>
            Encoding.ASCII.GetString(text).Trim() is { Length: > 0 } token ? new AuthenticationHeaderValue("Bearer", token) : throw new FormatException("it is empty");
    }
}
