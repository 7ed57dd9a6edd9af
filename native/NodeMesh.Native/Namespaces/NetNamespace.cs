namespace NodeMesh.Native.Namespaces;

/// <summary>A network namespace, held open.</summary>
public sealed unsafe class NetNamespace : IDisposable
{
    private const int CloneNewNet = 0x40000000;
    private const int SolSocket = 1;
    private const int SoNetnsCookie = 71;
    private const string NamedDirectory = "/run/netns";

    private readonly OwnedFd _namespace;

    private NetNamespace(OwnedFd fd, string path)
    {
        _namespace = fd;
        Path = path;
    }

    public string Path { get; }

    public OwnedFd Handle => _namespace;

    /// <param name="nameOrPath">A name under /run/netns, or an absolute path such as /proc/PID/ns/net.</param>
    /// <exception cref="SyscallException">ENOENT: there is none; EACCES, EPERM: not ours to open.</exception>
    public static NetNamespace Open(string nameOrPath)
    {
        var path = PathOf(nameOrPath);
        return new NetNamespace(OwnedFd.Open(path), path);
    }

    /// <summary>
    /// Every network namespace that has a name under /run/netns or a process, opened one after the other; some more than once. The caller disposes of each.
    /// </summary>
    public static IEnumerable<NetNamespace> Reachable()
    {
        var named = Directory.Exists(NamedDirectory) ? Directory.EnumerateFiles(NamedDirectory) : [];
        var seen = new HashSet<string>();
        var ofProcesses = Directory.EnumerateDirectories("/proc")
            .Where(d => char.IsAsciiDigit(d["/proc/".Length]))
            .Select(d => $"{d}/ns/net")
            .Where(p => LinkOf(p) is { } link && seen.Add(link));
        foreach (var path in named.Concat(ofProcesses))
        {
            var fd = OwnedFd.TryOpen(path);
            if (fd is not null)
                yield return new NetNamespace(fd, path);
        }
    }

    /// <summary>Such as "net:[4026531840]"; null when the process is gone.</summary>
    private static string? LinkOf(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    public static string PathOf(string nameOrPath) => nameOrPath.StartsWith('/') ? nameOrPath : $"{NamedDirectory}/{nameOrPath}";

    /// <summary>Runs something inside. Sockets opened there stay there for good.</summary>
    /// <exception cref="SyscallException">setns(2) failed.</exception>
    public T Run<T>(Func<T> action) => NamespaceThread.Run("netns", () =>
        Libc.SetNs(_namespace.Fd, CloneNewNet) < 0 ? throw Libc.Failed("setns", Path) : action());

    /// <inheritdoc cref="Run{T}(Func{T})"/>
    public void Run(Action action) => Run(() =>
    {
        action();
        return 0;
    });

    /// <summary>The number that bpf_get_netns_cookie() answers for sockets inside.</summary>
    /// <exception cref="SyscallException">setns(2) or getsockopt(2) failed.</exception>
    public ulong Cookie() => Run(CurrentCookie);

    /// <summary>The same for the namespace of the calling thread.</summary>
    /// <exception cref="SyscallException">getsockopt(2) failed.</exception>
    public static ulong CurrentCookie()
    {
        using var socket = new OwnedFd(Libc.Socket(1, 1 | Libc.O_CLOEXEC, 0));
        ulong cookie;
        uint size = sizeof(ulong);
        if (socket.IsInvalid || Libc.GetSockOpt(socket.Fd, SolSocket, SoNetnsCookie, &cookie, &size) < 0)
            throw Libc.Failed("getsockopt(SO_NETNS_COOKIE)", "this thread");
        return cookie;
    }

    public void Dispose() => _namespace.Dispose();
}
