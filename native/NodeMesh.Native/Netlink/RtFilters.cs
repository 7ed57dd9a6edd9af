using System.Buffers.Binary;

namespace NodeMesh.Native.Netlink;

/// <param name="ProgramId">0 when the kernel does not say.</param>
public sealed record BpfFilter(int Ifindex, bool Ingress, uint Preference, uint Handle, string Name, uint ProgramId);

/// <summary>clsact and its direct-action BPF filters: the way onto an interface before tcx (kernel 6.6).</summary>
public static class RtFilters
{
    private const ushort NewQdisc = 36;
    private const ushort DelQdisc = 37;
    private const ushort NewFilter = 44;
    private const ushort DelFilter = 45;
    private const ushort GetFilter = 46;
    private const uint ClsactHandle = 0xffff0000;
    private const uint ClsactParent = 0xfffffff1;
    private const uint IngressParent = 0xfffffff2;
    private const uint EgressParent = 0xfffffff3;
    private const uint AllProtocols = 0x0300; // ETH_P_ALL in network order
    private const ushort Kind = 1;
    private const ushort Options = 2;
    private const ushort BpfFd = 6;
    private const ushort BpfName = 7;
    private const ushort BpfFlags = 8;
    private const ushort BpfId = 11;
    private const uint DirectAction = 1;

    private struct Header
    {
        public byte Family;
        public byte Pad1;
        public ushort Pad2;
        public int Ifindex;
        public uint Handle;
        public uint Parent;
        public uint Info;
    }

    /// <summary>Adds clsact to an interface. No error when it is there already.</summary>
    /// <exception cref="SyscallException">ENODEV: no such interface.</exception>
    public static void AddClsact(NetlinkSocket socket, int ifindex)
    {
        var errno = socket.TryRequest(
            new NetlinkRequest(NewQdisc, NetlinkRequest.Create | NetlinkRequest.Exclusive | NetlinkRequest.Ack)
                .Header(new Header { Ifindex = ifindex, Handle = ClsactHandle, Parent = ClsactParent })
                .Attribute(Kind, "clsact"));
        if (errno is not 0 and not Errno.EEXIST)
            throw new SyscallException("RTM_NEWQDISC", $"clsact at ifindex {ifindex}", errno);
    }

    /// <summary>Removes clsact with all its filters, whoever's they are. No error when it is not there.</summary>
    public static void RemoveClsact(NetlinkSocket socket, int ifindex)
    {
        var errno = socket.TryRequest(
            new NetlinkRequest(DelQdisc, NetlinkRequest.Ack).Header(new Header { Ifindex = ifindex, Handle = ClsactHandle, Parent = ClsactParent }));
        if (errno is not 0 and not Errno.ENOENT and not Errno.ENODEV and not Errno.EINVAL)
            throw new SyscallException("RTM_DELQDISC", $"clsact at ifindex {ifindex}", errno);
    }

    /// <summary>Adds a filter, or swaps the program of the one with the same preference and handle.</summary>
    /// <param name="preference">1 runs first.</param>
    /// <param name="name">Shown by tc, and how ours are told from others'.</param>
    /// <exception cref="SyscallException">The kernel refused.</exception>
    public static void Set(NetlinkSocket socket, int ifindex, bool ingress, ushort preference, uint handle, int programFd, string name) =>
        socket.Request("RTM_NEWTFILTER", $"{name} at ifindex {ifindex}",
            new NetlinkRequest(NewFilter, NetlinkRequest.Create | NetlinkRequest.Ack)
                .Header(new Header
                {
                    Ifindex = ifindex,
                    Handle = handle,
                    Parent = ingress ? IngressParent : EgressParent,
                    Info = ((uint)preference << 16) | AllProtocols,
                })
                .Attribute(Kind, "bpf")
                .Nest(Options, o => o.Attribute(BpfFd, (uint)programFd).Attribute(BpfName, name).Attribute(BpfFlags, DirectAction)));

    /// <summary>No error when it is not there, nor its interface.</summary>
    public static void Remove(NetlinkSocket socket, BpfFilter filter)
    {
        var errno = socket.TryRequest(
            new NetlinkRequest(DelFilter, NetlinkRequest.Ack)
                .Header(new Header
                {
                    Ifindex = filter.Ifindex,
                    Handle = filter.Handle,
                    Parent = filter.Ingress ? IngressParent : EgressParent,
                    Info = (filter.Preference << 16) | AllProtocols,
                })
                .Attribute(Kind, "bpf"));
        if (errno is not 0 and not Errno.ENOENT and not Errno.ENODEV and not Errno.EINVAL)
            throw new SyscallException("RTM_DELTFILTER", $"{filter.Name} at ifindex {filter.Ifindex}", errno);
    }

    /// <summary>BPF filters of one interface and direction, in the order in which they run. Empty without clsact.</summary>
    public static List<BpfFilter> Dump(NetlinkSocket socket, int ifindex, bool ingress)
    {
        var filters = new List<BpfFilter>();
        var errno = socket.TryRequest(
            new NetlinkRequest(GetFilter, NetlinkRequest.Dump).Header(new Header { Ifindex = ifindex, Parent = ingress ? IngressParent : EgressParent }),
            (type, payload) =>
            {
                var attributes = new NetlinkAttributes(payload[20..]);
                var options = attributes.Nested(Options);
                var handle = BinaryPrimitives.ReadUInt32LittleEndian(payload[8..]);
                if (type != NewFilter || handle == 0 || attributes.Text(Kind) != "bpf")
                    return;
                filters.Add(new BpfFilter(
                    ifindex, ingress, BinaryPrimitives.ReadUInt32LittleEndian(payload[16..]) >> 16, handle, options.Text(BpfName), (uint)options.Int(BpfId, 0)));
            }, filters.Clear);
        return errno is 0 or Errno.EINVAL or Errno.ENOENT or Errno.ENODEV ? filters : throw new SyscallException("RTM_GETTFILTER", $"ifindex {ifindex}", errno);
    }
}
