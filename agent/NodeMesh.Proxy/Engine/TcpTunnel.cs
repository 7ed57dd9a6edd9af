using NodeMesh.Proxy.Transport;
using NodeMesh.Proxy.Upstream;

namespace NodeMesh.Proxy.Engine;

/// <summary>Bytes passed through untouched, both ways, with half-close. Each direction holds at most one buffer.</summary>
internal sealed class TcpTunnel(Worker worker, DownstreamConnection client)
{
    private const int RoundsPerTurn = 32;
    private UpstreamConnection? _upstream;
    private bool _clientEnded;
    private bool _upstreamEnded;
    private long _lastActivity;

    /// <summary>Chooses an endpoint and starts connecting; null when there is none, or when only HTTP may pass.</summary>
    public static UpstreamConnection? ConnectEarly(Worker worker, DownstreamConnection client) => Connect(worker, client, out _);

    public bool Start(out CloseReason reason)
    {
        reason = CloseReason.None;
        _upstream = client.Early ?? Connect(worker, client, out reason);
        client.Early = null;
        if (_upstream is null)
            return false;
        if (worker.Policy.Judge(worker.State.Current, client.Client, _upstream.Endpoint.Address).AuditOfBytes is { } rule)
            worker.Stats.CountAudited(rule);
        Adopt(_upstream);
        return true;
    }

    /// <summary>Goes on with a connection that is already there (101, sniffing).</summary>
    public void Adopt(UpstreamConnection upstream)
    {
        _upstream = upstream;
        upstream.Owner = client;
        upstream.Endpoint.Active++;
        worker.Stats.UpstreamActive++;
        _lastActivity = worker.Now;
        worker.Timers.Set(client, worker.Now + worker.Times.Idle);
    }

    public void Pump()
    {
        var upstream = _upstream!;
        if (upstream.ConnectError != 0)
        {
            client.Abort(CloseReason.UpstreamConnectFailure);
            return;
        }

        if (!upstream.Connected)
            return;
        _lastActivity = worker.Now;
        if (!Move(client, upstream, ref _clientEnded) || !Move(upstream, client, ref _upstreamEnded))
        {
            var reason = client.Broken ? CloseReason.DownstreamClosed : CloseReason.UpstreamClosed;
            client.Abort(reason);
            return;
        }

        if (_clientEnded && _upstreamEnded)
            client.Close(CloseReason.None);
    }

    public void OnTimer(long now)
    {
        if (now - _lastActivity >= worker.Times.Idle)
            client.Close(CloseReason.StreamIdle);
        else
            worker.Timers.Set(client, _lastActivity + worker.Times.Idle);
    }

    public void Release()
    {
        if (_upstream is null)
            return;
        _upstream.Endpoint.Active--;
        worker.Stats.UpstreamActive--;
        worker.Pool.Recycle(_upstream, reset: !_clientEnded || !_upstreamEnded);
        _upstream = null;
    }

    private static UpstreamConnection? Connect(Worker worker, DownstreamConnection client, out CloseReason reason)
    {
        var plan = worker.State.Current;
        var pick = Destinations.Pick(worker, plan, client, Destinations.ClusterOf(worker, plan, client.Destination), out reason);
        if (pick.Endpoint is null)
            return null;
        if (!pick.Policy.AllowsAnyBytes)
        {
            reason = pick.Policy.Allowed ? CloseReason.NotHttp : CloseReason.PolicyDenied;
            return null;
        }

        var upstream = worker.Pool.Connect(new PoolKey(pick.Source, pick.Endpoint.Address), pick.Endpoint, client);
        if (upstream.IsOpen)
            return upstream;
        worker.Pool.Recycle(upstream, reset: true);
        reason = CloseReason.UpstreamConnectFailure;
        return null;
    }

    /// <returns>False when either side is broken.</returns>
    private bool Move(Connection from, Connection to, ref bool ended)
    {
        for (var i = 0; i < RoundsPerTurn; i++)
        {
            if (!to.Flush())
                return !to.Broken;
            if (from.HasInput)
            {
                var n = to.Write(from.In!.Unread);
                if (n < 0)
                    return false;
                from.In.Consume(n);
                if (from.HasInput)
                    return true;
            }

            if (from.Ended)
            {
                if (!ended)
                    to.Transport.ShutdownWrite();
                ended = true;
                return true;
            }

            switch (from.Fill())
            {
                case IoStatus.WouldBlock:
                    from.ReleaseBuffers();
                    return true;
                case IoStatus.Failed:
                    return false;
            }
        }

        // One busy pair must not starve the others of this worker.
        worker.Again(client);
        return true;
    }
}
