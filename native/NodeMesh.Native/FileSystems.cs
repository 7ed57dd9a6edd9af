namespace NodeMesh.Native;

/// <summary>What kind of file system a path is on, and locks on files.</summary>
public static unsafe class FileSystems
{
    private const long BpffsMagic = 0xcafe4a11;
    private const long Cgroup2Magic = 0x63677270;
    private const long NsfsMagic = 0x6e736673;
    private const int LockExclusiveNow = 2 | 4;

    public static bool IsBpffs(string path) => Magic(path) == BpffsMagic;

    public static bool IsCgroup2(string path) => Magic(path) == Cgroup2Magic;

    /// <summary>Whether it is the file of a namespace, such as /proc/PID/ns/net or what is mounted below /run/netns.</summary>
    public static bool IsNamespace(string path) => Magic(path) == NsfsMagic;

    /// <summary>Mounts one that needs no device, for root only, with nothing in it that can be executed.</summary>
    /// <exception cref="SyscallException">mount(2) failed.</exception>
    public static void Mount(string type, string path, string options)
    {
        const nuint NoSuidDevExec = 2 | 4 | 8;
        if (Libc.Mount(type, path, type, NoSuidDevExec, options) < 0)
            throw Libc.Failed($"mount({type})", path);
    }

    /// <summary>Takes a file's lock, held until the descriptor is disposed or the process ends; null when another holds it.</summary>
    /// <exception cref="SyscallException">The file cannot be opened.</exception>
    public static OwnedFd? TryLock(string path) => TryLock(OwnedFd.Open(path, Libc.O_RDWR | Libc.O_CREAT), path);

    /// <summary>As <see cref="TryLock(string)"/>, of a directory that is there.</summary>
    /// <exception cref="SyscallException">It cannot be opened.</exception>
    public static OwnedFd? TryLockDirectory(string path) => TryLock(OpenDirectory(path), path);

    private static OwnedFd? TryLock(OwnedFd file, string path)
    {
        if (Libc.Flock(file.Fd, LockExclusiveNow) == 0)
            return file;

        var failure = Libc.Failed("flock", path);
        file.Dispose();
        return failure.Errno == Errno.EAGAIN ? null : throw failure;
    }

    /// <summary>A directory, for calls that take its descriptor.</summary>
    /// <exception cref="SyscallException">open(2) failed.</exception>
    public static OwnedFd OpenDirectory(string path) => OwnedFd.Open(path, Libc.O_DIRECTORY);

    /// <summary>The kernel's number of a cgroup (version 2), which is its directory's inode.</summary>
    /// <exception cref="SyscallException">statx(2) failed.</exception>
    public static ulong CgroupId(OwnedFd directory)
    {
        const int AtEmptyPath = 0x1000;
        const uint StatxInode = 0x100;
        const int InodeOffset = 32;
        var buffer = stackalloc byte[256];
        return Libc.StatX(directory.Fd, "", AtEmptyPath, StatxInode, buffer) == 0
            ? *(ulong*)(buffer + InodeOffset)
            : throw Libc.Failed("statx", "cgroup");
    }

    /// <summary>f_type of statfs(2); -1 when there is no such path.</summary>
    private static long Magic(string path)
    {
        var buffer = stackalloc long[32];
        return Libc.StatFs(path, buffer) == 0 ? buffer[0] : -1;
    }
}
