using System.Runtime.InteropServices;

namespace NodeMesh.Native.Net;

/// <summary>Non-blocking TCP sockets by file descriptor. Every call answers a count or descriptor, or the negative errno; nothing throws.</summary>
public static unsafe class Sock
{
    private const int StreamNonBlockCloseOnExec = 1 | 0x800 | 0x80000;
    private const int NonBlockCloseOnExec = 0x800 | 0x80000;
    private const int NoSignal = 0x4000;
    private const int SolIp = 0;
    private const int SolSocket = 1;
    private const int SolTcp = 6;
    private const int SolIpv6 = 41;

    /// <returns>The descriptor, or -errno.</returns>
    public static int Create(bool ipv4)
    {
        var fd = Libc.socket(ipv4 ? NetAddress.FamilyInet : NetAddress.FamilyInet6, StreamNonBlockCloseOnExec, 0);
        return fd >= 0 ? fd : -Marshal.GetLastPInvokeError();
    }

    /// <returns>0, or -errno.</returns>
    public static int Bind(int fd, in NetAddress address)
    {
        var raw = stackalloc byte[NetAddress.MaxLength];
        var length = address.Write(new Span<byte>(raw, NetAddress.MaxLength));
        return Result(Libc.bind(fd, raw, length));
    }

    /// <returns>0 when connected at once, -EINPROGRESS as a rule, or another -errno.</returns>
    public static int Connect(int fd, in NetAddress address)
    {
        var raw = stackalloc byte[NetAddress.MaxLength];
        var length = address.Write(new Span<byte>(raw, NetAddress.MaxLength));
        return Result(Libc.connect(fd, raw, length));
    }

    /// <returns>0, or -errno.</returns>
    public static int Listen(int fd, int backlog) => Result(Libc.listen(fd, backlog));

    /// <returns>A non-blocking descriptor, or -errno.</returns>
    public static int Accept(int listener, out NetAddress peer)
    {
        var raw = stackalloc byte[NetAddress.MaxLength];
        var length = NetAddress.MaxLength;
        var fd = Libc.accept4(listener, raw, &length, NonBlockCloseOnExec);
        if (fd < 0)
        {
            peer = default;
            return -Marshal.GetLastPInvokeError();
        }

        peer = NetAddress.Read(new ReadOnlySpan<byte>(raw, NetAddress.MaxLength));
        return fd;
    }

    /// <returns>0, or -errno.</returns>
    public static int LocalAddress(int fd, out NetAddress address)
    {
        var raw = stackalloc byte[NetAddress.MaxLength];
        var length = NetAddress.MaxLength;
        var result = Result(Libc.getsockname(fd, raw, &length));
        address = result == 0 ? NetAddress.Read(new ReadOnlySpan<byte>(raw, NetAddress.MaxLength)) : default;
        return result;
    }

    /// <returns>0, or -errno.</returns>
    public static int PeerAddress(int fd, out NetAddress address)
    {
        var raw = stackalloc byte[NetAddress.MaxLength];
        var length = NetAddress.MaxLength;
        var result = Result(Libc.getpeername(fd, raw, &length));
        address = result == 0 ? NetAddress.Read(new ReadOnlySpan<byte>(raw, NetAddress.MaxLength)) : default;
        return result;
    }

    /// <returns>Bytes read, 0 at the end of the stream, or -errno.</returns>
    public static int Read(int fd, Span<byte> buffer)
    {
        fixed (byte* p = buffer)
        {
            var n = (int)Libc.recv(fd, p, buffer.Length, 0);
            return n >= 0 ? n : -Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>Reads without taking.</summary>
    /// <returns>Bytes seen, 0 at the end of the stream, or -errno.</returns>
    public static int Peek(int fd, Span<byte> buffer)
    {
        const int MsgPeek = 2;
        fixed (byte* p = buffer)
        {
            var n = (int)Libc.recv(fd, p, buffer.Length, MsgPeek);
            return n >= 0 ? n : -Marshal.GetLastPInvokeError();
        }
    }

    /// <returns>Bytes written, or -errno (EPIPE comes without a signal).</returns>
    public static int Write(int fd, ReadOnlySpan<byte> buffer)
    {
        fixed (byte* p = buffer)
        {
            var n = (int)Libc.send(fd, p, buffer.Length, NoSignal);
            return n >= 0 ? n : -Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>Two buffers in one call.</summary>
    /// <returns>Bytes written, or -errno.</returns>
    public static int Write(int fd, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        fixed (byte* a = first)
        fixed (byte* b = second)
        {
            var vectors = stackalloc Libc.IoVector[2];
            vectors[0] = new Libc.IoVector { Base = a, Length = first.Length };
            vectors[1] = new Libc.IoVector { Base = b, Length = second.Length };
            var n = (int)Libc.writev(fd, vectors, 2);
            return n >= 0 ? n : -Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>FIN after what is queued.</summary>
    public static int ShutdownWrite(int fd) => Result(Libc.shutdown(fd, 1));

    public static int Close(int fd) => Result(Libc.close(fd));

    /// <summary>Closes by RST: linger on, zero seconds.</summary>
    public static int CloseWithReset(int fd)
    {
        var linger = stackalloc int[2];
        linger[0] = 1;
        linger[1] = 0;
        _ = Libc.setsockopt(fd, SolSocket, 13, linger, 2 * sizeof(int));
        return Close(fd);
    }

    /// <summary>The same socket once more.</summary>
    /// <returns>A descriptor, or -errno.</returns>
    public static int Duplicate(int fd) => Native.Libc.Duplicate(fd) is >= 0 and var copy ? copy : -Marshal.GetLastPInvokeError();

    /// <summary>SO_ERROR: how a non-blocking connect ended.</summary>
    /// <returns>0 or the errno (positive).</returns>
    public static int TakeError(int fd)
    {
        int value = 0, length = sizeof(int);
        return Libc.getsockopt(fd, SolSocket, 4, &value, &length) == 0 ? value : Marshal.GetLastPInvokeError();
    }

    public static int SetReuseAddress(int fd) => SetOption(fd, SolSocket, 2, 1);

    public static int SetReusePort(int fd) => SetOption(fd, SolSocket, 15, 1);

    /// <summary>SO_MARK; needs CAP_NET_ADMIN.</summary>
    public static int SetMark(int fd, uint mark) => SetOption(fd, SolSocket, 36, (int)mark);

    /// <summary>IP_TRANSPARENT or IPV6_TRANSPARENT; needs CAP_NET_ADMIN or CAP_NET_RAW.</summary>
    public static int SetTransparent(int fd, bool ipv4) => ipv4 ? SetOption(fd, SolIp, 19, 1) : SetOption(fd, SolIpv6, 75, 1);

    /// <summary>IP_FREEBIND or IPV6_FREEBIND: the address need not exist yet.</summary>
    public static int SetFreeBind(int fd, bool ipv4) => ipv4 ? SetOption(fd, SolIp, 15, 1) : SetOption(fd, SolIpv6, 78, 1);

    public static int SetIpv6Only(int fd) => SetOption(fd, SolIpv6, 26, 1);

    public static int SetNoDelay(int fd) => SetOption(fd, SolTcp, 1, 1);

    public static int SetKeepAlive(int fd) => SetOption(fd, SolSocket, 9, 1);

    private static int SetOption(int fd, int level, int name, int value) => Result(Libc.setsockopt(fd, level, name, &value, sizeof(int)));

    private static int Result(int result) => result >= 0 ? 0 : -Marshal.GetLastPInvokeError();
}
