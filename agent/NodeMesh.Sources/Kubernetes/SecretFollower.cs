using System.Threading.Channels;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Kubernetes.Cache;

namespace NodeMesh.Sources.Kubernetes;

/// <summary>Follows those Secrets that Gateways name, each by itself: the agent neither asks for others nor may read them all.</summary>
internal sealed class SecretFollower(ApiServer server, ChannelWriter<SourceEvent> events, ObjectCache? cache, TimeProvider time)
{
    private sealed record Followed(Informer Informer, Task Run, CancellationTokenSource Stop);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, HashSet<ObjectName>> _wanted = new(StringComparer.Ordinal);
    private readonly Dictionary<ObjectName, Followed> _followed = [];

    public IReadOnlyList<ResourceState> States
    {
        get
        {
            lock (_lock)
                return [.. _followed.Values.Select(f => f.Informer.State)];
        }
    }

    /// <summary>Those named so far have been said.</summary>
    public Task Synced
    {
        get
        {
            lock (_lock)
                return Task.WhenAll(_followed.Values.Select(f => f.Informer.Synced));
        }
    }

    /// <summary>Those named so far have been said, or recalled.</summary>
    public Task Heard
    {
        get
        {
            lock (_lock)
                return Task.WhenAll(_followed.Values.Select(f => f.Informer.Heard));
        }
    }

    /// <param name="gateway">Null: it is gone.</param>
    public void Gateway(string origin, ApiMap? gateway, CancellationToken stop)
    {
        lock (_lock)
        {
            if (gateway is null)
                _wanted.Remove(origin);
            else
                _wanted[origin] = [.. SecretsOf(gateway)];
            var all = _wanted.Values.SelectMany(w => w).ToHashSet();
            foreach (var name in all.Where(n => !_followed.ContainsKey(n)))
                _followed.Add(name, Follow(name, stop));
            foreach (var (name, followed) in _followed.Where(f => !all.Contains(f.Key)).ToList())
            {
                _followed.Remove(name);
                followed.Stop.Cancel();
            }
        }
    }

    private Followed Follow(ObjectName name, CancellationToken stop)
    {
        var own = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var informer = new Informer(server, Resource.Secrets, name.Namespace, name.Name, events, cache, time);
        return new Followed(informer, RunAsync(informer, name, own.Token, stop), own);
    }

    /// <summary>A Secret that nobody names any more is forgotten with its key.</summary>
    private async Task RunAsync(Informer informer, ObjectName name, CancellationToken own, CancellationToken stop)
    {
        try
        {
            await informer.RunAsync(own).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            var gone = new OriginChange(new ObjectRef(Kinds.Secret.Kind, name).ToString(), null, null);
            cache?.Put([gone]);
            await events.WriteAsync(new SourceEvent(Resource.Secrets.Plural, [gone], isSynced: false), stop).ConfigureAwait(false);
        }
    }

    private static IEnumerable<ObjectName> SecretsOf(ApiMap gateway)
    {
        var ns = ((gateway["metadata"] as ApiMap)?["namespace"] as ApiScalar)?.Text ?? "";
        if ((gateway["spec"] as ApiMap)?["listeners"] is not ApiList listeners)
            yield break;
        foreach (var listener in listeners.Items.OfType<ApiMap>())
        {
            if ((listener["tls"] as ApiMap)?["certificateRefs"] is not ApiList references)
                continue;
            foreach (var reference in references.Items.OfType<ApiMap>())
            {
                var kind = (reference["kind"] as ApiScalar)?.Text ?? Kinds.Secret.Kind;
                if (kind == Kinds.Secret.Kind && (reference["name"] as ApiScalar)?.Text is { Length: > 0 } name)
                    yield return new ObjectName((reference["namespace"] as ApiScalar)?.Text ?? ns, name);
            }
        }
    }
}
