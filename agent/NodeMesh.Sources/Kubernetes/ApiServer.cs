using System.Net;
using System.Net.Http.Headers;
using System.Text;
using k8s;
using k8s.Authentication;

namespace NodeMesh.Sources.Kubernetes;

/// <summary>The API server answered, but not with what was asked for.</summary>
/// <param name="retryAfter">When it asked for patience: for how long.</param>
internal sealed class ApiServerException(HttpStatusCode status, string message, TimeSpan? retryAfter = null) : Exception(message)
{
    public HttpStatusCode Status => status;

    public TimeSpan? RetryAfter => retryAfter;

    /// <summary>What was asked to go on from is forgotten; only a new list helps.</summary>
    public bool IsExpired => status is HttpStatusCode.Gone;

    public bool IsMissing => status is HttpStatusCode.NotFound;

    public bool IsConflict => status is HttpStatusCode.Conflict;
}

/// <summary>
/// The API server by its wire. Where it is, who we are and how that is renewed is the client library's matter; its objects are read by our own readers, as those
/// of files are, so that both sources mean the same and nothing is kept that nobody reads.
/// </summary>
internal sealed class ApiServer : IDisposable
{
    private const int MaxMessage = 1024;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly HttpClient _client;
    private readonly Uri _address;
    private readonly ServiceClientCredentials? _credentials;

    /// <inheritdoc cref="ApiServerHttp.Client"/>
    public ApiServer(KubernetesClientConfiguration configuration)
    {
        _address = new Uri(configuration.Host);
        _credentials = k8s.Kubernetes.CreateCredentials(configuration);
        _client = ApiServerHttp.Client(configuration);
    }

    public string Address => _address.GetLeftPart(UriPartial.Authority);

    /// <param name="path">With its query.</param>
    /// <param name="accept">In which form the answer is wanted.</param>
    /// <param name="patience">How long its head may take; null: as long as any other.</param>
    /// <returns>The answer once its head is here; to be disposed of.</returns>
    /// <exception cref="ApiServerException">Any status but 2xx.</exception>
    /// <exception cref="HttpRequestException">No answer.</exception>
    /// <exception cref="TimeoutException">No answer in time.</exception>
    public Task<HttpResponseMessage> GetAsync(string path, CancellationToken stop, string accept = "application/json", TimeSpan? patience = null) =>
        AskAsync(new HttpRequestMessage(HttpMethod.Get, At(path)), path, accept, patience ?? s_patience, stop);

    /// <param name="type">"application/merge-patch+json", or "application/json" for a whole object.</param>
    /// <returns>What the server made of it.</returns>
    /// <exception cref="ApiServerException">Any status but 2xx.</exception>
    /// <exception cref="HttpRequestException">No answer.</exception>
    /// <exception cref="TimeoutException">No answer in time.</exception>
    public async Task<byte[]> SendAsync(HttpMethod method, string path, byte[] body, string type, CancellationToken stop)
    {
        var request = new HttpRequestMessage(method, At(path)) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(type);
        using var response = await AskAsync(request, path, "application/json", s_patience, stop).ConfigureAwait(false);
        return await BodyAsync(response, stop).ConfigureAwait(false);
    }

    /// <exception cref="TimeoutException">Not all of it came in time.</exception>
    public static Task<byte[]> BodyAsync(HttpResponseMessage response, CancellationToken stop) =>
        InTimeAsync(patience => response.Content.ReadAsByteArrayAsync(patience), "the rest of an answer", s_patience, stop);

    public void Dispose() => _client.Dispose();

    // A server behind a path of a load balancer has that path before every one of its own.
    private Uri At(string path) => new(_address.AbsoluteUri.TrimEnd('/') + path);

    private async Task<HttpResponseMessage> AskAsync(HttpRequestMessage request, string path, string accept, TimeSpan limit, CancellationToken stop)
    {
        using (request)
        {
            request.Version = HttpVersion.Version20;
            request.VersionPolicy = HttpVersionPolicy.RequestVersionOrLower;
            request.Headers.TryAddWithoutValidation("Accept", accept);
            if (_credentials is { } credentials)
                await credentials.ProcessHttpRequestAsync(request, stop).ConfigureAwait(false);
            var response = await InTimeAsync(patience => _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience), "an answer", limit, stop).ConfigureAwait(false);
            if (response.IsSuccessStatusCode)
                return response;
            using (response)
                throw new ApiServerException(response.StatusCode, await MessageAsync(request.Method, path, response, stop).ConfigureAwait(false), response.Headers.RetryAfter?.Delta);
        }
    }

    /// <summary>A server whose packets are lost says nothing at all, for as long as TCP has patience: a quarter of an hour.</summary>
    private static async Task<T> InTimeAsync<T>(Func<CancellationToken, Task<T>> ask, string what, TimeSpan limit, CancellationToken stop)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stop);
        patience.CancelAfter(limit);
        try
        {
            return await ask(patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw new TimeoutException($"{what} did not come within {limit.TotalSeconds:0} s");
        }
    }

    private static async Task<string> MessageAsync(HttpMethod method, string path, HttpResponseMessage response, CancellationToken stop)
    {
        var text = Encoding.UTF8.GetString(await BodyAsync(response, stop).ConfigureAwait(false));
        var why = JsonObjects.StatusMessage(text) ?? (text.Length > MaxMessage ? text[..MaxMessage] : text);
        return $"{method} {path}: {(int)response.StatusCode} {response.ReasonPhrase}: {why}";
    }
}
