using NodeMesh.Model;
using NodeMesh.Native.Net;
using NodeMesh.Plan;
using NodeMesh.Proxy.Stats;
using NodeMesh.Proxy.Transport;
using NodeMesh.Proxy.Upstream;

namespace NodeMesh.Proxy.Engine;

/// <summary>A client's connection through its phases. Every event ends in <see cref="Drive"/>, which goes on until nothing moves.</summary>
internal sealed partial class DownstreamConnection(Worker worker) : Connection(worker), IUpstreamOwner
{
    private enum Phase : byte
    {
        Handshake,
        Sniff,
        Head,
        Exchange,
        Tunnel,
        Linger,
        Closed,
    }

    private Phase _phase = Phase.Closed;
    private ConnectionKind _kind;
    private TcpTunnel? _tunnel;
    private bool _driving;
    private System.Net.IPAddress? _clientText;

    public NetAddress Peer { get; private set; }

    public IpAddr Client { get; private set; }

    /// <summary>Where the client dialled: a service, or a pod's own address.</summary>
    public ServiceAddress Destination { get; private set; }

    /// <summary>Null for the mesh's own listeners.</summary>
    public Listener? GatewayListener { get; private set; }

    /// <summary>Opened while sniffing, for a server that speaks first.</summary>
    public UpstreamConnection? Early { get; set; }

    /// <summary>The client's address for x-forwarded-for.</summary>
    public System.Net.IPAddress ClientText => _clientText ??= Client.ToIPAddress();

    public void Accept(int fd, NetAddress peer, Listener listener)
    {
        Peer = peer;
        Client = peer.Ip();
        GatewayListener = listener.Gateway is null ? null : listener;
        _clientText = null;
        Early = null;
        _kind = ConnectionKind.Opening;
        Worker.Stats.ActiveConnections[(int)_kind]++;
        _phase = Phase.Handshake;

        var found = Sock.LocalAddress(fd, out var local) == 0;
        _ = Sock.SetNoDelay(fd);
        var transport = listener.Gateway is { Protocol: ListenerProtocol.Https } gateway ? Worker.Tls?.Accept(gateway, fd) : null;
        if (!Open(fd, transport, writable: true))
        {
            Account(CloseReason.Overflow);
            return;
        }

        Destination = new ServiceAddress(local.Ip(), local.Port);
        if (GatewayListener is null && found && local == listener.Address)
        {
            if (Worker.Options.DirectDestination is not { } direct)
            {
                Abort(CloseReason.DialledListener);
                return;
            }

            Destination = direct;
        }

        Readable = true;
        Drive();
    }

    public override void OnReady(EpollFlags flags)
    {
        TakeEdges(flags);
        Drive();
    }

    public override void Fail() => Abort(CloseReason.LocalReset);

    public void OnUpstream() => Drive();

    /// <summary>Goes on until nothing moves. Not reentrant: a call from within is covered by the loop that runs.</summary>
    public void Drive()
    {
        if (_driving)
            return;
        _driving = true;
        try
        {
            while (Step())
            {
            }
        }
        finally
        {
            _driving = false;
        }
    }

    public override void OnTimer(long now)
    {
        switch (_phase)
        {
            case Phase.Handshake:
                Abort(CloseReason.TlsFailed);
                break;
            case Phase.Sniff:
                StartTunnel();
                Drive();
                break;
            case Phase.Head when HasInput:
                Reply408();
                Drive();
                break;
            case Phase.Head:
                Close(CloseReason.None);
                break;
            case Phase.Exchange:
                _exchange!.OnTimer(now);
                Drive();
                break;
            case Phase.Tunnel:
                _tunnel!.OnTimer(now);
                break;
            case Phase.Linger:
                Close(CloseReason.None);
                break;
        }
    }

    /// <summary>Ends the connection at once, by RST.</summary>
    public void Abort(CloseReason reason) => End(reason, reset: true);

    public void Close(CloseReason reason) => End(reason, reset: false);

    /// <summary>The worker accepts no more; what carries a request finishes it.</summary>
    public void DrainStarted()
    {
        if (_phase is Phase.Handshake or Phase.Sniff || (_phase == Phase.Head && !HasInput && !HasOutput))
            Close(CloseReason.None);
    }

    private bool Step()
    {
        if (!IsOpen)
            return false;
        switch (_phase)
        {
            case Phase.Handshake:
                return StepHandshake();
            case Phase.Sniff:
                return StepSniff();
            case Phase.Head:
                return StepHead();
            case Phase.Exchange:
                _exchange!.Pump();
                return IsOpen && _phase == Phase.Exchange ? _exchange.Finished && NextRequest() : IsOpen;
            case Phase.Tunnel:
                _tunnel!.Pump();
                return false;
            case Phase.Linger:
                return StepLinger();
            default:
                return false;
        }
    }

    private bool StepHandshake()
    {
        switch (Transport.Handshake())
        {
            case HandshakeStatus.WouldBlock:
                if (Deadline == long.MaxValue)
                    Worker.Timers.Set(this, Worker.Now + Worker.Times.Connect * 2);
                return false;
            case HandshakeStatus.Failed:
                Abort(CloseReason.TlsFailed);
                return false;
        }

        Worker.Timers.Set(this, long.MaxValue);
        if (GatewayListener is not null)
            return BecomeHttp();
        var protocol = Worker.State.Current.Services.TryGetValue(Destination, out var service) ? service.Protocol : AppProtocol.Sniff;
        switch (protocol)
        {
            case AppProtocol.Http:
                return BecomeHttp();
            case AppProtocol.Tcp:
                return StartTunnel();
            default:
                // The server may be the one to speak first: connect now, unless only HTTP may pass.
                Early = TcpTunnel.ConnectEarly(Worker, this);
                _phase = Phase.Sniff;
                return true;
        }
    }

    private bool StepSniff()
    {
        if (Early is { } early)
        {
            if (early.ConnectError != 0)
            {
                Worker.Pool.Recycle(early, reset: true);
                Abort(CloseReason.UpstreamConnectFailure);
                return false;
            }

            if (early.Connected && early.Readable && early.Fill() is IoStatus.Done or IoStatus.End)
                return StartTunnel();
        }

        var status = Fill();
        var guess = HasInput ? Sniffer.Look(In!.Unread) : SniffResult.Undecided;
        if (guess == SniffResult.Http)
            return BecomeHttp();
        if (guess == SniffResult.Other || (status == IoStatus.End && HasInput))
            return StartTunnel();
        if (status is IoStatus.End or IoStatus.Failed)
        {
            Close(CloseReason.None);
            return false;
        }

        if (HasInput && Deadline == long.MaxValue)
            Worker.Timers.Set(this, Worker.Now + Worker.Times.Sniff);
        return status == IoStatus.Done;
    }

    private bool BecomeHttp()
    {
        SetKind(ConnectionKind.Http);
        _phase = Phase.Head;
        Worker.Timers.Set(this, Worker.Now + (HasInput ? Worker.Times.RequestHead : Worker.Times.Idle));
        return true;
    }

    private bool StartTunnel()
    {
        Worker.Timers.Set(this, long.MaxValue);
        SetKind(ConnectionKind.Tcp);
        _phase = Phase.Tunnel;
        _tunnel = new TcpTunnel(Worker, this);
        if (_tunnel.Start(out var reason))
            return true;
        Abort(reason);
        return false;
    }

    private void SetKind(ConnectionKind kind)
    {
        Worker.Stats.ActiveConnections[(int)_kind]--;
        _kind = kind;
        Worker.Stats.ActiveConnections[(int)_kind]++;
        Worker.Stats.TotalConnections[(int)_kind]++;
    }

    private void End(CloseReason reason, bool reset)
    {
        if (_phase == Phase.Closed)
            return;
        _exchange?.ClientGone(reason == CloseReason.None ? CloseReason.DownstreamClosed : reason);
        ReturnExchange();
        _tunnel?.Release();
        _tunnel = null;
        if (Early is { } early)
        {
            Early = null;
            Worker.Pool.Recycle(early, reset: true);
        }

        Worker.Stats.BytesFromClients += BytesRead;
        Worker.Stats.BytesToClients += BytesWritten;
        CloseSocket(reset);
        Account(reason);
    }

    private void Account(CloseReason reason)
    {
        _phase = Phase.Closed;
        Worker.Stats.ActiveConnections[(int)_kind]--;
        if (_kind == ConnectionKind.Opening)
            Worker.Stats.TotalConnections[(int)_kind]++;
        if (reason != CloseReason.None)
            Worker.Stats.ConnectionErrors[(int)reason]++;
        Worker.Closed(this, Client);
    }
}
