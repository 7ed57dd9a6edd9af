using System.Runtime.InteropServices;

namespace NodeMesh.Native.Net;

/// <summary>The C library's calls for sockets and event loops, as they are. Calls on the hot path leave the garbage collector's transition
/// in place: each may take a while, and SetLastError is how errno comes back.</summary>
internal static unsafe partial class Libc
{
    private const string C = "libc";

    [LibraryImport(C, SetLastError = true)]
    internal static partial int socket(int domain, int type, int protocol);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int bind(int fd, byte* addr, int length);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int connect(int fd, byte* addr, int length);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int listen(int fd, int backlog);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int accept4(int fd, byte* addr, int* length, int flags);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int getsockname(int fd, byte* addr, int* length);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int getpeername(int fd, byte* addr, int* length);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int setsockopt(int fd, int level, int name, void* value, int length);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int getsockopt(int fd, int level, int name, void* value, int* length);

    [LibraryImport(C, SetLastError = true)]
    internal static partial nint recv(int fd, byte* buffer, nint length, int flags);

    [LibraryImport(C, SetLastError = true)]
    internal static partial nint send(int fd, byte* buffer, nint length, int flags);

    [LibraryImport(C, SetLastError = true)]
    internal static partial nint writev(int fd, IoVector* vectors, int count);

    [LibraryImport(C, SetLastError = true)]
    internal static partial nint readv(int fd, IoVector* vectors, int count);

    [LibraryImport(C, SetLastError = true)]
    internal static partial nint read(int fd, void* buffer, nint length);

    [LibraryImport(C, SetLastError = true)]
    internal static partial nint write(int fd, void* buffer, nint length);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int shutdown(int fd, int how);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int close(int fd);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int epoll_create1(int flags);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int epoll_ctl(int epfd, int op, int fd, void* ev);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int epoll_wait(int epfd, void* events, int max, int timeoutMs);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int eventfd(uint initial, int flags);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int timerfd_create(int clock, int flags);

    [LibraryImport(C, SetLastError = true)]
    internal static partial int timerfd_settime(int fd, int flags, TimerSpec* value, TimerSpec* old);

    [StructLayout(LayoutKind.Sequential)]
    internal struct IoVector
    {
        public byte* Base;
        public nint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct TimerSpec
    {
        public long IntervalSeconds;
        public long IntervalNanoseconds;
        public long ValueSeconds;
        public long ValueNanoseconds;
    }
}
