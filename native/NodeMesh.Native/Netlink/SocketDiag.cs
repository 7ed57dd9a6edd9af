using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace NodeMesh.Native.Netlink;

/// <summary>Connected UDP sockets of the calling thread's network namespace: found and ended by the kernel's socket diagnosis (sock_diag(7)).</summary>
public static class SocketDiag
{
    private const int NetlinkSockDiag = 4;
    private const ushort ByFamily = 20;
    private const ushort Destroy = 21;
    private const byte Inet = 2;
    private const byte Inet6 = 10;
    private const byte Udp = 17;
    private const uint Connected = 1 << 1;

    // struct inet_diag_msg: family, state, timer, retransmissions; then the socket's id, whose last eight bytes are its cookie.
    private const int IdAt = 4;
    private const int CookieAt = IdAt + 40;

    /// <summary>Ends those whose cookie is named: their owners get ECONNABORTED at the next call.</summary>
    /// <returns>How many were ended, and the first errno but ENOENT: EOPNOTSUPP without CONFIG_INET_DIAG_DESTROY.</returns>
    /// <exception cref="SyscallException">Sockets cannot be listed.</exception>
    public static (int Ended, int Errno) DestroyUdp(IReadOnlySet<ulong> cookies)
    {
        using var netlink = new NetlinkSocket(NetlinkSockDiag);
        var ended = 0;
        var errno = 0;
        foreach (var (family, id) in Find(netlink, cookies))
        {
            var answer = netlink.TryRequest(new NetlinkRequest(Destroy, NetlinkRequest.Ack).Header(new DiagRequest { Family = family, Protocol = Udp, Id = id }));
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
        using var netlink = new NetlinkSocket(NetlinkSockDiag);

        // Of no socket: a kernel that could, says that there is none.
        return netlink.TryRequest(new NetlinkRequest(Destroy, NetlinkRequest.Ack).Header(new DiagRequest { Family = Inet, Protocol = Udp })) == Native.Errno.ENOENT;
    }

    private static List<(byte Family, DiagId Id)> Find(NetlinkSocket netlink, IReadOnlySet<ulong> cookies)
    {
        var found = new List<(byte Family, DiagId Id)>();
        foreach (var family in (byte[])[Inet, Inet6])
        {
            var before = found.Count;
            var request = new NetlinkRequest(ByFamily, NetlinkRequest.Dump).Header(new DiagRequest { Family = family, Protocol = Udp, States = Connected });
            netlink.Request("sock_diag", "UDP sockets", request, (_, payload) =>
            {
                if (payload.Length >= CookieAt + 8 && cookies.Contains(BinaryPrimitives.ReadUInt64LittleEndian(payload[CookieAt..])))
                    found.Add((family, MemoryMarshal.Read<DiagId>(payload[IdAt..])));
            }, () => found.RemoveRange(before, found.Count - before));
        }

        return found;
    }

    /// <summary>struct inet_diag_sockid: ports and addresses in network order.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct DiagId
    {
        public ulong Ports;
        public ulong Source1;
        public ulong Source2;
        public ulong Destination1;
        public ulong DestinationAndInterface;
        public ulong Cookie;
    }

    /// <summary>struct inet_diag_req_v2.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    private struct DiagRequest
    {
        public byte Family;
        public byte Protocol;
        public byte Extensions;
        public byte Padding;
        public uint States;
        public DiagId Id;
    }
}
