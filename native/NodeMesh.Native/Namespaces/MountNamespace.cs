namespace NodeMesh.Native.Namespaces;

/// <summary>The mounts that other processes see.</summary>
public static class MountNamespace
{
    private const int CloneFs = 0x200;
    private const int CloneNewNs = 0x20000;

    /// <summary>Runs something inside; paths are those of that namespace then, from its root.</summary>
    /// <param name="path">Such as /proc/1/ns/mnt.</param>
    /// <exception cref="SyscallException">ENOENT: there is none; EACCES: CAP_SYS_PTRACE is missing; EPERM: CAP_SYS_ADMIN or CAP_SYS_CHROOT is.</exception>
    public static T Run<T>(string path, Func<T> action) => NamespaceThread.Run("mntns", () =>
    {
        using var inside = OwnedFd.Open(path);

        // Threads that share a root and working directory stay in one namespace together, says setns(2).
        if (Libc.Unshare(CloneFs) < 0)
            throw Libc.Failed("unshare", path);
        if (Libc.SetNs(inside.Fd, CloneNewNs) < 0)
            throw Libc.Failed("setns", path);
        return action();
    });
}
