using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using k8s;

namespace NodeMesh.Sources.Kubernetes;

/// <summary>
/// The connection that a client configuration describes. The library's own client would do it, too, but brings the calls and models of the whole API along: 17 MB of the
/// binary, of which none is used.
/// </summary>
internal static class ApiServerHttp
{
    // A server whose packets are lost is noticed by this, long before TCP gives up.
    private static readonly TimeSpan s_ping = TimeSpan.FromSeconds(30);

    // Of the time that an answer may take, some is left for another address.
    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(10);

    /// <param name="authorities">Who may vouch for the server; null: whom this machine trusts.</param>
    /// <param name="at">Where the server is reached in place of what its name leads to; it has to prove that name all the same.</param>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A client certificate that cannot be read.</exception>
    /// <exception cref="IOException">Likewise, its file.</exception>
    public static HttpClient Client(KubernetesClientConfiguration configuration, X509Certificate2Collection? authorities, IPEndPoint? at = null)
    {
        var handler = new SocketsHttpHandler
        {
            EnableMultipleHttp2Connections = true,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            KeepAlivePingDelay = s_ping,
            KeepAlivePingTimeout = s_ping,
            ConnectTimeout = s_connect,
        };
        if (configuration.SkipTlsVerify)
            handler.SslOptions.RemoteCertificateValidationCallback = (_, _, _, _) => true;
        else if (authorities is not null)
            handler.SslOptions.CertificateChainPolicy = Trusting(authorities);
        if (ClientCertificate(configuration) is { } own)
            handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => own;
        if (at is not null)
            (handler.UseProxy, handler.ConnectCallback) = (false, (_, stop) => ConnectAsync(at, stop));
        configuration.FirstMessageHandlerSetup?.Invoke(handler);

        // A watch is one long answer; each request has a limit of its own.
        var client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };

        // The name that the server has to prove is the one that it is asked for.
        if (!string.IsNullOrEmpty(configuration.TlsServerName))
            client.DefaultRequestHeaders.Host = configuration.TlsServerName;
        return client;
    }

    private static async ValueTask<Stream> ConnectAsync(IPEndPoint at, CancellationToken stop)
    {
        var socket = new Socket(at.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(at, stop).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Those alone. The library's own check would take a certificate of theirs for any server's, whatever name it bears.</summary>
    private static X509ChainPolicy Trusting(X509Certificate2Collection authorities)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(authorities);
        policy.ExtraStore.AddRange(authorities);
        return policy;
    }

    private static X509Certificate2? ClientCertificate(KubernetesClientConfiguration configuration)
    {
        var certificate = Pem(configuration.ClientCertificateData, configuration.ClientCertificateFilePath);
        var key = Pem(configuration.ClientCertificateKeyData, configuration.ClientKeyFilePath);
        return certificate is null || key is null ? null : X509Certificate2.CreateFromPem(certificate, key);
    }

    /// <param name="data">PEM in base64, as a kubeconfig has it.</param>
    private static string? Pem(string? data, string? file)
    {
        if (!string.IsNullOrWhiteSpace(data))
            return Encoding.UTF8.GetString(Convert.FromBase64String(data));
        return string.IsNullOrWhiteSpace(file) ? null : File.ReadAllText(file);
    }
}
