using Microsoft.Extensions.Logging;
using NodeMesh.Model;
using NodeMesh.Native.Net;
using NodeMesh.Plan;
using NodeMesh.Proxy.Engine;
using NodeMesh.Proxy.Filters;
using NodeMesh.Proxy.Stats;
using NodeMesh.Proxy.Transport;

namespace NodeMesh.Proxy;

/// <summary>The L7 proxy: worker threads with their transparent listeners, and the gateways' listeners. Members may be called from any thread,
/// one call at a time each.</summary>
public sealed partial class ProxyServer : IDisposable
{
    /// <summary>A worker that ends at this moment does not answer; its share is then missing.</summary>
    private static readonly TimeSpan SnapshotBound = TimeSpan.FromSeconds(2);

    private readonly ProxyOptions _options;
    private readonly ProxyState _state;
    private readonly ILogger _log;
    private readonly TimeProvider _time;
    private readonly IAccessLog? _accessLog;
    private readonly Worker[] _workers;
    private readonly List<Thread> _threads = [];
    private readonly List<(Worker Worker, Listener Listener)> _meshListeners = [];
    private readonly Dictionary<IpAddr, int> _shared = [];
    private readonly ListenerSet _gateways;
    private readonly Lock _publishing = new();
    private readonly ManualResetEventSlim _logStop = new();
    private Thread? _logThread;
    private bool _started;
    private bool _ended;

    /// <param name="tls">Null: HTTPS gateways are reported as not listening.</param>
    /// <param name="accessLog">Null: no records are made.</param>
    public ProxyServer(ProxyOptions options, ProxyState state, ILogger log, TimeProvider time, ITlsContextSource? tls = null, IAccessLog? accessLog = null)
        : this(options, state, log, time, tls, accessLog, [new HttpPolicyFilter()])
    {
    }

    internal ProxyServer(
        ProxyOptions options, ProxyState state, ILogger log, TimeProvider time, ITlsContextSource? tls, IAccessLog? accessLog, IFilter[] filters)
    {
        _options = options;
        _state = state;
        _log = log;
        _time = time;
        _accessLog = accessLog;
        var shared = new WorkerShared(options, state, log, time, tls, filters);
        _workers = new Worker[Math.Max(1, options.Workers)];
        for (var i = 0; i < _workers.Length; i++)
            _workers[i] = new Worker(i, shared, accessLog is not null);
        _gateways = new ListenerSet(_workers, options, tls, log, time);
    }

    /// <summary>The port the transparent listeners have; <see cref="ProxyOptions.Port"/> unless that was 0.</summary>
    public ushort Port { get; private set; }

    /// <summary>Opens the transparent listeners and starts the workers.</summary>
    /// <exception cref="ProxyStartException">A listener cannot be opened; nothing is left open.</exception>
    public void Start()
    {
        Port = _options.Port;
        var loopback4 = IpAddr.Parse("127.0.0.1");
        var loopback6 = IpAddr.Parse("::1");
        if (Port != 0 && ListenerSet.Probe(loopback4.Net(Port)) is { } problem)
            throw new ProxyStartException($"The proxy cannot listen on 127.0.0.1:{Port}: {problem}.");
        try
        {
            foreach (var worker in _workers)
            {
                OpenMeshListener(worker, loopback4);
                OpenMeshListener(worker, loopback6);
            }
        }
        catch
        {
            foreach (var (_, listener) in _meshListeners)
                listener.Close();
            _meshListeners.Clear();
            throw;
        }

        _started = true;
        foreach (var worker in _workers)
        {
            var thread = new Thread(worker.Run) { Name = $"proxy-{worker.Id}", IsBackground = true };
            thread.Start();
            _threads.Add(thread);
        }

        if (_accessLog is not null)
        {
            _logThread = new Thread(DrainLog) { Name = "proxy-log", IsBackground = true };
            _logThread.Start();
        }

        Publish(_state.Current);
        LogStarted(_log, Port, _workers.Length);
    }

    /// <summary>Puts a plan into force and opens or closes gateway listeners by it.</summary>
    public void Publish(ProxyPlan plan)
    {
        lock (_publishing)
        {
            if (_ended)
                return;
            _state.Publish(plan);
            if (_started)
                _gateways.Apply(plan.Gateways);
        }
    }

    /// <summary>Accepts no more, lets running requests finish with "connection: close", and ends what is left after <paramref name="bound"/>.</summary>
    public async Task DrainAsync(TimeSpan bound)
    {
        lock (_publishing)
        {
            if (!_started || _ended)
                return;
            _gateways.CloseAll();
            foreach (var (worker, listener) in _meshListeners)
                worker.Mailbox.Post(listener.Close);
            foreach (var worker in _workers)
                worker.Mailbox.Post(worker.StartDrain);
        }

        var from = _time.GetTimestamp();
        while (_workers.Any(w => !w.Draining || w.OpenConnections > 0) && _time.GetElapsedTime(from) < bound)
            await Task.Delay(TimeSpan.FromMilliseconds(20), _time).ConfigureAwait(false);
        var left = _workers.Sum(w => w.OpenConnections);
        LogDrained(_log, left);
        Stop();
    }

    /// <summary>Sums all workers' counters; takes one round of each loop.</summary>
    public ProxySnapshot Snapshot()
    {
        var builder = new SnapshotBuilder();
        var done = new CountdownEvent(_workers.Length); // not disposed: a late worker may still signal it
        foreach (var worker in _workers)
        {
            if (_started && worker.Mailbox.Post(() => AddAndSignal(worker)))
                continue;
            AddAndSignal(worker);
        }

        done.Wait(SnapshotBound);
        return builder.Build(_gateways.Statuses);

        void AddAndSignal(Worker worker)
        {
            builder.Add(worker);
            done.Signal();
        }
    }

    /// <summary>Ends at once what is not drained.</summary>
    public void Dispose()
    {
        Stop();
        foreach (var worker in _workers)
            worker.Dispose();
        _gateways.Dispose();
        _logStop.Dispose();
    }

    private void Stop()
    {
        lock (_publishing)
        {
            if (_ended)
                return;
            _ended = true;
            if (!_started)
                return;
            _gateways.CloseAll();
            foreach (var (worker, listener) in _meshListeners)
                worker.Mailbox.Post(listener.Close);
            foreach (var worker in _workers)
                worker.Mailbox.Post(worker.Stop);
        }

        foreach (var thread in _threads)
            thread.Join();
        _logStop.Set();
        _logThread?.Join();
    }

    private void OpenMeshListener(Worker worker, IpAddr loopback)
    {
        var fd = OpenOrShare(loopback, out var call);
        if (fd < 0)
        {
            const int NoFamily = 97;
            if (!loopback.IsIPv4 && -fd is NoFamily or Errnos.AddrNotAvail)
                return; // a node without IPv6
            throw new ProxyStartException($"The proxy cannot listen on {loopback}:{Port}: {ListenerSet.Explain(call, -fd)}.");
        }

        _ = Sock.LocalAddress(fd, out var local);
        Port = local.Port;
        var listener = new Listener(worker, fd, local, null);
        worker.RegisterListener(fd, listener);
        _meshListeners.Add((worker, listener));
    }

    private int OpenOrShare(IpAddr loopback, out string call)
    {
        call = "dup";
        if (_options.SharedListener && _shared.TryGetValue(loopback, out var first))
            return Sock.Duplicate(first);
        var fd = ListenSocket.Open(loopback.Net(Port), _options, _options.Transparent, out call);
        if (fd >= 0)
            _shared[loopback] = fd;
        return fd;
    }

    private void DrainLog()
    {
        var last = false;
        while (!last)
        {
            last = _logStop.Wait(TimeSpan.FromMilliseconds(50));
            var count = 0;
            foreach (var worker in _workers)
                count += worker.Ring!.Drain(_accessLog!);
            if (count > 0)
                _accessLog!.Flush();
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The proxy listens on port {Port} with {Workers} workers")]
    private static partial void LogStarted(ILogger log, ushort port, int workers);

    [LoggerMessage(Level = LogLevel.Information, Message = "The proxy has drained; {Left} connections were ended")]
    private static partial void LogDrained(ILogger log, int left);
}
