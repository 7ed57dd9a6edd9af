using Microsoft.Extensions.Logging;
using NodeMesh.Model;
using NodeMesh.Native.Net;
using NodeMesh.Proxy.Filters;
using NodeMesh.Proxy.Stats;
using NodeMesh.Proxy.Transport;
using NodeMesh.Proxy.Upstream;

namespace NodeMesh.Proxy.Engine;

/// <summary>What the workers share: all of it immutable or theirs to read only.</summary>
internal sealed record WorkerShared(
    ProxyOptions Options, ProxyState State, ILogger Log, TimeProvider Time, ITlsContextSource? Tls, IFilter[] Filters);

/// <summary>One event loop on one thread. Everything it reaches belongs to it alone.</summary>
internal sealed partial class Worker : IDisposable
{
    private readonly WorkerShared _shared;
    private readonly Epoll _epoll = new();
    private IoHandler?[] _handlers = new IoHandler?[1024];
    private uint[] _generations = new uint[1024];
    private readonly Dictionary<IpAddr, int> _perClient = new();
    private readonly Stack<DownstreamConnection> _free = new();
    private readonly Stack<HttpExchange> _freeExchanges = new();
    private readonly HashSet<DownstreamConnection> _open = [];
    private readonly int _maxPerClient;
    private readonly int _maxConnections;
    private List<DownstreamConnection> _again = [];
    private List<DownstreamConnection> _againNow = [];
    private bool _stopping;
    private ulong _seenRevision;

    public Worker(int id, WorkerShared shared, bool accessLog)
    {
        Id = id;
        _shared = shared;
        Now = ReadClock();
        Times = new WorkerTimes(shared.Options);
        Timers = new TimerWheel(Now, Due);
        Pool = new UpstreamPool(this);
        var seed = Random.Shared.Next();
        UpstreamSockets = new UpstreamSocket(shared.Options, seed);
        Balancer = new LoadBalancer(seed);
        Ids = new RequestIds(seed);
        Ring = accessLog ? new AccessRing() : null;
        _maxPerClient = Share(shared.Options.MaxConnectionsPerPod);
        _maxConnections = Share(shared.Options.MaxConnections);
        Register(Mailbox.Fd, Mailbox, EpollFlags.In);
    }

    public int Id { get; }

    public ProxyOptions Options => _shared.Options;

    public ProxyState State => _shared.State;

    public ITlsContextSource? Tls => _shared.Tls;

    public IFilter[] Filters => _shared.Filters;

    public TimeProvider Time => _shared.Time;

    public WorkerTimes Times { get; }

    /// <summary>Milliseconds, read once per round.</summary>
    public long Now { get; private set; }

    public TimerWheel Timers { get; }

    public BufferPool Buffers { get; } = new();

    public WorkerStats Stats { get; } = new();

    public WorkerMailbox Mailbox { get; } = new();

    public UpstreamPool Pool { get; }

    public UpstreamSocket UpstreamSockets { get; }

    public LoadBalancer Balancer { get; }

    public DirectClusters Direct { get; } = new();

    public PolicyCache Policy { get; } = new();

    public RequestIds Ids { get; }

    public AccessRing? Ring { get; }

    public bool Draining { get; private set; }

    public int OpenConnections => _open.Count;

    /// <summary>The loop; returns when told to stop.</summary>
    public void Run()
    {
        while (!_stopping)
        {
            var ready = _epoll.Wait(_again.Count > 0 ? 0 : Timers.NextDelay(Now));
            Now = ReadClock();
            if (State.Current.Revision != _seenRevision)
            {
                _seenRevision = State.Current.Revision;
                Balancer.Forget();
            }

            for (var i = 0; i < ready; i++)
            {
                var (flags, cookie) = _epoll.Ready(i);
                var fd = (int)(uint)cookie;
                if (_handlers[fd] is { } handler && _generations[fd] == (uint)(cookie >> 32))
                    Call(handler, flags);
            }

            GoOn();
            Timers.Advance(Now);
        }

        foreach (var connection in _open.ToArray())
            connection.Abort(CloseReason.LocalReset);
        Pool.Clear();
        Mailbox.Close();
    }

    /// <summary>Edge-triggered in both directions, once per socket: no epoll_ctl per request.</summary>
    public bool Register(int fd, IoHandler handler) =>
        Register(fd, handler, EpollFlags.In | EpollFlags.Out | EpollFlags.ReadHangUp | EpollFlags.EdgeTriggered);

    public bool RegisterListener(int fd, IoHandler handler) => Register(fd, handler, EpollFlags.In);

    /// <summary>The descriptor is about to be closed, which takes it out of epoll; events already fetched for it are ignored from here on.</summary>
    public void Unregister(int fd)
    {
        _handlers[fd] = null;
        _generations[fd]++;
    }

    public void Accepted(int fd, NetAddress peer, Listener listener)
    {
        var client = peer.Ip();
        _perClient.TryGetValue(client, out var count);
        if (Draining || count >= _maxPerClient || _open.Count >= _maxConnections)
        {
            Stats.ConnectionErrors[(int)CloseReason.Overflow]++;
            _ = Sock.CloseWithReset(fd);
            return;
        }

        if (!_free.TryPop(out var connection))
            connection = new DownstreamConnection(this);
        _perClient[client] = count + 1;
        _open.Add(connection);
        connection.Accept(fd, peer, listener);
    }

    public void AcceptFailed(int errno)
    {
        Stats.AcceptErrors++;
        LogAcceptFailed(_shared.Log, Errnos.Name(errno));
    }

    /// <summary>Called by a connection once its socket is closed.</summary>
    public void Closed(DownstreamConnection connection, IpAddr client)
    {
        if (!_open.Remove(connection))
            return;
        if (_perClient.TryGetValue(client, out var count) && count > 1)
            _perClient[client] = count - 1;
        else
            _perClient.Remove(client);
        if (_free.Count < 1024)
            _free.Push(connection);
    }

    public HttpExchange RentExchange() => _freeExchanges.TryPop(out var exchange) ? exchange : new HttpExchange(this);

    public void Return(HttpExchange exchange) => _freeExchanges.Push(exchange);

    public void StartDrain()
    {
        Draining = true;
        Pool.Clear();
        foreach (var connection in _open.ToArray())
            connection.DrainStarted();
    }

    public void Stop() => _stopping = true;

    public void Dispose()
    {
        Mailbox.Dispose();
        _epoll.Dispose();
    }

    /// <summary>Comes back to a connection in the next round, after the others had their turn.</summary>
    public void Again(DownstreamConnection connection) => _again.Add(connection);

    /// <summary>As if its socket had become ready.</summary>
    public void Poke(DownstreamConnection connection) => Call(connection, EpollFlags.None);

    private void GoOn()
    {
        if (_again.Count == 0)
            return;
        (_again, _againNow) = (_againNow, _again);
        foreach (var connection in _againNow)
            Call(connection, EpollFlags.None);
        _againNow.Clear();
    }

    /// <summary>A connection's top: what is wrong with one must not end the others.</summary>
    private void Call(IoHandler handler, EpollFlags flags)
    {
        try
        {
            handler.OnReady(flags);
        }
        catch (Exception e) when (handler is not WorkerMailbox)
        {
            Failed(handler, e);
        }
    }

    /// <summary>The other top.</summary>
    private void Due(IoHandler handler, long now)
    {
        try
        {
            handler.OnTimer(now);
        }
        catch (Exception e)
        {
            Failed(handler, e);
        }
    }

    private void Failed(IoHandler handler, Exception e)
    {
        LogFailed(_shared.Log, e, handler.GetType().Name);
        handler.Fail();
    }

    private bool Register(int fd, IoHandler handler, EpollFlags flags)
    {
        if (fd >= _handlers.Length)
        {
            var size = Math.Max(fd + 1, _handlers.Length * 2);
            Array.Resize(ref _handlers, size);
            Array.Resize(ref _generations, size);
        }

        var cookie = ((ulong)++_generations[fd] << 32) | (uint)fd;
        _handlers[fd] = handler;
        var errno = _epoll.Add(fd, flags, cookie);
        if (errno == 0)
            return true;
        const int AlreadyThere = 17;
        return errno == AlreadyThere && _epoll.Modify(fd, flags, cookie) == 0;
    }

    private long ReadClock() => (long)(_shared.Time.GetTimestamp() * (1000.0 / _shared.Time.TimestampFrequency));

    private int Share(int total) => Math.Max(1, (total + _shared.Options.Workers - 1) / _shared.Options.Workers);

    [LoggerMessage(Level = LogLevel.Warning, Message = "accept failed with {Errno}; no connection is accepted for 100 ms. Cure for EMFILE: raise the limit of open files")]
    private static partial void LogAcceptFailed(ILogger log, string errno);

    [LoggerMessage(Level = LogLevel.Error, Message = "A {Handler} failed and was closed; this is a defect of the proxy")]
    private static partial void LogFailed(ILogger log, Exception e, string handler);
}

/// <summary>The options' times in milliseconds.</summary>
internal sealed class WorkerTimes(ProxyOptions options)
{
    public readonly long Connect = (long)options.ConnectTimeout.TotalMilliseconds;
    public readonly long RequestHead = (long)options.RequestHeadTimeout.TotalMilliseconds;
    public readonly long Idle = (long)options.IdleTimeout.TotalMilliseconds;
    public readonly long StreamIdle = (long)options.StreamIdleTimeout.TotalMilliseconds;
    public readonly long UpstreamIdle = (long)options.UpstreamIdleTimeout.TotalMilliseconds;
    public readonly long Route = (long)options.DefaultRouteTimeout.TotalMilliseconds;
    public readonly long DelayedClose = (long)options.DelayedClose.TotalMilliseconds;
    public readonly long Sniff = (long)options.SniffTimeout.TotalMilliseconds;
}
