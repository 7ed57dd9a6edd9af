using NodeMesh.Model;
using NodeMesh.Native.Net;
using NodeMesh.Plan;
using NodeMesh.Proxy.Engine;

namespace NodeMesh.Proxy.Upstream;

/// <summary>Who is told when an upstream connection can go on.</summary>
internal interface IUpstreamOwner
{
    void OnUpstream();

    /// <summary>A defect of ours: close everything that belongs to it.</summary>
    void Fail();
}

/// <summary>What makes two upstream connections interchangeable: the source the backend sees, and the backend.</summary>
internal readonly record struct PoolKey(IpAddr Source, EndpointAddress Endpoint);

/// <summary>A connection to a backend: connecting, carrying for an owner, or idle in the pool.</summary>
internal sealed class UpstreamConnection(Worker worker) : Connection(worker)
{
    internal UpstreamConnection? NextIdle;
    internal UpstreamConnection? PreviousIdle;

    public PoolKey Key { get; private set; }

    public EndpointState Endpoint { get; private set; } = null!;

    /// <summary>Null while idle.</summary>
    public IUpstreamOwner? Owner { get; set; }

    public bool Connected { get; private set; }

    /// <summary>Has carried a request before: its backend may have closed it meanwhile.</summary>
    public bool Reused { get; set; }

    /// <summary>The errno that connecting ended with; 0 when it did not fail.</summary>
    public int ConnectError { get; private set; }

    /// <returns>False: the socket could not be opened, see <see cref="ConnectError"/>.</returns>
    public bool Start(PoolKey key, EndpointState endpoint, IUpstreamOwner owner)
    {
        Key = key;
        Endpoint = endpoint;
        Owner = owner;
        Connected = Reused = false;
        ConnectError = 0;
        var fd = Worker.UpstreamSockets.Connect(key.Source, key.Endpoint);
        if (fd < 0)
        {
            ConnectError = -fd;
            return false;
        }

        if (!Open(fd, null, writable: false))
        {
            ConnectError = Errnos.NoMem;
            return false;
        }

        Worker.Stats.UpstreamOpened++;
        Worker.Timers.Set(this, Worker.Now + Worker.Times.Connect);
        return true;
    }

    public override void OnReady(EpollFlags flags)
    {
        if (!Connected)
        {
            ConnectError = Sock.TakeError(Transport.Fd);
            Connected = ConnectError == 0;
            Worker.Timers.Set(this, long.MaxValue);
        }

        TakeEdges(flags);
        if (Owner is null)
        {
            // Idle: whatever happens now, bytes or an end, makes it useless. A first writable edge alone does not.
            if (Readable)
                Worker.Pool.Discard(this);
            return;
        }

        Owner.OnUpstream();
    }

    public override void OnTimer(long now)
    {
        if (Owner is null)
        {
            Worker.Pool.Discard(this);
            return;
        }

        if (Connected)
            return;
        ConnectError = Errnos.TimedOut;
        Owner.OnUpstream();
    }

    public override void Fail()
    {
        if (Owner is { } owner)
            owner.Fail();
        else if (IsOpen)
            Worker.Pool.Discard(this);
    }

    public void Close(bool reset)
    {
        Owner = null;
        CloseSocket(reset);
    }
}
