using NodeMesh.Model;
using NodeMesh.Native.Net;
using NodeMesh.Native.Tls;
using NodeMesh.Proxy.Transport;

namespace NodeMesh.Proxy.Tls;

/// <summary>The server's side of TLS under a codec. Plain text is never buffered here beyond what OpenSSL has decrypted.</summary>
internal sealed class TlsTransport(SslSession session, int fd, IpAddr client, HandshakeLimiter limiter, TimeProvider time, TimeSpan handshakeTimeout)
    : ITransport
{
    private readonly long _accepted = time.GetTimestamp();
    private bool _handshaking = true;
    private bool _closed;

    public int Fd => fd;

    public string? Failure { get; private set; }

    public string? ServerName { get; private set; }

    public bool IsEncrypted => true;

    /// <summary>For the access log; valid after the handshake and until Close.</summary>
    public SslSession Session => session;

    public HandshakeStatus Handshake()
    {
        if (Failure is not null)
            return HandshakeStatus.Failed;
        if (_handshaking && time.GetElapsedTime(_accepted) > handshakeTimeout)
        {
            Failure = "tls: handshake timeout";
            return HandshakeStatus.Failed;
        }

        var status = session.Handshake();
        switch (status)
        {
            case SslStatus.Done:
                ServerName = session.ServerName?.ToLowerInvariant();
                EndHandshake();
                return HandshakeStatus.Done;
            case SslStatus.WantRead or SslStatus.WantWrite:
                return HandshakeStatus.WouldBlock;
            default:
                Failure = "tls: " + (session.Error ?? "the client closed during the handshake");
                return HandshakeStatus.Failed;
        }
    }

    public IoStatus TryRead(Span<byte> buffer, out int count)
    {
        return Map(session.Read(buffer, out count));
    }

    public IoStatus TryWrite(ReadOnlySpan<byte> buffer, out int count)
    {
        count = 0;
        if (buffer.IsEmpty)
            return IoStatus.Done;
        var status = Map(session.Write(buffer, out count));
        return status == IoStatus.End ? IoStatus.Failed : status;
    }

    public void ShutdownWrite()
    {
        if (_closed)
            return;
        _ = session.Shutdown();
        _ = Sock.ShutdownWrite(fd);
    }

    public void Close(bool reset)
    {
        if (_closed)
            return;
        _closed = true;
        EndHandshake();
        if (!reset)
            _ = session.Shutdown();
        session.Dispose();
        _ = reset ? Sock.CloseWithReset(fd) : Sock.Close(fd);
    }

    private void EndHandshake()
    {
        if (!_handshaking)
            return;
        _handshaking = false;
        limiter.Leave(client);
    }

    private IoStatus Map(SslStatus status)
    {
        switch (status)
        {
            case SslStatus.Done:
                return IoStatus.Done;
            case SslStatus.WantRead or SslStatus.WantWrite:
                return IoStatus.WouldBlock;
            case SslStatus.Closed:
                return IoStatus.End;
            default:
                Failure = "tls: " + session.Error;
                return IoStatus.Failed;
        }
    }
}
