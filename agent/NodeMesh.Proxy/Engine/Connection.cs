using NodeMesh.Native.Net;
using NodeMesh.Proxy.Transport;

namespace NodeMesh.Proxy.Engine;

/// <summary>One socket with its readiness and its two bounded buffers. Edge-triggered: an edge is remembered until a read or write uses it up.</summary>
internal abstract class Connection(Worker worker) : IoHandler
{
    protected readonly Worker Worker = worker;
    private readonly PlainTransport _plain = new(-1);

    public ITransport Transport { get; private set; } = null!;

    /// <summary>Bytes may wait in the socket.</summary>
    public bool Readable { get; protected set; }

    public bool Writable { get; protected set; }

    /// <summary>The peer's FIN was read.</summary>
    public bool Ended { get; private set; }

    /// <summary>The socket failed; nothing more can be written. What came before the failure may still be read.</summary>
    public bool Broken { get; private set; }

    public bool IsOpen { get; private set; }

    public IoBuffer? In;
    public IoBuffer? Out;
    private bool _hangUpSeen;
    private bool _unreadable;

    public bool HasInput => In is { IsEmpty: false };

    public bool HasOutput => Out is { IsEmpty: false };

    public long BytesRead { get; private set; }

    public long BytesWritten { get; private set; }

    /// <returns>False: epoll would not take it; the socket is closed.</returns>
    protected bool Open(int fd, ITransport? transport, bool writable)
    {
        if (transport is null)
        {
            _plain.Reuse(fd);
            transport = _plain;
        }

        Transport = transport;
        Readable = false;
        Writable = writable;
        Ended = Broken = _hangUpSeen = _unreadable = false;
        BytesRead = BytesWritten = 0;
        IsOpen = true;
        if (Worker.Register(fd, this))
            return true;
        Transport.Close(reset: true);
        IsOpen = false;
        return false;
    }

    protected void TakeEdges(EpollFlags flags)
    {
        const EpollFlags Failure = EpollFlags.Error | EpollFlags.HangUp;
        if ((flags & EpollFlags.ReadHangUp) != 0)
            _hangUpSeen = true;
        if ((flags & (EpollFlags.In | EpollFlags.ReadHangUp | Failure)) != 0)
            Readable = true;
        if ((flags & (EpollFlags.Out | Failure)) != 0)
            Writable = true;

        // A reset behind the peer's FIN: no read will tell of it.
        if (Ended && (flags & EpollFlags.Error) != 0)
            Broken = _unreadable = true;

        // TLS may write to read and read to write.
        if (Transport.IsEncrypted)
            Readable = Writable = true;
    }

    /// <summary>One read into <see cref="In"/>. Done exactly when bytes came.</summary>
    public IoStatus Fill()
    {
        if (_unreadable)
            return IoStatus.Failed;
        if (Ended)
            return IoStatus.End;
        if (!Readable)
            return IoStatus.WouldBlock;
        var buffer = In ??= Worker.Buffers.Rent();
        if (buffer.IsEmpty)
            buffer.Start = buffer.End = buffer.Floor;
        else if (buffer.Room < buffer.Array.Length / 4)
            buffer.Compact();
        var room = buffer.Room;
        if (room == 0)
            return IoStatus.WouldBlock;

        var status = Transport.TryRead(buffer.Free, out var count);
        switch (status)
        {
            case IoStatus.Done:
                buffer.End += count;
                BytesRead += count;

                // A short read has drained a TCP socket; a FIN behind it comes with its own edge unless one was seen already.
                if (count < room && !_hangUpSeen && !Transport.IsEncrypted)
                    Readable = false;
                break;
            case IoStatus.WouldBlock:
                Readable = false;
                break;
            case IoStatus.End:
                Ended = true;
                Readable = false;
                break;
            default:
                Broken = _unreadable = true;
                break;
        }

        return status;
    }

    /// <summary>Writes as much of <paramref name="bytes"/> as the socket takes now.</summary>
    /// <returns>Bytes written; -1 when the socket failed.</returns>
    public int Write(ReadOnlySpan<byte> bytes)
    {
        var total = 0;
        while (Writable && !Broken && total < bytes.Length)
        {
            switch (Transport.TryWrite(bytes[total..], out var count))
            {
                case IoStatus.Done:
                    total += count;
                    BytesWritten += count;
                    break;
                case IoStatus.WouldBlock:
                    Writable = false;
                    break;
                default:
                    // What the peer sent before it reset is still in the receive buffer.
                    Broken = Readable = true;
                    break;
            }
        }

        return Broken ? -1 : total;
    }

    /// <returns>True when <see cref="Out"/> is empty now.</returns>
    public bool Flush()
    {
        if (Out is not { IsEmpty: false } buffer)
            return true;
        var n = Write(buffer.Unread);
        if (n > 0)
            buffer.Consume(n);
        return buffer.IsEmpty;
    }

    public IoBuffer Output() => Out ??= Worker.Buffers.Rent();

    /// <summary>Gives empty buffers back: an idle connection costs no buffer memory.</summary>
    public void ReleaseBuffers()
    {
        if (In is { IsEmpty: true })
        {
            Worker.Buffers.Return(In);
            In = null;
        }

        if (Out is { IsEmpty: true })
        {
            Worker.Buffers.Return(Out);
            Out = null;
        }
    }

    protected void CloseSocket(bool reset)
    {
        if (!IsOpen)
            return;
        IsOpen = false;
        Worker.Unregister(Transport.Fd);
        Worker.Timers.Remove(this);
        Transport.Close(reset);
        if (In is not null)
            Worker.Buffers.Return(In);
        if (Out is not null)
            Worker.Buffers.Return(Out);
        In = Out = null;
    }
}
