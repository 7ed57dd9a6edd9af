using System.Net;
using System.Text.Json;
using System.Threading.Channels;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Kubernetes.Cache;

namespace NodeMesh.Sources.Kubernetes;

/// <summary>What an informer is doing, for status and metrics.</summary>
/// <param name="Trouble">Why it does not follow its resource at the moment; empty: it does, or the kind is not installed.</param>
/// <param name="Since">When that began.</param>
/// <param name="Stale">How many of the objects are as they were before the agent began, and were not heard since.</param>
/// <param name="Lists">How often everything was asked for, as pages or as a stream; the others likewise since the agent's start.</param>
public sealed record ResourceState(string Resource, int Objects, int Stale, bool IsSynced, string Trouble, DateTimeOffset Since, long Lists, long Watches, long Events, long Errors);

/// <param name="map">Without what nobody reads; null: the object is gone.</param>
/// <param name="json">As the server said it; empty when it is gone, or is not heard but recalled.</param>
internal delegate void ObjectSeen(string origin, ApiMap? map, ReadOnlySpan<byte> json);

/// <summary>
/// Follows one resource: a list, then a watch from where the list was, for ever. While the server is away, what was heard last stays said. A new list replaces
/// what was said before in one go: what is new comes first, and only then what is gone goes, so that nothing is missing in between. When the server is away at the
/// start, what the cache kept is said instead, once, as if it had been heard before.
/// </summary>
/// <param name="cache">Null: nothing is kept.</param>
internal sealed class Informer(ApiServer server, Resource resource, string ns, string name, ChannelWriter<SourceEvent> events, ObjectCache? cache, TimeProvider time)
{
    private const int PageSize = 500;
    private const int MostChanges = 256;
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(150);
    private static readonly TimeSpan s_firstWait = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_lazyWait = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_eagerWait = TimeSpan.FromSeconds(1);
    private const int MostEager = 15;

    // Whoever has something else to go by does not wait for long at the start.
    private static readonly TimeSpan s_shortPatience = TimeSpan.FromSeconds(3);

    private readonly HashSet<string> _said = new(StringComparer.Ordinal);
    private readonly HashSet<string> _stale = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _heard = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim _wake = new(0, 1);
    private ResourceState _state = new(resource.Plural, 0, 0, false, "it was not heard yet", time.GetUtcNow(), 0, 0, 0, 0);
    private string _version = resource.Kind.Versions[0];
    private string _at = "";
    private int _eager;
    private bool _canStream = true;

    /// <summary>Done when everything that there was has been said; for a kind that is not installed, at once.</summary>
    public Task Synced => _synced.Task;

    /// <summary>Done when it is synced, or when what was kept has been said in its place.</summary>
    public Task Heard => _heard.Task;

    public ResourceState State => Volatile.Read(ref _state);

    /// <summary>With each object, before it is said.</summary>
    public ObjectSeen? Seen { get; init; }

    /// <summary>Try now: the kind may have been installed.</summary>
    public void Wake()
    {
        if (_wake.CurrentCount == 0)
            _wake.Release();
    }

    /// <summary>Runs until it is cancelled; whatever the server does is a state, never the end.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task RunAsync(CancellationToken stop)
    {
        var backoff = new Backoff(s_firstWait, s_longestWait);
        while (true)
        {
            TimeSpan? asked = null;
            try
            {
                if (_at.Length == 0 && !_canStream)
                    await ListAsync(stop).ConfigureAwait(false);
                var began = time.GetTimestamp();
                await WatchAsync(backoff, stop).ConfigureAwait(false);

                // A server that ends each watch at once is not asked in a circle.
                if ((_at.Length == 0 && !_canStream) || time.GetElapsedTime(began) > s_firstWait)
                    continue;
            }
            catch (ApiServerException e) when (e.IsExpired && _at.Length > 0)
            {
                _at = "";
                continue;
            }
            catch (ApiServerException e) when (e.IsMissing && !resource.IsBuiltIn)
            {
                await MissingAsync(stop).ConfigureAwait(false);
                continue;
            }
            catch (ApiServerException e)
            {
                asked = e.RetryAfter;
                Troubled(e.Message);
            }
            catch (Exception e) when (e is HttpRequestException or IOException or JsonException or TimeoutException || (e is OperationCanceledException && !stop.IsCancellationRequested))
            {
                Troubled(e.Message);
            }

            if (!_heard.Task.IsCompleted)
                await RecallAsync(stop).ConfigureAwait(false);
            await Task.Delay(backoff.Next(asked), time, stop).ConfigureAwait(false);
        }
    }

    private string Path(string query)
    {
        var path = ns.Length == 0 ? resource.Path(_version) : resource.Path(_version, ns);
        return name.Length == 0 ? $"{path}?{query}" : $"{path}?fieldSelector=metadata.name%3D{name}&{query}";
    }

    private TimeSpan? Patience => !_heard.Task.IsCompleted && cache is { IsUsable: true } ? s_shortPatience : null;

    private string ApiVersion => resource.Kind.Group.Length == 0 ? _version : $"{resource.Kind.Group}/{_version}";

    /// <summary>Everything anew, in pages.</summary>
    private async Task ListAsync(CancellationToken stop)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var next = "";
        ListPage page;
        Count(_state with { Lists = _state.Lists + 1 });
        do
        {
            try
            {
                page = await PageAsync($"limit={PageSize}{(next.Length == 0 ? "" : $"&continue={Uri.EscapeDataString(next)}")}", stop).ConfigureAwait(false);
            }
            catch (ApiServerException e) when (e.IsExpired && next.Length > 0)
            {
                // The list took so long that its place is forgotten: all at once, then.
                page = await PageAsync("resourceVersion=0", stop).ConfigureAwait(false);
            }

            var changes = new List<OriginChange>();
            foreach (var item in page.Items)
            {
                changes.Add(Said(JsonObjects.Read(resource.Kind.Kind, ApiVersion, item.Span, out _), item.Span));
                seen.Add(changes[^1].Origin);
            }

            await SayAsync(changes, stop).ConfigureAwait(false);
            next = page.Continue;
        }
        while (next.Length > 0);
        _at = page.ResourceVersion;
        await FilledAsync(seen, stop).ConfigureAwait(false);
    }

    /// <summary>All that there is has been said; what is not there any more goes now.</summary>
    private async Task FilledAsync(HashSet<string> seen, CancellationToken stop)
    {
        OriginChange[] gone = [.. _said.Where(o => !seen.Contains(o)).ToList().Select(Gone)];
        cache?.Put(gone);
        Complete();
        await events.WriteAsync(new SourceEvent(resource.Plural, [.. gone], isSynced: false, Mark), stop).ConfigureAwait(false);
        Synchronised();
        Follows();
    }

    /// <summary>What was kept of these objects is said; what was heard already stays as it was heard.</summary>
    private async Task RecallAsync(CancellationToken stop)
    {
        if (cache?.Kept(resource.Kind) is not { } kept)
            return;
        var changes = new List<OriginChange>();
        foreach (var (origin, map) in kept)
        {
            if ((name.Length > 0 && origin != new ObjectRef(resource.Kind.Kind, new ObjectName(ns, name)).ToString()) || !_said.Add(origin))
                continue;
            _stale.Add(origin);
            Seen?.Invoke(origin, map, []);
            changes.Add(new OriginChange(origin, ObjectIdentifier.Run(SourceLocation.Nowhere, [map]), null));
        }

        foreach (var some in changes.Chunk(MostChanges))
            await events.WriteAsync(new SourceEvent(resource.Plural, [.. some], isSynced: false), stop).ConfigureAwait(false);
        Count(_state);
        _heard.TrySetResult();
    }

    private void Synchronised()
    {
        _synced.TrySetResult();
        _heard.TrySetResult();
    }

    // A Secret is one of many that are followed, and says nothing of the kind.
    private void Complete()
    {
        if (name.Length == 0)
            cache?.Complete(resource.Kind);
    }

    private async Task<ListPage> PageAsync(string query, CancellationToken stop)
    {
        using var response = await server.GetAsync(Path(query), stop, patience: Patience).ConfigureAwait(false);
        return ListPage.Read(await ApiServer.BodyAsync(response, stop).ConfigureAwait(false));
    }

    /// <summary>
    /// Until the server ends the watch, as it does every few minutes. With nothing to go on from, it begins with everything that there is, as a stream, where the
    /// server can (Kubernetes 1.32 and later).
    /// </summary>
    private async Task WatchAsync(Backoff backoff, CancellationToken stop)
    {
        // Not all nodes at the same second.
        var query = $"watch=true&allowWatchBookmarks=true&timeoutSeconds={Random.Shared.Next(300, 600)}";
        var filling = _at.Length == 0 ? new HashSet<string>(StringComparer.Ordinal) : null;
        query += filling is null ? $"&resourceVersion={_at}" : "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
        Count(_state with { Lists = _state.Lists + (filling is null ? 0 : 1), Watches = _state.Watches + 1 });
        try
        {
            using var response = await server.GetAsync(Path(query), stop, patience: Patience).ConfigureAwait(false);
            var stream = await response.Content.ReadAsStreamAsync(stop).ConfigureAwait(false);
            backoff.Reset();
            if (filling is null)
                Follows();
            var changes = new List<OriginChange>();
            await foreach (var e in WatchStream.ReadAsync(stream, s_silence, time, stop).ConfigureAwait(false))
            {
                if (Change(e) is { } change)
                {
                    Count(_state with { Events = _state.Events + 1 });
                    changes.Add(change);
                    if (change.IsGone)
                        filling?.Remove(change.Origin);
                    else
                        filling?.Add(change.Origin);
                }

                var isFilled = filling is not null && e.Type == WatchEventType.Bookmark && IsEndOfInitial(e.Object);
                if (filling is null || isFilled || changes.Count >= MostChanges)
                    await SayAsync(changes, stop, filling is null ? Mark : 0).ConfigureAwait(false);
                if (isFilled)
                    await FilledAsync(filling!, stop).ConfigureAwait(false);
                filling = isFilled ? null : filling;
            }
        }
        catch (ApiServerException e) when (filling is not null && e.Status is (HttpStatusCode.BadRequest or HttpStatusCode.UnprocessableEntity or HttpStatusCode.MethodNotAllowed))
        {
            _canStream = false;
        }
        finally
        {
            // A place in the middle of everything is none.
            if (filling is not null)
                _at = "";
        }
    }

    /// <returns>Null for a bookmark.</returns>
    /// <exception cref="ApiServerException">The server says that it cannot go on.</exception>
    private OriginChange? Change(WatchEvent e)
    {
        if (e.Type == WatchEventType.Error)
            throw Failure(e.Object);
        var map = JsonObjects.Read(resource.Kind.Kind, ApiVersion, e.Object, out var version);
        if (version.Length > 0)
            _at = version;
        if (e.Type == WatchEventType.Bookmark)
            return null;
        return e.Type == WatchEventType.Deleted ? Gone(OriginOf(map)) : Said(map, e.Object);
    }

    private OriginChange Said(ApiMap map, ReadOnlySpan<byte> json)
    {
        var origin = OriginOf(map);
        _said.Add(origin);
        _stale.Remove(origin);
        Seen?.Invoke(origin, map, json);
        return new OriginChange(origin, ObjectIdentifier.Run(SourceLocation.Nowhere, [map]), null);
    }

    private OriginChange Gone(string origin)
    {
        _said.Remove(origin);
        _stale.Remove(origin);
        Seen?.Invoke(origin, null, []);
        return new OriginChange(origin, null, null);
    }

    /// <summary>Up to where everything has been said, once what is about to be said is.</summary>
    private ulong Mark => ulong.TryParse(_at, out var mark) ? mark : 0;

    private async Task SayAsync(List<OriginChange> changes, CancellationToken stop, ulong mark = 0)
    {
        if (changes.Count == 0)
            return;
        cache?.Put(changes);
        await events.WriteAsync(new SourceEvent(resource.Plural, [.. changes], isSynced: false, mark), stop).ConfigureAwait(false);
        changes.Clear();
    }

    /// <summary>The kind is not installed, or not in this version any more: what it held is gone, and it is tried again when it may have come.</summary>
    private async Task MissingAsync(CancellationToken stop)
    {
        var versions = resource.Kind.Versions;
        var next = (Array.IndexOf(versions, _version) + 1) % versions.Length;
        _version = versions[next];
        if (next != 0)
            return;
        await SayAsync([.. _said.Select(Gone).ToList()], stop).ConfigureAwait(false);
        _at = "";
        Complete();
        Synchronised();
        Set(true, "");

        // A definition that has just come is served a moment later, and by some servers later than by others.
        var wait = _eager > 0 ? s_eagerWait : s_lazyWait;
        _eager = await _wake.WaitAsync(wait, stop).ConfigureAwait(false) ? MostEager : Math.Max(0, _eager - 1);
    }

    private string OriginOf(ApiMap map)
    {
        if (map["metadata"] is not ApiMap metadata || (metadata["name"] as ApiScalar)?.Text is not { } own)
            throw new JsonException("an object without a name");
        var its = (metadata["namespace"] as ApiScalar)?.Text;
        return new ObjectRef(resource.Kind.Kind, new ObjectName(its ?? "", own)).ToString();
    }

    private static bool IsEndOfInitial(byte[] json)
    {
        using var bookmark = JsonDocument.Parse(json);
        return bookmark.RootElement.TryGetProperty("metadata", out var metadata) && metadata.TryGetProperty("annotations", out var annotations)
            && annotations.ValueKind == JsonValueKind.Object && annotations.TryGetProperty("k8s.io/initial-events-end", out var end) && end.GetString() == "true";
    }

    private static ApiServerException Failure(byte[] json)
    {
        using var status = JsonDocument.Parse(json);
        var code = status.RootElement.TryGetProperty("code", out var number) && number.TryGetInt32(out var known) ? known : 500;
        return new ApiServerException((HttpStatusCode)code, JsonObjects.StatusMessage(System.Text.Encoding.UTF8.GetString(json)) ?? "the watch failed");
    }

    private void Troubled(string why)
    {
        Count(_state with { Errors = _state.Errors + 1 });
        Set(_synced.Task.IsCompleted, why);
    }

    private void Follows() => Set(true, "");

    // Written by this informer's task alone.
    private void Count(ResourceState state) => Volatile.Write(ref _state, state with { Objects = _said.Count, Stale = _stale.Count });

    private void Set(bool isSynced, string trouble)
    {
        var since = (_state.Trouble.Length == 0) == (trouble.Length == 0) ? _state.Since : time.GetUtcNow();
        Count(_state with { IsSynced = isSynced, Trouble = trouble, Since = since });
    }
}
