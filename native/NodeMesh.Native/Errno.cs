using System.Runtime.InteropServices;

namespace NodeMesh.Native;

/// <summary>Linux error numbers that callers decide by, and words for all of them.</summary>
public static class Errno
{
    public const int EPERM = 1;
    public const int ENOENT = 2;
    public const int EINTR = 4;
    public const int E2BIG = 7;
    public const int EAGAIN = 11;
    public const int ENOMEM = 12;
    public const int EACCES = 13;
    public const int EBUSY = 16;
    public const int EEXIST = 17;
    public const int ENODEV = 19;
    public const int EINVAL = 22;
    public const int ENOSPC = 28;
    public const int ENOLINK = 67;
    public const int EOPNOTSUPP = 95;
    public const int EADDRINUSE = 98;
    public const int ENOBUFS = 105;
    public const int ENOTSUPP = 524;

    /// <summary>"ENOENT (No such file or directory)"; "errno 600" for a number without a name here.</summary>
    public static string Describe(int errno)
    {
        var name = errno switch
        {
            EPERM => nameof(EPERM),
            ENOENT => nameof(ENOENT),
            EINTR => nameof(EINTR),
            E2BIG => nameof(E2BIG),
            EAGAIN => nameof(EAGAIN),
            ENOMEM => nameof(ENOMEM),
            EACCES => nameof(EACCES),
            EBUSY => nameof(EBUSY),
            EEXIST => nameof(EEXIST),
            ENODEV => nameof(ENODEV),
            EINVAL => nameof(EINVAL),
            ENOSPC => nameof(ENOSPC),
            ENOLINK => nameof(ENOLINK),
            EOPNOTSUPP => nameof(EOPNOTSUPP),
            EADDRINUSE => nameof(EADDRINUSE),
            ENOBUFS => nameof(ENOBUFS),
            ENOTSUPP => nameof(ENOTSUPP),
            _ => $"errno {errno}",
        };
        return errno == ENOTSUPP ? $"{name} (not supported by this kernel)" : $"{name} ({Marshal.GetPInvokeErrorMessage(errno)})";
    }
}

/// <summary>A system call that failed: which, on what, and why.</summary>
/// <param name="call">"setns".</param>
/// <param name="subject">"/run/netns/pod-a".</param>
public class SyscallException(string call, string subject, int errno, string detail = "") : Exception(
    $"{call} {subject}: {Native.Errno.Describe(errno)}{(detail.Length > 0 ? ": " + detail : "")}")
{
    public string Call { get; } = call;

    public string Subject { get; } = subject;

    public int Errno { get; } = errno;
}
