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

/// <summary>The gateways' listening sockets: opened, changed and closed as plans say. What cannot be opened is reported and tried again with the
/// next plan; the others work on.</summary>
internal sealed partial class ListenerSet(Worker[] workers, ProxyOptions options, ITlsContextSource? tls, ILogger log)
{
    private readonly Dictionary<IPEndPoint, Listener[]> _open = new();
    private ImmutableDictionary<IPEndPoint, ListenerStatus> _status = ImmutableDictionary<IPEndPoint, ListenerStatus>.Empty;

    public ImmutableArray<ListenerStatus> Statuses => [.. Volatile.Read(ref _status).Values.OrderBy(s => s.Name, StringComparer.Ordinal)];

    /// <summary>Called by one thread at a time.</summary>
    public void Apply(ImmutableArray<GatewayPlan> gateways)
    {
        var status = ImmutableDictionary.CreateBuilder<IPEndPoint, ListenerStatus>();
        foreach (var gateway in gateways)
            status[gateway.Address] = Apply(gateway);
        foreach (var address in _open.Keys.Where(a => !status.ContainsKey(a)).ToArray())
            Close(address);
        Volatile.Write(ref _status, status.ToImmutable());
    }

    public void CloseAll()
    {
        foreach (var address in _open.Keys.ToArray())
            Close(address);
    }

    private ListenerStatus Apply(GatewayPlan gateway)
    {
        var address = gateway.Address.ToString();
        string? problem = null;
        if (gateway.Protocol == ListenerProtocol.Https)
            problem = tls is null ? "TLS is not available in this process" : tls.Prepare(gateway);

        if (_open.TryGetValue(gateway.Address, out var listeners))
        {
            for (var i = 0; i < workers.Length; i++)
            {
                var listener = listeners[i];
                workers[i].Mailbox.Post(() => listener.Gateway = gateway);
            }

            return new ListenerStatus(gateway.Name, address, true, problem);
        }

        if (gateway.Protocol == ListenerProtocol.Https && tls is null)
            return new ListenerStatus(gateway.Name, address, false, problem);
        var failure = Open(gateway);
        if (failure is not null)
            LogNotOpened(log, gateway.Name, address, failure);
        return new ListenerStatus(gateway.Name, address, failure is null, failure ?? problem);
    }

    private string? Open(GatewayPlan gateway)
    {
        var address = gateway.Address.Net();
        if (Probe(address) is { } failure)
            return failure;
        var listeners = new Listener[workers.Length];
        for (var i = 0; i < workers.Length; i++)
        {
            var fd = ListenSocket.Open(address, options, transparent: false, out var call);
            if (fd < 0)
            {
                for (var j = 0; j < i; j++)
                {
                    var opened = listeners[j];
                    workers[j].Mailbox.Post(opened.Close);
                }

                return Explain(call, -fd);
            }

            var worker = workers[i];
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
        for (var i = 0; i < workers.Length; i++)
        {
            var listener = listeners[i];
            workers[i].Mailbox.Post(listener.Close);
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

    [LoggerMessage(Level = LogLevel.Error, Message = "Gateway {Gateway} does not listen on {Address}: {Problem}")]
    private static partial void LogNotOpened(ILogger log, string gateway, string address, string problem);
}
