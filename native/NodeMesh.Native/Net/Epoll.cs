using System.Runtime.InteropServices;

namespace NodeMesh.Native.Net;

/// <summary>Readiness bits of epoll.</summary>
[Flags]
public enum EpollFlags : uint
{
    None = 0,
    In = 0x1,
    Out = 0x4,
    Error = 0x8,
    HangUp = 0x10,
    ReadHangUp = 0x2000,
    EdgeTriggered = 1u << 31,
}

/// <summary>What epoll_wait hands back: who, and what it can do. The cookie is whatever the caller registered.</summary>
public readonly record struct EpollReady(EpollFlags Flags, ulong Cookie);

/// <summary>One epoll instance and its result buffer; owned by one thread.</summary>
public sealed unsafe class Epoll : IDisposable
{
    private const int CloseOnExec = 0x80000;
    private readonly byte[] _events;
    private readonly int _max;
    private int _fd;

    // The kernel packs epoll_event on x86-64 only.
    private static readonly int Stride = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;
    private static readonly int DataOffset = Stride - 8;

    public Epoll(int maxEvents = 256)
    {
        _max = maxEvents;
        _events = GC.AllocateArray<byte>(maxEvents * Stride, pinned: true);
        _fd = Libc.epoll_create1(CloseOnExec);
        if (_fd < 0)
            throw new IOException($"epoll_create1: {Errnos.Name(Marshal.GetLastPInvokeError())}");
    }

    /// <returns>0, or the errno.</returns>
    public int Add(int fd, EpollFlags flags, ulong cookie) => Control(1, fd, flags, cookie);

    /// <returns>0, or the errno.</returns>
    public int Modify(int fd, EpollFlags flags, ulong cookie) => Control(3, fd, flags, cookie);

    /// <returns>0, or the errno.</returns>
    public int Remove(int fd) => Control(2, fd, EpollFlags.None, 0);

    /// <summary>Waits at most <paramref name="timeoutMs"/> (-1: for ever).</summary>
    /// <returns>How many are ready, to be read by <see cref="Ready"/> before the next Wait; 0 also after a signal.</returns>
    public int Wait(int timeoutMs)
    {
        fixed (byte* p = _events)
        {
            var n = Libc.epoll_wait(_fd, p, _max, timeoutMs);
            if (n >= 0)
                return n;
            var errno = Marshal.GetLastPInvokeError();
            return errno == Errnos.Intr ? 0 : throw new IOException($"epoll_wait: {Errnos.Name(errno)}");
        }
    }

    public EpollReady Ready(int index)
    {
        var at = _events.AsSpan(index * Stride, Stride);
        return new EpollReady((EpollFlags)MemoryMarshal.Read<uint>(at), MemoryMarshal.Read<ulong>(at[DataOffset..]));
    }

    public void Dispose()
    {
        if (_fd >= 0)
            _ = Libc.close(_fd);
        _fd = -1;
    }

    private int Control(int op, int fd, EpollFlags flags, ulong cookie)
    {
        var ev = stackalloc byte[16];
        *(uint*)ev = (uint)flags;
        *(ulong*)(ev + DataOffset) = cookie;
        return Libc.epoll_ctl(_fd, op, fd, ev) == 0 ? 0 : Marshal.GetLastPInvokeError();
    }
}
