using NodeMesh.Proxy.Engine;

namespace NodeMesh.Proxy.Upstream;

/// <summary>Idle upstream connections of one worker by source and endpoint, the latest used first. Closed connection objects are used again.</summary>
internal sealed class UpstreamPool(Worker worker)
{
    private const int KeepFree = 1024;
    private const int MaxKeys = 8192;
    private readonly Dictionary<PoolKey, Bucket> _idle = new();
    private readonly Stack<UpstreamConnection> _free = new();
    private readonly Stack<Bucket> _freeBuckets = new();

    public int IdleCount { get; private set; }

    /// <summary>An idle connection, or null.</summary>
    public UpstreamConnection? Take(PoolKey key, IUpstreamOwner owner)
    {
        if (!_idle.TryGetValue(key, out var bucket) || bucket.First is not { } connection)
            return null;
        Unlink(bucket, connection);
        worker.Timers.Set(connection, long.MaxValue);
        connection.Owner = owner;
        connection.Reused = true;
        worker.Stats.UpstreamReused++;
        return connection;
    }

    /// <summary>A new connection, connecting; its ConnectError tells when it could not be opened.</summary>
    public UpstreamConnection Connect(PoolKey key, EndpointState endpoint, IUpstreamOwner owner)
    {
        if (!_free.TryPop(out var connection))
            connection = new UpstreamConnection(worker);
        _ = connection.Start(key, endpoint, owner);
        return connection;
    }

    /// <summary>Takes a connection that can carry another request.</summary>
    public void Put(UpstreamConnection connection)
    {
        if (!_idle.TryGetValue(connection.Key, out var bucket))
        {
            if (_idle.Count >= MaxKeys)
                Prune();
            if (!_freeBuckets.TryPop(out bucket))
                bucket = new Bucket();
            _idle[connection.Key] = bucket;
        }

        if (worker.Draining || connection.Readable || connection.HasInput || bucket.Count >= worker.Options.MaxIdlePerKey || IdleCount >= worker.Options.MaxIdle)
        {
            Recycle(connection, reset: false);
            return;
        }

        connection.Owner = null;
        connection.ReleaseBuffers();
        connection.NextIdle = bucket.First;
        connection.PreviousIdle = null;
        if (bucket.First is not null)
            bucket.First.PreviousIdle = connection;
        bucket.First = connection;
        bucket.Count++;
        IdleCount++;
        connection.Endpoint.Idle++;
        worker.Timers.Set(connection, worker.Now + worker.Times.UpstreamIdle);
    }

    /// <summary>Closes an idle connection.</summary>
    public void Discard(UpstreamConnection connection)
    {
        if (_idle.TryGetValue(connection.Key, out var bucket))
        {
            Unlink(bucket, connection);
            if (bucket.Count == 0)
            {
                _idle.Remove(connection.Key);
                _freeBuckets.Push(bucket);
            }
        }

        Recycle(connection, reset: false);
    }

    /// <summary>Closes a connection that was in use.</summary>
    public void Recycle(UpstreamConnection connection, bool reset)
    {
        connection.Close(reset);
        if (_free.Count < KeepFree)
            _free.Push(connection);
    }

    public void Clear()
    {
        foreach (var bucket in _idle.Values.ToArray())
        {
            while (bucket.First is { } connection)
                Discard(connection);
        }
    }

    /// <summary>Keys whose connections are all in use or gone: kept for the next use, but not for ever.</summary>
    private void Prune()
    {
        foreach (var (key, bucket) in _idle)
        {
            if (bucket.Count == 0)
                _idle.Remove(key);
        }
    }

    private void Unlink(Bucket bucket, UpstreamConnection connection)
    {
        if (connection.PreviousIdle is null)
            bucket.First = connection.NextIdle;
        else
            connection.PreviousIdle.NextIdle = connection.NextIdle;
        if (connection.NextIdle is not null)
            connection.NextIdle.PreviousIdle = connection.PreviousIdle;
        connection.NextIdle = connection.PreviousIdle = null;
        bucket.Count--;
        IdleCount--;
        connection.Endpoint.Idle--;
    }

    private sealed class Bucket
    {
        public UpstreamConnection? First;
        public int Count;
    }
}
