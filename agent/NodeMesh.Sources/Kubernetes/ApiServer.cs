using System.Net;
using System.Net.Http.Headers;
using System.Text;
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

    private readonly ApiServerAccess _access;
    private readonly ServiceClientCredentials? _credentials;
    private readonly ApiServerPlace[] _given;
    private volatile ApiServerPlace[] _places;

    /// <inheritdoc cref="ApiServerHttp.Client"/>
    public ApiServer(ApiServerAccess access)
    {
        _access = access;
        _credentials = k8s.Kubernetes.CreateCredentials(access.Client);
        _given = [.. access.Servers.DefaultIfEmpty(access.Client.Host).Select(server => new ApiServerPlace(access, new Uri(server)))];
        _places = _given;
        foreach (var place in _given)
            _ = place.Client; // what cannot be used is told now
    }

    /// <summary>Where the server is asked first, wherever it is asked now.</summary>
    public string Address => _given[0].Name;

    /// <summary>Where it is asked now.</summary>
    public string Current => (_places.FirstOrDefault(p => !p.IsAway) ?? _given[0]).Name;

    /// <summary>
    /// Its own word of where it is, for when it does not answer where it was said to be. It has to prove the name of the client's host there; where it proves nothing,
    /// such addresses are not used: whoever may write them would be told who we are.
    /// </summary>
    public void Heard(IReadOnlyList<IPEndPoint> addresses)
    {
        var host = new Uri(_access.Client.Host);
        if (host.Scheme != Uri.UriSchemeHttps || _access.Client.SkipTlsVerify)
            return;

        // What is asked at addresses that are no more goes on to its end.
        var before = _places;
        _places = [.. _given, .. addresses.Select(a => Array.Find(before, p => a.Equals(p.At)) ?? new ApiServerPlace(_access, host, a))];
    }

    /// <param name="path">With its query.</param>
    /// <param name="accept">In which form the answer is wanted.</param>
    /// <param name="patience">How long its head may take; null: as long as any other.</param>
    /// <returns>The answer once its head is here; to be disposed of.</returns>
    /// <exception cref="ApiServerException">Any status but 2xx.</exception>
    /// <exception cref="HttpRequestException">No answer.</exception>
    /// <exception cref="TimeoutException">No answer in time.</exception>
    public Task<HttpResponseMessage> GetAsync(string path, CancellationToken stop, string accept = "application/json", TimeSpan? patience = null) =>
        AskAsync(HttpMethod.Get, path, () => null, accept, patience ?? s_patience, stop);

    /// <param name="type">"application/merge-patch+json", or "application/json" for a whole object.</param>
    /// <returns>What the server made of it.</returns>
    /// <exception cref="ApiServerException">Any status but 2xx.</exception>
    /// <exception cref="HttpRequestException">No answer.</exception>
    /// <exception cref="TimeoutException">No answer in time.</exception>
    public async Task<byte[]> SendAsync(HttpMethod method, string path, byte[] body, string type, CancellationToken stop)
    {
        using var response = await AskAsync(method, path, Content, "application/json", s_patience, stop).ConfigureAwait(false);
        return await BodyAsync(response, stop).ConfigureAwait(false);

        ByteArrayContent Content() => new(body) { Headers = { ContentType = new MediaTypeHeaderValue(type) } };
    }

    /// <exception cref="TimeoutException">Not all of it came in time.</exception>
    public static Task<byte[]> BodyAsync(HttpResponseMessage response, CancellationToken stop) =>
        InTimeAsync(patience => response.Content.ReadAsByteArrayAsync(patience), "the rest of an answer", s_patience, stop);

    public void Dispose()
    {
        foreach (var place in _places)
            place.Dispose();
    }

    /// <summary>Asks at the first place that is not known to be away. Where nothing could be said, the next is asked at once; otherwise by the next question.</summary>
    private async Task<HttpResponseMessage> AskAsync(HttpMethod method, string path, Func<HttpContent?> content, string accept, TimeSpan limit, CancellationToken stop)
    {
        var places = _places;
        if (Array.TrueForAll(places, p => p.IsAway))
            Array.ForEach(places, p => p.IsAway = false);
        var troubles = new List<string>();
        foreach (var place in places.Where(p => !p.IsAway))
        {
            try
            {
                var response = await AskAsync(place, method, path, content(), accept, limit, stop).ConfigureAwait(false);
                place.IsAway = response.StatusCode == HttpStatusCode.ServiceUnavailable;
                if (response.IsSuccessStatusCode)
                    return response;
                using (response)
                    throw new ApiServerException(response.StatusCode, await MessageAsync(method, path, response, stop).ConfigureAwait(false), response.Headers.RetryAfter?.Delta);
            }
            catch (HttpRequestException e) when (e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError)
            {
                place.IsAway = true;
                troubles.Add(places.Length == 1 ? e.Message : $"{place.Name}: {e.Message}");
            }
            catch (Exception e) when (e is HttpRequestException or TimeoutException)
            {
                place.IsAway = true;
                throw;
            }
        }

        throw new HttpRequestException(HttpRequestError.ConnectionError, string.Join("; ", troubles));
    }

    private async Task<HttpResponseMessage> AskAsync(ApiServerPlace place, HttpMethod method, string path, HttpContent? content, string accept, TimeSpan limit, CancellationToken stop)
    {
        using var request = new HttpRequestMessage(method, place.Of(path)) { Content = content, Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionOrLower };
        request.Headers.TryAddWithoutValidation("Accept", accept);
        if (_credentials is { } credentials)
            await credentials.ProcessHttpRequestAsync(request, stop).ConfigureAwait(false);
        return await InTimeAsync(patience => place.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience), "an answer", limit, stop).ConfigureAwait(false);
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
        catch (OperationCanceledException e) when (e.InnerException is TimeoutException && !patience.IsCancellationRequested)
        {
            throw new HttpRequestException(HttpRequestError.ConnectionError, e.InnerException.Message, e);
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
