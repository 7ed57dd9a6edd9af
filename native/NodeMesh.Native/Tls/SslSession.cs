using System.Runtime.InteropServices;
using System.Text;

namespace NodeMesh.Native.Tls;

public enum SslStatus
{
    Done,
    WantRead,
    WantWrite,

    /// <summary>The peer said goodbye (close_notify).</summary>
    Closed,

    /// <summary>The peer went away without close_notify: what was read may be cut short.</summary>
    Truncated,

    /// <summary>See <see cref="SslSession.Error"/>; only <see cref="SslSession.Dispose"/> is left to call.</summary>
    Failed,
}

/// <summary>The server's side of one TLS connection on a non-blocking socket. Belongs to one thread; does not own the socket.</summary>
public sealed unsafe class SslSession : IDisposable
{
    private nint _ssl;
    private bool _failed;
    private bool _established;

    private SslSession(nint ssl) => _ssl = ssl;

    /// <summary>Why the last call answered Failed: OpenSSL's error queue or errno.</summary>
    public string? Error { get; private set; }

    public bool Resumed => OpenSsl.SSL_session_reused(_ssl) == 1;

    /// <summary>"TLSv1.2" or "TLSv1.3".</summary>
    public string Protocol => Text(OpenSsl.SSL_get_version(_ssl));

    public string Cipher => Text(OpenSsl.SSL_CIPHER_get_name(OpenSsl.SSL_get_current_cipher(_ssl)));

    /// <summary>What the client asked for; null when it sent no server name.</summary>
    public string? ServerName
    {
        get
        {
            var name = OpenSsl.SSL_get_servername(_ssl, 0);
            return name is null ? null : Text(name);
        }
    }

    /// <summary>Null when none was agreed on.</summary>
    public string? ApplicationProtocol
    {
        get
        {
            byte* name = null;
            uint length = 0;
            OpenSsl.SSL_get0_alpn_selected(_ssl, &name, &length);
            return length == 0 ? null : Encoding.ASCII.GetString(name, (int)length);
        }
    }

    /// <summary>Bytes wait inside OpenSSL: epoll will not tell of them.</summary>
    public bool HasPending => OpenSsl.SSL_has_pending(_ssl) == 1;

    /// <param name="fd">A connected non-blocking socket; stays the caller's, and must outlive this.</param>
    /// <exception cref="TlsException">Out of memory.</exception>
    public static SslSession Accept(SslContext context, int fd)
    {
        OpenSsl.ERR_clear_error();
        var added = false;
        context.DangerousAddRef(ref added);
        try
        {
            var ssl = OpenSsl.SSL_new(context.Pointer);
            if (ssl == 0)
                throw TlsErrors.Failed("SSL_new");
            if (OpenSsl.SSL_set_fd(ssl, fd) != 1)
            {
                OpenSsl.SSL_free(ssl);
                throw TlsErrors.Failed("SSL_set_fd");
            }

            OpenSsl.SSL_set_accept_state(ssl);
            return new SslSession(ssl);
        }
        finally
        {
            if (added)
                context.DangerousRelease();
        }
    }

    public SslStatus Handshake()
    {
        OpenSsl.ERR_clear_error();
        var result = OpenSsl.SSL_do_handshake(_ssl);
        if (result != 1)
            return Classify(result);
        _established = true;
        return SslStatus.Done;
    }

    /// <param name="read">Bytes read; above 0 exactly when the status is Done.</param>
    public SslStatus Read(Span<byte> buffer, out int read)
    {
        nuint count = 0;
        OpenSsl.ERR_clear_error();
        int result;
        fixed (byte* bytes = buffer)
            result = OpenSsl.SSL_read_ex(_ssl, bytes, (nuint)buffer.Length, &count);
        read = (int)count;
        return result == 1 ? SslStatus.Done : Classify(result);
    }

    /// <summary>Writes a record or less. After WantRead or WantWrite the same bytes must be offered again, from any address.</summary>
    /// <param name="bytes">Not empty.</param>
    public SslStatus Write(ReadOnlySpan<byte> bytes, out int written)
    {
        nuint count = 0;
        OpenSsl.ERR_clear_error();
        int result;
        fixed (byte* data = bytes)
            result = OpenSsl.SSL_write_ex(_ssl, data, (nuint)bytes.Length, &count);
        written = (int)count;
        return result == 1 ? SslStatus.Done : Classify(result);
    }

    /// <summary>Sends close_notify, without waiting for the peer's. Nothing to send after a failure or before the end of the handshake (both
    /// would be errors to OpenSSL): then it is Done at once.</summary>
    public SslStatus Shutdown()
    {
        if (_failed || !_established)
            return SslStatus.Done;
        OpenSsl.ERR_clear_error();
        var result = OpenSsl.SSL_shutdown(_ssl);
        return result >= 0 ? SslStatus.Done : Classify(result);
    }

    public void Dispose()
    {
        if (_ssl == 0)
            return;
        OpenSsl.SSL_free(_ssl);
        _ssl = 0;
    }

    internal static string Text(byte* zeroTerminated) => Encoding.Latin1.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(zeroTerminated));

    private SslStatus Classify(int result)
    {
        // errno first: every further call may change it.
        var errno = Marshal.GetLastSystemError();
        switch (OpenSsl.SSL_get_error(_ssl, result))
        {
            case OpenSsl.ErrorWantRead:
                return SslStatus.WantRead;
            case OpenSsl.ErrorWantWrite:
                return SslStatus.WantWrite;
            case OpenSsl.ErrorZeroReturn:
                return SslStatus.Closed;
            case OpenSsl.ErrorSsl when TlsErrors.PeekReason() == OpenSsl.ReasonUnexpectedEof:
                return Fail(SslStatus.Truncated, "the peer closed without close_notify");
            case OpenSsl.ErrorSyscall:
                return Fail(SslStatus.Failed, TlsErrors.Take() ?? Marshal.GetPInvokeErrorMessage(errno));
            default:
                return Fail(SslStatus.Failed, TlsErrors.Take() ?? "no reason given by OpenSSL");
        }
    }

    private SslStatus Fail(SslStatus status, string error)
    {
        OpenSsl.ERR_clear_error();
        _failed = true;
        Error = error;
        return status;
    }
}
