using System.Buffers.Binary;
using System.Net;

namespace NodeMesh.Native.Netlink;

/// <param name="Scope">RT_SCOPE_*: 0 global, 253 link, 254 host.</param>
public sealed record InterfaceAddress(int Ifindex, IPAddress Address, int PrefixLength, byte Scope);

/// <summary>Addresses of interfaces, both families.</summary>
public static class RtAddresses
{
    private const ushort NewAddress = 20;
    private const ushort GetAddress = 22;
    private const ushort Address = 1;
    private const ushort Local = 2;
    private const ushort TargetNetnsId = 10;

    /// <param name="netnsId">Of another namespace, by <see cref="RtLinks.NetnsId"/>; -1 for the socket's own.</param>
    /// <exception cref="SyscallException">The kernel refused.</exception>
    public static List<InterfaceAddress> Dump(NetlinkSocket socket, int netnsId = -1)
    {
        var request = new NetlinkRequest(GetAddress, NetlinkRequest.Dump).Header(0ul);
        if (netnsId >= 0)
            request.Attribute(TargetNetnsId, (uint)netnsId);

        var addresses = new List<InterfaceAddress>();
        socket.Request("RTM_GETADDR", "addresses", request, (type, payload) =>
        {
            if (type == NewAddress && Parse(payload) is { } address)
                addresses.Add(address);
        }, addresses.Clear);
        return addresses;
    }

    private static InterfaceAddress? Parse(ReadOnlySpan<byte> payload)
    {
        // On point-to-point links IFA_ADDRESS is the other side and IFA_LOCAL ours; IPv6 mostly has IFA_ADDRESS alone.
        var attributes = new NetlinkAttributes(payload[8..]);
        return attributes.TryGet(Local, out var bytes) || attributes.TryGet(Address, out bytes)
            ? new InterfaceAddress(BinaryPrimitives.ReadInt32LittleEndian(payload[4..]), new IPAddress(bytes), payload[1], payload[3])
            : null;
    }
}
