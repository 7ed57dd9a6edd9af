using NodeMesh.Native.Net;
using NodeMesh.Plan;

namespace NodeMesh.Proxy.Engine;

/// <summary>One worker's member of a listening group (SO_REUSEPORT). Level-triggered: what one round leaves is accepted in the next.</summary>
internal sealed class Listener(Worker worker, int fd, NetAddress address, GatewayPlan? gateway) : IoHandler
{
    private const int AcceptsPerRound = 64;
    private const long PauseMs = 100;

    /// <summary>Null for the mesh's own listeners.</summary>
    public GatewayPlan? Gateway { get; set; } = gateway;

    public NetAddress Address { get; } = address;

    public bool IsOpen { get; private set; } = true;

    public override void OnReady(EpollFlags flags)
    {
        for (var i = 0; i < AcceptsPerRound && IsOpen; i++)
        {
            var client = Sock.Accept(fd, out var peer);
            if (client >= 0)
            {
                worker.Accepted(client, peer, this);
                continue;
            }

            if (-client is Errnos.MFile or Errnos.NFile or Errnos.NoBufs or Errnos.NoMem)
            {
                // Out of descriptors: trying again at once would spin, since the connection stays in the queue.
                worker.AcceptFailed(-client);
                worker.Unregister(fd);
                worker.Timers.Set(this, worker.Now + PauseMs);
            }

            // EAGAIN ends the round; ECONNABORTED and the network errors that Linux passes on are the client's own.
            if (-client != Errnos.ConnAborted)
                return;
        }
    }

    public override void OnTimer(long now)
    {
        if (IsOpen)
            worker.RegisterListener(fd, this);
    }

    /// <summary>Goes on: what failed was one accept or one try to listen again.</summary>
    public override void Fail()
    {
        if (IsOpen)
            worker.Timers.Set(this, worker.Now + PauseMs);
    }

    public void Close()
    {
        if (!IsOpen)
            return;
        IsOpen = false;
        worker.Timers.Remove(this);
        worker.Unregister(fd);
        _ = Sock.Close(fd);
    }
}
