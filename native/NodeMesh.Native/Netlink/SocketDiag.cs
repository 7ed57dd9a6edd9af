using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;

namespace NodeMesh.Native.Netlink;

/// <summary>Connected UDP sockets of the calling thread's network namespace: found and ended by the kernel's socket diagnosis (sock_diag(7)).</summary>
public static class SocketDiag
{
    private const ushort Destroy = 21;
    private const byte Udp = 17;
    private const uint Connected = 1 << 1;

    /// <summary>Ends those that are named and still connected so: their owners get ECONNABORTED at the next call.</summary>
    /// <param name="sockets">By cookie, and what they are connected to; IPv4 addresses mapped.</param>
    /// <returns>How many were ended, and the first errno but ENOENT: EOPNOTSUPP without CONFIG_INET_DIAG_DESTROY.</returns>
    /// <exception cref="SyscallException">Sockets cannot be listed.</exception>
    public static (int Ended, int Errno) DestroyUdp(IReadOnlySet<(ulong Cookie, IPEndPoint Remote)> sockets)
    {
        using var netlink = new NetlinkSocket(InetDiag.Netlink);
        var ended = 0;
        var errno = 0;
        foreach (var (family, id) in Find(netlink, sockets))
        {
            var answer = netlink.TryRequest(new NetlinkRequest(Destroy, NetlinkRequest.Ack).Header(new InetDiag.Request { Family = family, Protocol = Udp, Id = id }));
            ended += answer == 0 ? 1 : 0;
            if (answer is not 0 and not Native.Errno.ENOENT && errno == 0)
                errno = answer;
        }

        return (ended, errno);
    }

    /// <summary>Whether this kernel ends UDP sockets on request.</summary>
    /// <exception cref="SyscallException">No such netlink.</exception>
    public static bool CanDestroyUdp()
    {
        using var netlink = new NetlinkSocket(InetDiag.Netlink);

        // Of no socket: a kernel that could, says that there is none.
        return netlink.TryRequest(new NetlinkRequest(Destroy, NetlinkRequest.Ack).Header(new InetDiag.Request { Family = InetDiag.Inet, Protocol = Udp })) == Native.Errno.ENOENT;
    }

    private static List<(byte Family, InetDiag.Id Id)> Find(NetlinkSocket netlink, IReadOnlySet<(ulong Cookie, IPEndPoint Remote)> sockets)
    {
        var found = new List<(byte Family, InetDiag.Id Id)>();
        foreach (var family in (byte[])[InetDiag.Inet, InetDiag.Inet6])
        {
            var before = found.Count;
            var request = new NetlinkRequest(InetDiag.ByFamily, NetlinkRequest.Dump).Header(new InetDiag.Request { Family = family, Protocol = Udp, States = Connected });
            netlink.Request("sock_diag", "UDP sockets", request, (_, payload) =>
            {
                if (payload.Length >= InetDiag.CookieAt + 8 && sockets.Contains((BinaryPrimitives.ReadUInt64LittleEndian(payload[InetDiag.CookieAt..]), RemoteOf(payload))))
                    found.Add((family, MemoryMarshal.Read<InetDiag.Id>(payload[InetDiag.IdAt..])));
            }, () => found.RemoveRange(before, found.Count - before));
        }

        return found;
    }

    private static IPEndPoint RemoteOf(ReadOnlySpan<byte> payload) => new(
        new IPAddress(payload.Slice(InetDiag.RemoteAt, payload[0] == InetDiag.Inet ? 4 : 16)).MapToIPv6(), BinaryPrimitives.ReadUInt16BigEndian(payload[InetDiag.RemotePortAt..]));
}
