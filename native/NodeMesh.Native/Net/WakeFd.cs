using System.Runtime.InteropServices;

namespace NodeMesh.Native.Net;

/// <summary>An eventfd by which other threads wake an event loop.</summary>
public sealed unsafe class WakeFd : IDisposable
{
    private const int CloseOnExecNonBlock = 0x80000 | 0x800;
    private int _fd;

    public WakeFd()
    {
        _fd = Libc.eventfd(0, CloseOnExecNonBlock);
        if (_fd < 0)
            throw new IOException($"eventfd: {Errnos.Name(Marshal.GetLastPInvokeError())}");
    }

    public int Fd => _fd;

    /// <summary>Safe from any thread, until Dispose. A full counter is a wake-up already pending.</summary>
    public void Wake()
    {
        ulong one = 1;
        _ = Libc.write(_fd, &one, sizeof(ulong));
    }

    /// <summary>Takes back all pending wake-ups.</summary>
    public void Clear()
    {
        ulong count;
        _ = Libc.read(_fd, &count, sizeof(ulong));
    }

    public void Dispose()
    {
        if (_fd >= 0)
            _ = Libc.close(_fd);
        _fd = -1;
    }
}
