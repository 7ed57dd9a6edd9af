using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace NodeMesh.Sources.Kubernetes;

/// <summary>One address at which the API server is asked, and the connections to it.</summary>
/// <param name="url">Says which name is to be proved.</param>
/// <param name="at">Where it is reached in place of what that name leads to.</param>
internal sealed class ApiServerPlace(ApiServerAccess access, Uri url, IPEndPoint? at = null) : IDisposable
{
    private readonly Lock _lock = new();
    private X509Certificate2Collection? _trusted = access.RenewedAuthorities?.Current;
    private HttpClient? _client;
    private volatile bool _isAway;

    /// <summary>It did not answer when it was asked last.</summary>
    public bool IsAway
    {
        get => _isAway;
        set => _isAway = value;
    }

    public IPEndPoint? At => at;

    /// <summary>For people: "https://10.0.0.1:6443".</summary>
    public string Name => at is null ? url.GetLeftPart(UriPartial.Authority) : $"{url.Scheme}://{at}";

    /// <summary>Other connections once other authorities count; those that there are go on to their end.</summary>
    public HttpClient Client
    {
        get
        {
            lock (_lock)
            {
                var trusted = access.RenewedAuthorities?.Current;
                if (_client is null || !ReferenceEquals(trusted, _trusted))
                    _client = ApiServerHttp.Client(access.Client, trusted ?? access.Client.SslCaCerts, at);
                _trusted = trusted;
                return _client;
            }
        }
    }

    /// <summary>A server behind a path of a load balancer has that path before every one of its own.</summary>
    public Uri Of(string path) => new(url.AbsoluteUri.TrimEnd('/') + path);

    public void Dispose()
    {
        lock (_lock)
            _client?.Dispose();
    }
}
