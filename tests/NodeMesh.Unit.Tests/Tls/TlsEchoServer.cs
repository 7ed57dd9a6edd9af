using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using NodeMesh.Model;
using NodeMesh.Native.Net;
using NodeMesh.Plan;
using NodeMesh.Proxy.Tls;
using NodeMesh.Proxy.Transport;

namespace NodeMesh.Unit.Tests.Tls;

/// <summary>How one connection went, as its server saw it.</summary>
internal sealed record ServedConnection(string? Failure, string? ServerName, bool Resumed, string? ApplicationProtocol, string? Protocol);

/// <summary>A loopback server over <see cref="TlsTransport"/>: sends back what it gets, one thread per connection, polling instead of epoll.</summary>
internal sealed class TlsEchoServer : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ITlsContextSource _store;
    private readonly int _listener;
    private readonly Thread _acceptor;
    private GatewayPlan _plan;
    private int _accepted;

    public TlsEchoServer(TlsOptions? options = null, params (string Hostname, Certificate[] Certificates)[] hosts)
    {
        _store = new TlsContextStore(options ?? TlsOptions.Default, TimeProvider.System);
        _plan = Plan(hosts);
        Problem = _store.Prepare(_plan);
        _listener = Sock.Create(ipv4: true);
        Assert.That(Sock.Bind(_listener, new NetAddress(0, 0xffff_7f00_0001, 0)), Is.Zero);
        Assert.That(Sock.Listen(_listener, 128), Is.Zero);
        Sock.LocalAddress(_listener, out var address);
        Port = address.Port;
        _acceptor = new Thread(AcceptLoop) { IsBackground = true };
        _acceptor.Start();
    }

    public int Port { get; }

    public string? Problem { get; private set; }

    /// <summary>Connections that have their transport.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    public BlockingCollection<ServedConnection> Served { get; } = [];

    public void Apply(params (string Hostname, Certificate[] Certificates)[] hosts)
    {
        _plan = Plan(hosts);
        Problem = _store.Prepare(_plan);
    }

    /// <summary>A plan without the gateway.</summary>
    public void Forget() => _store.Retain([]);

    public ServedConnection Next()
    {
        Assert.That(Served.TryTake(out var served, TimeSpan.FromSeconds(60)), "no connection ended in time");
        return served!;
    }

    public void Dispose()
    {
        _stop.Cancel();
        _acceptor.Join();
        _ = Sock.Close(_listener);
    }

    private static GatewayPlan Plan((string Hostname, Certificate[] Certificates)[] hosts) => new(
        "edge/test:443",
        new IPEndPoint(IPAddress.Loopback, 443),
        ListenerProtocol.Https,
        [.. hosts.Select((h, i) => new GatewayHostPlan($"l{i}", h.Hostname, h.Certificates.ToImmutableArray(), new RouteTablePlan([])))]);

    private void AcceptLoop()
    {
        while (!_stop.IsCancellationRequested)
        {
            var fd = Sock.Accept(_listener, out _);
            if (fd < 0)
                Thread.Sleep(1);
            else
                new Thread(() => Serve(Accept(fd))) { IsBackground = true }.Start();
        }
    }

    private ITransport Accept(int fd)
    {
        var transport = _store.Accept(_plan, fd);
        Interlocked.Increment(ref _accepted);
        return transport;
    }

    private void Serve(ITransport transport)
    {
        var handshake = HandshakeStatus.WouldBlock;
        while (!_stop.IsCancellationRequested && (handshake = transport.Handshake()) == HandshakeStatus.WouldBlock)
            Thread.Sleep(1);
        var session = (transport as TlsTransport)?.Session;
        var served = new ServedConnection(null, transport.ServerName, false, null, null);
        if (handshake == HandshakeStatus.Done)
        {
            served = served with { Resumed = session!.Resumed, ApplicationProtocol = session.ApplicationProtocol, Protocol = session.Protocol };
            Echo(transport);
        }

        served = served with { Failure = transport.Failure };
        transport.Close(reset: false);
        Served.Add(served);
    }

    private void Echo(ITransport transport)
    {
        var buffer = new byte[16 * 1024];
        while (!_stop.IsCancellationRequested)
        {
            var status = transport.TryRead(buffer, out var count);
            if (status == IoStatus.WouldBlock)
                Thread.Sleep(1);
            else if (status != IoStatus.Done || !WriteAll(transport, buffer.AsSpan(0, count)))
                return;
        }
    }

    private bool WriteAll(ITransport transport, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0 && !_stop.IsCancellationRequested)
        {
            switch (transport.TryWrite(bytes, out var count))
            {
                case IoStatus.Done:
                    bytes = bytes[count..];
                    break;
                case IoStatus.WouldBlock:
                    Thread.Sleep(1);
                    break;
                default:
                    return false;
            }
        }

        return true;
    }
}
