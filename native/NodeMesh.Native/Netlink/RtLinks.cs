using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace NodeMesh.Native.Netlink;

/// <summary>A network interface as one network namespace sees it.</summary>
/// <param name="Kind">"veth", "bridge"; empty for hardware and loopback.</param>
/// <param name="PeerIfindex">IFLA_LINK: for a veth its other end, in the namespace <paramref name="PeerNetnsId"/>; 0 when none.</param>
/// <param name="PeerNetnsId">IFLA_LINK_NETNSID; -1 when it is the same namespace.</param>
/// <param name="Flags">IFF_*.</param>
/// <param name="OperState">IF_OPER_*: 6 is up, 0 unknown.</param>
/// <param name="Mac">IFLA_ADDRESS; zero when it has none of six bytes.</param>
/// <param name="Master">IFLA_MASTER: the bridge or bond that it is a port of; 0 when none.</param>
public sealed record NetInterface(
    int Ifindex, string Name, string Kind, int PeerIfindex, int PeerNetnsId, uint Flags, int Mtu, byte OperState, MacAddress Mac = default, int Master = 0)
{
    public bool IsUp => (Flags & 1) != 0;

    public bool IsLoopback => (Flags & 8) != 0;
}

/// <summary>A link address as it stands in a packet: three words, each of two bytes in the order of the wire.</summary>
public readonly record struct MacAddress(ushort Word0, ushort Word1, ushort Word2)
{
    internal static MacAddress Of(ReadOnlySpan<byte> bytes) => bytes.Length != 6
        ? default
        : new MacAddress(MemoryMarshal.Read<ushort>(bytes), MemoryMarshal.Read<ushort>(bytes[2..]), MemoryMarshal.Read<ushort>(bytes[4..]));
}

/// <summary>Interfaces, ids of network namespaces, and how a pod's two ends belong together.</summary>
public static class RtLinks
{
    private const ushort NewLink = 16;
    private const ushort GetLink = 18;
    private const ushort NewNsId = 88;
    private const ushort GetNsId = 90;

    private struct InterfaceHeader
    {
        public byte Family;
        public byte Pad;
        public ushort Type;
        public int Index;
        public uint Flags;
        public uint Change;
    }

    private const ushort IfAddress = 1;
    private const ushort IfName = 3;
    private const ushort IfMtu = 4;
    private const ushort IfLink = 5;
    private const ushort IfMaster = 10;
    private const ushort IfOperState = 16;
    private const ushort IfLinkInfo = 18;
    private const ushort IfInfoKind = 1;
    private const ushort IfLinkNetnsId = 37;
    private const ushort IfTargetNetnsId = 46;
    private const ushort NsIdOfNs = 1;
    private const ushort NsFd = 3;

    /// <param name="netnsId">Of another namespace, by <see cref="NetnsId"/>; -1 for the socket's own.</param>
    /// <exception cref="SyscallException">The kernel refused.</exception>
    public static List<NetInterface> Dump(NetlinkSocket socket, int netnsId = -1)
    {
        var request = new NetlinkRequest(GetLink, NetlinkRequest.Dump).Header(new InterfaceHeader());
        if (netnsId >= 0)
            request.Attribute(IfTargetNetnsId, (uint)netnsId);

        var links = new List<NetInterface>();
        socket.Request("RTM_GETLINK", "interfaces", request, (type, payload) =>
        {
            if (type == NewLink)
                links.Add(Parse(payload));
        }, links.Clear);
        return links;
    }

    /// <summary>The number by which the socket's namespace knows another one; gives it a number when it has none.</summary>
    /// <param name="netns">An open /proc/PID/ns/net or /run/netns/NAME.</param>
    /// <exception cref="SyscallException">Not a network namespace, or the socket's namespace may not number it.</exception>
    public static int NetnsId(NetlinkSocket socket, OwnedFd netns)
    {
        var id = KnownNetnsId(socket, netns);
        if (id >= 0)
            return id;

        var errno = socket.TryRequest(new NetlinkRequest(NewNsId, NetlinkRequest.Ack).Header(0u)
            .Attribute(NsFd, (uint)netns.Fd)
            .Attribute(NsIdOfNs, uint.MaxValue));
        if (errno is not 0 and not Errno.EEXIST)
            throw new SyscallException("RTM_NEWNSID", "network namespace", errno);
        return KnownNetnsId(socket, netns);
    }

    /// <summary>The number by which the socket's namespace knows another one; -1 when it has none.</summary>
    /// <exception cref="SyscallException">Not a network namespace.</exception>
    public static int KnownNetnsId(NetlinkSocket socket, OwnedFd netns)
    {
        var found = -1;
        socket.Request("RTM_GETNSID", "network namespace", new NetlinkRequest(GetNsId, NetlinkRequest.Ack).Header(0u).Attribute(NsFd, (uint)netns.Fd),
            (type, payload) =>
            {
                if (type == NewNsId)
                    found = new NetlinkAttributes(payload[4..]).Int(NsIdOfNs, -1);
            });
        return found;
    }

    /// <summary>
    /// The ends in one namespace of veth pairs whose other end is in another. Both ends must name each other: interface numbers alone are ambiguous, since each
    /// namespace counts from one.
    /// </summary>
    /// <param name="host">A fresh <see cref="Dump"/> of the one.</param>
    /// <param name="inside">And of the other, which the one knows as <paramref name="id"/> (<see cref="NetnsId"/>).</param>
    public static List<NetInterface> HostSides(IReadOnlyList<NetInterface> host, IReadOnlyList<NetInterface> inside, int id) =>
        host.Where(h => h.Kind == "veth" && h.PeerNetnsId == id
            && inside.Any(p => p.Kind == "veth" && p.Ifindex == h.PeerIfindex && p.PeerIfindex == h.Ifindex)).ToList();

    internal static NetInterface Parse(ReadOnlySpan<byte> payload)
    {
        var attributes = new NetlinkAttributes(payload[16..]);
        return new NetInterface(
            BinaryPrimitives.ReadInt32LittleEndian(payload[4..]),
            attributes.Text(IfName),
            attributes.Nested(IfLinkInfo).Text(IfInfoKind),
            attributes.Int(IfLink, 0),
            attributes.Int(IfLinkNetnsId, -1),
            BinaryPrimitives.ReadUInt32LittleEndian(payload[8..]),
            attributes.Int(IfMtu, 0),
            attributes.Byte(IfOperState, 0),
            MacAddress.Of(attributes.Bytes(IfAddress)),
            attributes.Int(IfMaster, 0));
    }
}
