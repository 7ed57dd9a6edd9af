using NodeMesh.Native.Net;

namespace NodeMesh.Proxy.Transport;

/// <summary>TCP as it is.</summary>
internal sealed class PlainTransport(int fd) : ITransport
{
    private int _errno;

    public int Fd { get; private set; } = fd;

    public string? Failure => _errno == 0 ? null : Errnos.Name(_errno);

    public string? ServerName => null;

    public bool IsEncrypted => false;

    /// <summary>Takes another socket, so that connection objects can be used again without allocating.</summary>
    internal void Reuse(int fd)
    {
        Fd = fd;
        _errno = 0;
    }

    public HandshakeStatus Handshake() => HandshakeStatus.Done;

    public IoStatus TryRead(Span<byte> buffer, out int count)
    {
        count = Sock.Read(Fd, buffer);
        if (count > 0)
            return IoStatus.Done;
        return count == 0 ? IoStatus.End : Classify(ref count);
    }

    public IoStatus TryWrite(ReadOnlySpan<byte> buffer, out int count)
    {
        count = Sock.Write(Fd, buffer);
        return count >= 0 ? IoStatus.Done : Classify(ref count);
    }

    public void ShutdownWrite() => _ = Sock.ShutdownWrite(Fd);

    public void Close(bool reset)
    {
        if (Fd < 0)
            return;
        _ = reset ? Sock.CloseWithReset(Fd) : Sock.Close(Fd);
        Fd = -1;
    }

    private IoStatus Classify(ref int result)
    {
        var errno = -result;
        result = 0;
        if (errno is Errnos.Again or Errnos.Intr)
            return IoStatus.WouldBlock;
        _errno = errno;
        return IoStatus.Failed;
    }
}
