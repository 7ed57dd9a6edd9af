using NodeMesh.Model;
using NodeMesh.Native.Net;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;
using NodeMesh.Proxy.Engine;

namespace NodeMesh.Proxy.Upstream;

/// <summary>Opens sockets toward backends: marked, and bound to the client's address when it is to be kept.</summary>
internal sealed class UpstreamSocket(ProxyOptions options, int seed)
{
    private const int Tries = 64;
    private const int Ports = Limit.ProxyPortLast - Limit.ProxyPortFirst + 1;
    private int _next = new Random(seed).Next(Ports);

    /// <param name="source">The client's address; default: a node address and an ordinary port.</param>
    /// <returns>A descriptor that is connecting, or -errno.</returns>
    public int Connect(IpAddr source, EndpointAddress endpoint)
    {
        var target = endpoint.Net();
        if (source == default)
        {
            var fd = Prepare(target.IsIPv4, transparent: false);
            return fd < 0 ? fd : Finish(fd, Sock.Connect(fd, target));
        }

        // The port is chosen here and not by the kernel: IP_LOCAL_PORT_RANGE is ignored outside the sysctl's range, and these ports are
        // outside it on purpose. A taken 4-tuple shows at bind or at connect; the next port is tried.
        var result = -Errnos.AddrNotAvail;
        for (var i = 0; i < Tries; i++)
        {
            var fd = Prepare(target.IsIPv4, transparent: true);
            if (fd < 0)
                return fd;
            var port = (ushort)(Limit.ProxyPortFirst + _next);
            _next = (_next + 1) % Ports;
            result = Sock.Bind(fd, source.Net(port));
            if (result == 0)
                result = Sock.Connect(fd, target);
            if (result is 0 or -Errnos.InProgress)
                return fd;
            _ = Sock.Close(fd);
            if (result is not (-Errnos.AddrInUse or -Errnos.AddrNotAvail))
                return result;
        }

        return result;
    }

    private static int Finish(int fd, int result)
    {
        if (result is 0 or -Errnos.InProgress)
            return fd;
        _ = Sock.Close(fd);
        return result;
    }

    private int Prepare(bool ipv4, bool transparent)
    {
        var fd = Sock.Create(ipv4);
        if (fd < 0)
            return fd;
        var result = Sock.SetNoDelay(fd);
        if (result == 0 && transparent)
        {
            _ = Sock.SetReuseAddress(fd);
            result = Sock.SetTransparent(fd, ipv4);
        }

        if (result == 0 && options.Transparent)
            result = Sock.SetMark(fd, (uint)Mark.Upstream << options.MarkShift);
        if (result == 0)
            return fd;
        _ = Sock.Close(fd);
        return result;
    }
}
