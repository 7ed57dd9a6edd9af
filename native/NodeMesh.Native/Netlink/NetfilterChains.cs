using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace NodeMesh.Native.Netlink;

/// <param name="Table">"nat", "kube-proxy".</param>
public readonly record struct NetfilterChain(string Table, string Name);

/// <summary>Names of netfilter's chains in this thread's network namespace. Loads no module that is not loaded.</summary>
public static unsafe class NetfilterChains
{
    private const int NetlinkNetfilter = 12;
    private const ushort Tables = 10 << 8;
    private const ushort NewChain = Tables | 3;
    private const ushort GetChain = Tables | 4;
    private const ushort ChainTable = 1;
    private const ushort ChainName = 3;

    /// <summary>struct nfgenmsg.</summary>
    private struct Header
    {
        public byte Family;
        public byte Version;
        public ushort Resource;
    }

    /// <summary>Of nftables, among them those of iptables where that stands on it; none where the kernel has no nftables.</summary>
    /// <exception cref="SyscallException">The kernel refused: EPERM without CAP_NET_ADMIN.</exception>
    public static IReadOnlyList<NetfilterChain> OfNftables()
    {
        using var netlink = new NetlinkSocket(NetlinkNetfilter);
        var chains = new List<NetfilterChain>();
        var errno = netlink.TryRequest(new NetlinkRequest(GetChain, NetlinkRequest.Dump).Header(new Header()), (type, payload) =>
        {
            if (type != NewChain)
                return;
            var attributes = new NetlinkAttributes(payload[sizeof(Header)..]);
            chains.Add(new NetfilterChain(attributes.Text(ChainTable), attributes.Text(ChainName)));
        }, chains.Clear);
        return errno switch
        {
            0 => chains,
            Errno.EINVAL or Errno.ENOENT or Errno.EOPNOTSUPP => [],
            _ => throw new SyscallException("NFT_MSG_GETCHAIN", "nftables", errno),
        };
    }

    /// <summary>Whether the nat table of legacy iptables has a chain whose name starts so.</summary>
    /// <exception cref="SyscallException">The kernel refused.</exception>
    public static bool HasLegacy(string prefix, bool ipv6)
    {
        // Asking for a table creates it; one that is in use is listed.
        var list = ipv6 ? "/proc/self/net/ip6_tables_names" : "/proc/self/net/ip_tables_names";
        if (!File.Exists(list) || !File.ReadLines(list).Contains("nat"))
            return false;
        const int NameSize = 32;
        const int GetInfo = 64;
        const int GetEntries = 65;
        var (family, level) = ipv6 ? (10, 41) : (2, 0);
        using var socket = new OwnedFd(Libc.Socket(family, 3 | Libc.O_CLOEXEC, 255));
        if (socket.IsInvalid)
            throw Libc.Failed("socket", "SOCK_RAW");

        // struct ipt_getinfo: name, five hooks twice and which are valid, number of entries, their size.
        var info = stackalloc byte[NameSize + (13 * sizeof(uint))];
        var infoSize = (uint)(NameSize + (13 * sizeof(uint)));
        "nat"u8.CopyTo(new Span<byte>(info, NameSize));
        if (Libc.GetSockOpt(socket.Fd, level, GetInfo, info, &infoSize) < 0)
            throw Libc.Failed("getsockopt(IPT_SO_GET_INFO)", "nat");
        var size = *(uint*)(info + NameSize + (12 * sizeof(uint)));

        // struct ipt_get_entries: name, size, eight-byte aligned entries. A chain begins with a rule that carries its name as a text.
        const int HeadSize = NameSize + 8;
        var total = HeadSize + size;
        var entries = (byte*)NativeMemory.AllocZeroed(total);
        try
        {
            "nat"u8.CopyTo(new Span<byte>(entries, NameSize));
            BinaryPrimitives.WriteUInt32LittleEndian(new Span<byte>(entries + NameSize, sizeof(uint)), size);
            if (Libc.GetSockOpt(socket.Fd, level, GetEntries, entries, &total) < 0)
                throw Libc.Failed("getsockopt(IPT_SO_GET_ENTRIES)", "nat");
            return new Span<byte>(entries, (int)total).IndexOf(Encoding.ASCII.GetBytes("ERROR\0").AsSpan()) >= 0
                && new Span<byte>(entries, (int)total).IndexOf(Encoding.ASCII.GetBytes(prefix).AsSpan()) >= 0;
        }
        finally
        {
            NativeMemory.Free(entries);
        }
    }
}
