using System.Globalization;
using System.Threading.Channels;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Kubernetes.Cache;
using NodeMesh.Sources.Kubernetes.Status;

namespace NodeMesh.Sources.Kubernetes;

/// <summary>How well the source follows the API server.</summary>
/// <param name="Server">Where it is asked now.</param>
/// <param name="IsSynced">Everything that there was has been heard, once.</param>
/// <param name="CacheBytes">What the objects that are kept take; 0: none are kept.</param>
public sealed record KubernetesState(string Server, bool IsSynced, IReadOnlyList<ResourceState> Resources, long CacheBytes)
{
    /// <summary>How many objects are as they were before the agent began, and were not heard since.</summary>
    public int Stale => Resources.Sum(r => r.Stale);

    /// <summary>"pods: …", one for each resource that is not followed at the moment.</summary>
    public IReadOnlyList<string> Troubles => [.. Resources.Where(r => r.Trouble.Length > 0).Select(r => $"{r.Resource}: {r.Trouble}")];

    /// <summary>Null: all are followed.</summary>
    public DateTimeOffset? TroubledSince => Resources.Where(r => r.Trouble.Length > 0).Select(r => (DateTimeOffset?)r.Since).Min();
}

/// <summary>
/// The API server as a source: one watch for each kind, none polled. Custom kinds may be installed later: the one watch of CustomResourceDefinitions tells when.
/// </summary>
public sealed class KubernetesSource : IDisposable
{
    /// <summary>Where the agents' Leases are, unless the service account or the kubeconfig's context has another.</summary>
    private const string DefaultNamespace = "nodemesh-system";
    private const string Name = "kubernetes";

    private readonly ApiServer _server;
    private readonly ChannelWriter<SourceEvent> _events;
    private readonly ObjectCache? _cache;
    private readonly Action<string> _note;
    private readonly Dictionary<string, Informer> _informers = new(StringComparer.Ordinal);
    private readonly SecretFollower _secrets;
    private readonly DefinitionWatch _definitions;
    private readonly StatusBook _book = new();
    private readonly string _namespace;
    private readonly TimeProvider _time;
    private CancellationToken _stop;

    /// <param name="events">Of the world that takes the changes.</param>
    /// <param name="cache">Where objects are kept for an agent that starts while the server is away; null: nowhere.</param>
    /// <param name="note">Told what of that an operator should know.</param>
    /// <param name="time">Null: the system's clock.</param>
    public KubernetesSource(ApiServerAccess access, ChannelWriter<SourceEvent> events, string? cache = null, Action<string>? note = null, TimeProvider? time = null)
    {
        var clock = time ?? TimeProvider.System;
        _server = new ApiServer(access);
        _note = note ?? (_ => { });
        _cache = cache is null ? null : new ObjectCache(cache, _server.Address, _note);
        _events = events;
        _time = clock;
        _namespace = access.Client.Namespace is { Length: > 0 } own ? own : DefaultNamespace;
        _secrets = new SecretFollower(_server, events, _cache, clock);
        _definitions = new DefinitionWatch(_server, Installed, clock);
        foreach (var resource in Resource.All)
            _informers.Add(resource.DefinitionName, new Informer(_server, resource, "", "", events, _cache, clock) { Seen = Seen(resource) });
    }

    public KubernetesState State
    {
        get
        {
            ResourceState[] all = [.. _informers.Values.Select(i => i.State), .. _secrets.States];
            return new KubernetesState(_server.Current, all.All(s => s.IsSynced), all, _cache?.Bytes ?? 0);
        }
    }

    /// <inheritdoc cref="ObjectCache.Remove"/>
    public static string? RemoveCache(string directory) => ObjectCache.Remove(directory);

    /// <summary>Runs until it is cancelled. With the server away what it said last stays in force.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task RunAsync(CancellationToken stop)
    {
        _stop = stop;
        _cache?.Open();
        Task[] runs = [.. _informers.Values.Select(i => i.RunAsync(stop)), _definitions.RunAsync(stop), RecallAsync(stop), SyncAsync(stop)];
        await Task.WhenAll(runs).ConfigureAwait(false);
    }

    /// <summary>Reports what this node enforces and, when it is this node's turn, writes statuses and events. Runs until it is cancelled.</summary>
    /// <param name="input">What is so now.</param>
    /// <param name="problem">When they cannot be written; it is tried again.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public Task WriteStatusesAsync(string node, Func<StatusInput> input, Action<string> problem, CancellationToken stop) =>
        new StatusHost(_server, _book, _namespace, node, input, problem, _time).RunAsync(stop);

    /// <summary>Writes an Event of a pod, of type Warning.</summary>
    /// <param name="at">When it happened: a pod may meet the same more than once.</param>
    /// <returns>Why it could not be written, which is to be tried again; empty when it was, or the pod's namespace is no more.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task<string> WarnOfPodAsync(ObjectName pod, string uid, DateTimeOffset at, string reason, string message, CancellationToken stop)
    {
        try
        {
            var about = new EventObject("v1", "Pod", pod, uid, "", at.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture));
            await ObjectEvents.WarnAsync(_server, about, reason, message, at, stop).ConfigureAwait(false);
            return "";
        }
        catch (ApiServerException e) when (e.IsMissing)
        {
            return "";
        }
        catch (Exception e) when (e is ApiServerException or HttpRequestException or IOException or TimeoutException || (e is OperationCanceledException && !stop.IsCancellationRequested))
        {
            return e.Message;
        }
    }

    public void Dispose()
    {
        _server.Dispose();
        _cache?.Dispose();
    }

    private ObjectSeen? Seen(Resource resource)
    {
        if (resource.Kind == Kinds.Gateway)
            return (origin, gateway, _) => _secrets.Gateway(origin, gateway, _stop);
        if (resource.Kind == Kinds.EndpointSlice)
            return Located;
        return StatusBook.Kinds.Contains(resource.Kind) ? Written : null;

        // Also when it is recalled: then it is needed most.
        void Located(string origin, ApiMap? slice, ReadOnlySpan<byte> json)
        {
            if (origin == ApiServerAddresses.Origin)
                _server.Heard(slice is null ? [] : ApiServerAddresses.Of(slice));
        }

        // Statuses are written about what was heard.
        void Written(string origin, ApiMap? map, ReadOnlySpan<byte> json)
        {
            if (map is null || json.Length > 0)
                _book.Take(resource, origin, map, json);
        }
    }

    /// <summary>Says that there is something to go by when it is what there was.</summary>
    private async Task RecallAsync(CancellationToken stop)
    {
        await Task.WhenAll(_informers.Values.Select(i => i.Heard)).WaitAsync(stop).ConfigureAwait(false);
        await _secrets.Heard.WaitAsync(stop).ConfigureAwait(false);
        if (_informers.Values.All(i => i.Synced.IsCompleted) && _secrets.Synced.IsCompleted)
            return;
        _note($"the API server {_server.Address} does not answer: {State.Stale} objects are served as they were heard until {_cache?.HeardUntil:u}");
        await _events.WriteAsync(new SourceEvent(Name, [], isSynced: false, isRecalled: true), stop).ConfigureAwait(false);
    }

    private async Task SyncAsync(CancellationToken stop)
    {
        await Task.WhenAll(_informers.Values.Select(i => i.Synced)).WaitAsync(stop).ConfigureAwait(false);

        // All Gateways have been said, so every Secret that counts is known.
        await _secrets.Synced.WaitAsync(stop).ConfigureAwait(false);
        _cache?.Forget();
        await _events.WriteAsync(new SourceEvent(Name, [], isSynced: true), stop).ConfigureAwait(false);
    }

    private void Installed(string definition) => _informers.GetValueOrDefault(definition)?.Wake();
}
