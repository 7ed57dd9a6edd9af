namespace NodeMesh.Native.Netlink;

/// <summary>Lets one thread wait for a descriptor and for other threads' calls at once.</summary>
public sealed unsafe class PollWaker : IDisposable
{
    private const int NonBlockingCloseOnExec = 0x800 | Libc.O_CLOEXEC;
    private const short PollIn = 1;

    private readonly OwnedFd _event;

    /// <exception cref="SyscallException">eventfd(2) failed.</exception>
    public PollWaker()
    {
        var fd = Libc.EventFd(0, NonBlockingCloseOnExec);
        _event = fd >= 0 ? new OwnedFd(fd) : throw Libc.Failed("eventfd", "waker");
    }

    /// <summary>Ends the current or next wait. From any thread.</summary>
    public void Wake()
    {
        ulong one = 1;
        _ = Libc.Write(_event.Fd, &one, sizeof(ulong));
    }

    /// <summary>Returns when the descriptor is readable, when woken, or after the timeout.</summary>
    public void Wait(int fd, TimeSpan timeout)
    {
        var polls = stackalloc Libc.PollFd[] { new() { Fd = fd, Events = PollIn }, new() { Fd = _event.Fd, Events = PollIn } };
        _ = Libc.Poll(polls, 2, (int)Math.Min(int.MaxValue, timeout.TotalMilliseconds));
        ulong count;
        _ = Libc.Read(_event.Fd, &count, sizeof(ulong));
    }

    public void Dispose() => _event.Dispose();
}
