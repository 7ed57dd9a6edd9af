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

    /// <summary>Returns true when the descriptor is readable or when woken, false after the timeout.</summary>
    public bool Wait(int fd, TimeSpan timeout)
    {
        var polls = stackalloc Libc.PollFd[] { new() { Fd = fd, Events = PollIn }, new() { Fd = _event.Fd, Events = PollIn } };
        var ready = Libc.Poll(polls, 2, (int)Math.Min(int.MaxValue, timeout.TotalMilliseconds));
        ulong count;
        _ = Libc.Read(_event.Fd, &count, sizeof(ulong));
        return ready > 0;
    }

    public void Dispose() => _event.Dispose();
}
