using System.Runtime.InteropServices;

namespace NodeMesh.Native.Net;

/// <summary>A monotonic timer that an event loop waits for.</summary>
public sealed unsafe class TimerFd : IDisposable
{
    private const int Monotonic = 1;
    private const int CloseOnExecNonBlock = 0x80000 | 0x800;
    private int _fd;

    public TimerFd()
    {
        _fd = Libc.timerfd_create(Monotonic, CloseOnExecNonBlock);
        if (_fd < 0)
            throw new IOException($"timerfd_create: {Errnos.Name(Marshal.GetLastPInvokeError())}");
    }

    public int Fd => _fd;

    /// <summary>Fires once after <paramref name="delay"/>; zero disarms.</summary>
    /// <returns>0, or the errno.</returns>
    public int Arm(TimeSpan delay)
    {
        var spec = new Libc.TimerSpec
        {
            ValueSeconds = (long)delay.TotalSeconds,
            ValueNanoseconds = delay.Ticks % TimeSpan.TicksPerSecond * 100,
        };
        return Libc.timerfd_settime(_fd, 0, &spec, null) == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    /// <returns>Expirations since the last call; 0 when there were none.</returns>
    public ulong Clear()
    {
        ulong count = 0;
        return Libc.read(_fd, &count, sizeof(ulong)) == sizeof(ulong) ? count : 0;
    }

    public void Dispose()
    {
        if (_fd >= 0)
            _ = Libc.close(_fd);
        _fd = -1;
    }
}
