using NodeMesh.Native.Net;
using NodeMesh.Proxy.Transport;

namespace NodeMesh.Proxy.Tls;

/// <summary>A connection that is refused before its handshake; says why and closes.</summary>
internal sealed class FailedTransport(int fd, string failure) : ITransport
{
    private bool _closed;

    public int Fd => fd;

    public string? Failure => failure;

    public string? ServerName => null;

    public bool IsEncrypted => true;

    public HandshakeStatus Handshake() => HandshakeStatus.Failed;

    public IoStatus TryRead(Span<byte> buffer, out int count)
    {
        count = 0;
        return IoStatus.Failed;
    }

    public IoStatus TryWrite(ReadOnlySpan<byte> buffer, out int count)
    {
        count = 0;
        return IoStatus.Failed;
    }

    public void ShutdownWrite()
    {
    }

    public void Close(bool reset)
    {
        if (_closed)
            return;
        _closed = true;
        _ = reset ? Sock.CloseWithReset(fd) : Sock.Close(fd);
    }
}
