using System.Runtime.InteropServices;

namespace NodeMesh.Native.Netlink;

/// <summary>What requests of sock_diag(7) about sockets of IPv4 and IPv6 share.</summary>
internal static class InetDiag
{
    internal const int Netlink = 4;
    internal const ushort ByFamily = 20;
    internal const byte Inet = 2;
    internal const byte Inet6 = 10;

    // struct inet_diag_msg: family, state, timer, retransmissions; then the socket's id, whose last eight bytes are its cookie; 16 bytes on, its inode.
    internal const int IdAt = 4;
    internal const int RemotePortAt = IdAt + 2;
    internal const int RemoteAt = IdAt + 20;
    internal const int CookieAt = IdAt + 40;
    internal const int InodeAt = CookieAt + 8 + 16;
    internal const int Size = InodeAt + 4;

    /// <summary>struct inet_diag_sockid: ports and addresses in network order.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Id
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
    internal struct Request
    {
        public byte Family;
        public byte Protocol;
        public byte Extensions;
        public byte Padding;
        public uint States;
        public Id Id;
    }
}
