using Microsoft.Win32.SafeHandles;

namespace NodeMesh.Native;

/// <summary>A file descriptor that is closed when disposed.</summary>
public sealed class OwnedFd : SafeHandleMinusOneIsInvalid
{
    public OwnedFd()
        : base(ownsHandle: true)
    {
    }

    public OwnedFd(int fd)
        : base(ownsHandle: true) => SetHandle(fd);

    public int Fd => (int)handle;

    /// <param name="flags">O_* of fcntl.h; O_CLOEXEC is added.</param>
    /// <exception cref="SyscallException">open(2) failed.</exception>
    public static OwnedFd Open(string path, int flags = 0)
    {
        var fd = Libc.Open(path, flags | Libc.O_CLOEXEC, 0x180);
        return fd >= 0 ? new OwnedFd(fd) : throw Libc.Failed("open", path);
    }

    /// <summary>The same for reading; null when it cannot be opened.</summary>
    public static OwnedFd? TryOpen(string path)
    {
        var fd = Libc.Open(path, Libc.O_CLOEXEC, 0);
        return fd >= 0 ? new OwnedFd(fd) : null;
    }

    protected override bool ReleaseHandle() => Libc.Close((int)handle) == 0;
}
