using NodeMesh.Native.Net;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Proxy.Engine;

/// <summary>Opens listening sockets.</summary>
internal static class ListenSocket
{
    private const int Backlog = 4096;

    /// <summary>A transparent listener whose accepted sockets inherit the downstream mark, or a plain one.</summary>
    /// <returns>A descriptor, or -errno with the call that failed.</returns>
    public static int Open(NetAddress address, ProxyOptions options, bool transparent, out string call)
    {
        call = "socket";
        var fd = Sock.Create(address.IsIPv4);
        if (fd < 0)
            return fd;
        var result = Prepare(fd, address, options, transparent, ref call);
        if (result == 0)
            return fd;
        _ = Sock.Close(fd);
        return result;
    }

    private static int Prepare(int fd, NetAddress address, ProxyOptions options, bool transparent, ref string call)
    {
        _ = Sock.SetReuseAddress(fd);
        if (!transparent || !options.SharedListener)
            _ = Sock.SetReusePort(fd);
        if (!address.IsIPv4)
            _ = Sock.SetIpv6Only(fd);
        if (transparent)
        {
            call = "setsockopt(IP_TRANSPARENT)";
            var result = Sock.SetTransparent(fd, address.IsIPv4);
            if (result != 0)
                return result;
            call = "setsockopt(SO_MARK)";
            result = Sock.SetMark(fd, (uint)Mark.Downstream << options.MarkShift);
            if (result != 0)
                return result;
        }

        call = "bind";
        var bound = Sock.Bind(fd, address);
        if (bound != 0)
            return bound;
        call = "listen";
        return Sock.Listen(fd, Backlog);
    }
}
