using NodeMesh.Proxy.Http;
using NodeMesh.Proxy.Stats;
using NodeMesh.Proxy.Transport;
using NodeMesh.Proxy.Upstream;

namespace NodeMesh.Proxy.Engine;

/// <summary>HTTP on a client's connection: one head after the other, an exchange for each, and the end in order.</summary>
internal sealed partial class DownstreamConnection
{
    private const int SmallHead = 16 * 1024;
    private const int LingerBytes = 256 * 1024;
    private readonly RequestHead _head = new();
    private HttpExchange? _exchange;
    private long _lingered;

    /// <summary>From an exchange whose upstream said 101.</summary>
    public void BecomeTunnel(UpstreamConnection upstream)
    {
        ReturnExchange();
        _tunnel = new TcpTunnel(Worker, this);
        _tunnel.Adopt(upstream);
        SetKind(ConnectionKind.Tcp);
        _phase = Phase.Tunnel;
    }

    private bool StepHead()
    {
        if (!Flush())
        {
            if (Broken)
                Abort(CloseReason.DownstreamClosed);
            return false;
        }

        if (!HasInput)
        {
            var status = Fill();
            if (status == IoStatus.Done)
            {
                Worker.Timers.Set(this, Worker.Now + Worker.Times.RequestHead);
                return true;
            }

            if (status is IoStatus.End or IoStatus.Failed)
                Close(CloseReason.None);
            else
                ReleaseBuffers();
            return false;
        }

        var buffer = In!;
        var parsed = RequestParser.Run(buffer.Array, buffer.Start, buffer.End, _head);
        if (parsed == ParseStatus.NeedMore)
            return MoreHead();
        if (parsed == ParseStatus.Complete && _head.HeadLength > SmallHead && buffer.Array.Length == BufferPool.Small && _head.Framing != BodyFraming.None)
        {
            Grow();
            parsed = RequestParser.Run(In!.Array, In.Start, In.End, _head);
            buffer = In;
        }

        StartExchange(buffer, parsed);
        return true;
    }

    private bool MoreHead()
    {
        var buffer = In!;
        buffer.Compact();
        if (buffer.Length >= SmallHead && buffer.Array.Length == BufferPool.Small)
            Grow();
        var status = Fill();
        if (status is IoStatus.End or IoStatus.Failed)
            Close(CloseReason.DownstreamClosed);
        return status == IoStatus.Done;
    }

    private void Grow()
    {
        var large = Worker.Buffers.Rent(BufferPool.Large);
        large.TryAppend(In!.Unread);
        Worker.Buffers.Return(In);
        In = large;
    }

    private void StartExchange(IoBuffer buffer, ParseStatus parsed)
    {
        var exchange = _exchange = Worker.RentExchange();
        _phase = Phase.Exchange;
        if (parsed == ParseStatus.Complete)
        {
            // The head stays where it is until the exchange ends; the body comes behind it.
            var end = buffer.Start + _head.HeadLength;
            buffer.Floor = end;
            buffer.Start = end;
        }

        exchange.Begin(this, _head, parsed);
    }

    private void Reply408()
    {
        _head.Clear(In!.Array);
        _exchange = Worker.RentExchange();
        _phase = Phase.Exchange;
        _exchange.BeginTimeout(this, _head);
    }

    private bool NextRequest()
    {
        var keep = _exchange!.KeepDownstream && !Worker.Draining;
        ReturnExchange();
        if (Early is { } early)
        {
            Early = null;
            Worker.Pool.Recycle(early, reset: true);
        }

        if (In is { } buffer)
        {
            buffer.Floor = 0;
            if (buffer.IsEmpty)
                buffer.Clear();
        }

        if (!keep)
        {
            _phase = Phase.Linger;
            _lingered = 0;
            Worker.Timers.Set(this, Worker.Now + Worker.Times.DelayedClose);
            return true;
        }

        _phase = Phase.Head;
        Worker.Timers.Set(this, Worker.Now + (HasInput ? Worker.Times.RequestHead : Worker.Times.Idle));
        return true;
    }

    /// <summary>Ends in order: flush, FIN, then read and drop what the client still sends, so that a RST does not take the answer away.</summary>
    private bool StepLinger()
    {
        if (!Flush())
        {
            if (Broken)
                Close(CloseReason.None);
            return false;
        }

        if (_lingered == 0)
        {
            _lingered = 1;
            Transport.ShutdownWrite();
        }

        In?.Clear();
        var status = Fill();
        if (status == IoStatus.Done)
            _lingered += In!.Length;
        if (status is IoStatus.End or IoStatus.Failed || _lingered > LingerBytes)
            Close(CloseReason.None);
        return status == IoStatus.Done;
    }

    private void ReturnExchange()
    {
        if (_exchange is null)
            return;
        _exchange.Release();
        Worker.Return(_exchange);
        _exchange = null;
    }
}
