using System.Collections.Immutable;
using System.Net;
using Microsoft.Extensions.Logging;
using NodeMesh.Model;
using NodeMesh.Native.Net;
using NodeMesh.Plan;
using NodeMesh.Proxy.Engine;
using NodeMesh.Proxy.Stats;
using NodeMesh.Proxy.Transport;

namespace NodeMesh.Proxy;

/// <summary>The gateways' listening sockets: opened, changed and closed as plans say. What cannot be opened is reported and tried again, ever more
/// rarely, and with the next plan; the others work on.</summary>
internal sealed partial class ListenerSet : IDisposable
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(30);

    private readonly Worker[] _workers;
    private readonly ProxyOptions _options;
    private readonly ITlsContextSource? _tls;
    private readonly ILogger _log;
    private readonly Lock _gate = new();
    private readonly ITimer _retry;
    private readonly Dictionary<IPEndPoint, Listener[]> _open = new();
    private readonly Dictionary<IPEndPoint, GatewayPlan> _failed = new();
    private TimeSpan _delay;
    private ImmutableDictionary<IPEndPoint, ListenerStatus> _status = ImmutableDictionary<IPEndPoint, ListenerStatus>.Empty;

    public ListenerSet(Worker[] workers, ProxyOptions options, ITlsContextSource? tls, ILogger log, TimeProvider time)
    {
        _workers = workers;
        _options = options;
        _tls = tls;
        _log = log;
        _retry = time.CreateTimer(static set => ((ListenerSet)set!).Retry(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public ImmutableArray<ListenerStatus> Statuses => [.. Volatile.Read(ref _status).Values.OrderBy(s => s.Name, StringComparer.Ordinal)];

    public void Apply(ImmutableArray<GatewayPlan> gateways)
    {
        lock (_gate)
        {
            var status = ImmutableDictionary.CreateBuilder<IPEndPoint, ListenerStatus>();
            _failed.Clear();

            // First what goes, so that an address it held is free.
            foreach (var address in _open.Keys.Except(gateways.Select(g => g.Address)).ToArray())
                Close(address);
            foreach (var gateway in gateways)
                status[gateway.Address] = Apply(gateway);
            _tls?.Retain(gateways);
            Volatile.Write(ref _status, status.ToImmutable());
            _delay = FirstRetry;
            RetryLater();
        }
    }

    /// <summary>Closes every listener, and tries none again.</summary>
    public void CloseAll()
    {
        lock (_gate)
        {
            _failed.Clear();
            foreach (var address in _open.Keys.ToArray())
                Close(address);
        }
    }

    public void Dispose() => _retry.Dispose();

    private void RetryLater()
    {
        if (_failed.Count > 0)
            _retry.Change(_delay, Timeout.InfiniteTimeSpan);
    }

    private void Retry()
    {
        lock (_gate)
        {
            foreach (var (address, gateway) in _failed)
            {
                var failure = Open(gateway);
                if (failure is null)
                {
                    _failed.Remove(address);
                    LogOpened(_log, gateway.Name, address.ToString());
                }

                var status = failure is null
                    ? new ListenerStatus(gateway.Name, address.ToString(), true, Prepare(gateway))
                    : _status[address] with { Problem = failure };
                Volatile.Write(ref _status, _status.SetItem(address, status));
            }

            _delay = _delay * 2 < LongestRetry ? _delay * 2 : LongestRetry;
            RetryLater();
        }
    }

    /// <returns>What is wrong with its certificates; null when all is well.</returns>
    private string? Prepare(GatewayPlan gateway) => gateway.Protocol != ListenerProtocol.Https ? null
        : _tls is null ? "TLS is not available in this process"
        : _tls.Prepare(gateway);

    private ListenerStatus Apply(GatewayPlan gateway)
    {
        var address = gateway.Address.ToString();
        var problem = Prepare(gateway);
        if (_open.TryGetValue(gateway.Address, out var listeners))
        {
            for (var i = 0; i < _workers.Length; i++)
            {
                var listener = listeners[i];
                _workers[i].Mailbox.Post(() => listener.Gateway = gateway);
            }

            return new ListenerStatus(gateway.Name, address, true, problem);
        }

        if (gateway.Protocol == ListenerProtocol.Https && _tls is null)
            return new ListenerStatus(gateway.Name, address, false, problem);
        var failure = Open(gateway);
        if (failure is not null)
        {
            _failed[gateway.Address] = gateway;
            LogNotOpened(_log, gateway.Name, address, failure);
        }

        return new ListenerStatus(gateway.Name, address, failure is null, failure ?? problem);
    }

    private string? Open(GatewayPlan gateway)
    {
        var address = gateway.Address.Net();
        if (Probe(address) is { } failure)
            return failure;
        var listeners = new Listener[_workers.Length];
        for (var i = 0; i < _workers.Length; i++)
        {
            var fd = ListenSocket.Open(address, _options, transparent: false, out var call);
            if (fd < 0)
            {
                for (var j = 0; j < i; j++)
                {
                    var opened = listeners[j];
                    _workers[j].Mailbox.Post(opened.Close);
                }

                return Explain(call, -fd);
            }

            var worker = _workers[i];
            var listener = listeners[i] = new Listener(worker, fd, address, gateway);
            worker.Mailbox.Post(() => worker.RegisterListener(fd, listener));
        }

        _open[gateway.Address] = listeners;
        return null;
    }

    private void Close(IPEndPoint address)
    {
        if (!_open.Remove(address, out var listeners))
            return;
        for (var i = 0; i < _workers.Length; i++)
        {
            var listener = listeners[i];
            _workers[i].Mailbox.Post(listener.Close);
        }
    }

    /// <summary>SO_REUSEPORT would let two owners share a port without a word: a socket without it finds out first.</summary>
    internal static string? Probe(NetAddress address)
    {
        var fd = Sock.Create(address.IsIPv4);
        if (fd < 0)
            return Explain("socket", -fd);
        _ = Sock.SetReuseAddress(fd);
        if (!address.IsIPv4)
            _ = Sock.SetIpv6Only(fd);
        var result = Sock.Bind(fd, address);
        if (result == 0)
            result = Sock.Listen(fd, 1);
        _ = Sock.Close(fd);
        return result == 0 ? null : Explain("bind", -result);
    }

    internal static string Explain(string call, int errno) => errno switch
    {
        Errnos.AddrInUse => "the port is in use by another process; stop it or choose another port",
        Errnos.AddrNotAvail => "the address is not one of this node's",
        Errnos.Access => "no permission to bind; run as root or give CAP_NET_BIND_SERVICE",
        Errnos.Perm => $"{call}: no permission; run as root or give CAP_NET_ADMIN",
        _ => $"{call}: {Errnos.Name(errno)}",
    };

    [LoggerMessage(Level = LogLevel.Error, Message = "Gateway {Gateway} does not listen on {Address}: {Problem}. It is tried again")]
    private static partial void LogNotOpened(ILogger log, string gateway, string address, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "Gateway {Gateway} listens on {Address} now")]
    private static partial void LogOpened(ILogger log, string gateway, string address);
}
