using System.Buffers.Binary;
using System.Net;

namespace NodeMesh.Native.Netlink;

/// <param name="Inode">As /proc/PID/fd names it.</param>
public readonly record struct TcpListener(IPAddress Address, ushort Port, uint Inode);

/// <summary>
/// TCP sockets that listen in the network namespace in which this was made. /proc/net/tcp has them as well, but to read it to its end the kernel walks the
/// table of all connections. One thread at a time.
/// </summary>
public sealed class TcpListeners : IDisposable
{
    private const byte Tcp = 6;
    private const uint Listening = 1 << 10;

    private readonly NetlinkSocket _netlink = new(InetDiag.Netlink);

    public void Dispose() => _netlink.Dispose();

    /// <summary>Null when this kernel cannot tell so (no CONFIG_INET_DIAG).</summary>
    /// <exception cref="SyscallException">It failed otherwise.</exception>
    public IReadOnlyList<TcpListener>? Read()
    {
        var found = new List<TcpListener>();
        foreach (var family in (byte[])[InetDiag.Inet, InetDiag.Inet6])
        {
            var before = found.Count;
            var request = new NetlinkRequest(InetDiag.ByFamily, NetlinkRequest.Dump).Header(new InetDiag.Request { Family = family, Protocol = Tcp, States = Listening });
            var errno = _netlink.TryRequest(request, (_, payload) =>
            {
                if (payload.Length >= InetDiag.Size)
                    found.Add(Parse(payload, family == InetDiag.Inet6 ? 16 : 4));
            }, () => found.RemoveRange(before, found.Count - before));
            if (errno is Errno.ENOENT or Errno.EOPNOTSUPP or Errno.EINVAL)
                return null;
            if (errno != 0)
                throw new SyscallException("sock_diag", "TCP listeners", errno);
        }

        return found;
    }

    private static TcpListener Parse(ReadOnlySpan<byte> payload, int addressBytes) => new(
        new IPAddress(payload.Slice(InetDiag.IdAt + 4, addressBytes)),
        BinaryPrimitives.ReadUInt16BigEndian(payload[InetDiag.IdAt..]),
        BinaryPrimitives.ReadUInt32LittleEndian(payload[InetDiag.InodeAt..]));
}
