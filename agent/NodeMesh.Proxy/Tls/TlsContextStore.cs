using System.Collections.Concurrent;
using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Native.Net;
using NodeMesh.Native.Tls;
using NodeMesh.Plan;
using NodeMesh.Proxy.Transport;

namespace NodeMesh.Proxy.Tls;

/// <summary>The node's TLS gateways. One per agent: all workers share contexts and ticket keys.</summary>
public sealed class TlsContextStore(TlsOptions options, TimeProvider time) : ITlsContextSource
{
    private readonly ConcurrentDictionary<string, TlsGateway> _gateways = new();
    private readonly TicketKeyRing _tickets = new(time);
    private readonly HandshakeLimiter _limiter = new(options.HandshakesPerClient);

    public string? Prepare(GatewayPlan gateway)
    {
        if (gateway.Protocol != ListenerProtocol.Https)
            return null;
        try
        {
            return _gateways.GetOrAdd(gateway.Name, static (name, tickets) => new TlsGateway(name, tickets), _tickets).Apply(gateway);
        }
        catch (TlsException e)
        {
            return e.Message;
        }
    }

    public void Retain(ImmutableArray<GatewayPlan> gateways)
    {
        var named = gateways.Where(g => g.Protocol == ListenerProtocol.Https).Select(g => g.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var name in _gateways.Keys)
        {
            if (!named.Contains(name) && _gateways.TryRemove(name, out var gone))
                gone.Dispose();
        }
    }

    ITransport ITlsContextSource.Accept(GatewayPlan gateway, int fd)
    {
        if (!_gateways.TryGetValue(gateway.Name, out var found))
            return new FailedTransport(fd, $"tls: gateway {gateway.Name} has no usable certificate");
        if (Sock.PeerAddress(fd, out var peer) != 0)
            return new FailedTransport(fd, "tls: the client is gone already");
        var client = new IpAddr(peer.Hi, peer.Lo);
        if (!_limiter.TryEnter(client))
            return new FailedTransport(fd, "tls: too many unfinished handshakes from this address");
        try
        {
            return new TlsTransport(SslSession.Accept(found.Front, fd), fd, client, _limiter, time, options.HandshakeTimeout);
        }
        catch (Exception e) when (e is TlsException or ObjectDisposedException)
        {
            // Disposed: the plan has let go of the gateway between the look-up and here.
            _limiter.Leave(client);
            return new FailedTransport(fd, e is TlsException ? "tls: " + e.Message : $"tls: gateway {gateway.Name} is being removed");
        }
    }
}
