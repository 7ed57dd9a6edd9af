using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using NodeMesh.Model;
using NodeMesh.Native.Netlink;

namespace NodeMesh.Agent.Hosting;

/// <summary>Where processes of this node listen, the agent itself left out: what NodePorts and host ports must keep off. One thread at a time.</summary>
/// <param name="listeners">Asked first; what they cannot tell is read from <paramref name="procfs"/>.</param>
internal sealed class ListeningPorts(TcpListeners? listeners = null, string procfs = "/proc")
{
    private const string Listening = "0A";
    private const string Unconnected = "07";

    private HashSet<(BusyPort Port, string Inode)> _seen = [];

    /// <summary>As of the last <see cref="Refresh"/>.</summary>
    public ImmutableHashSet<BusyPort> Current { get; private set; } = [];

    /// <summary>Reads the kernel's tables. True when <see cref="Current"/> is another set now.</summary>
    /// <exception cref="IOException">They cannot be read.</exception>
    /// <exception cref="NodeMesh.Native.SyscallException">Likewise.</exception>
    public bool Refresh()
    {
        var (firstOwn, lastOwn) = ClientPorts();
        var seen = new HashSet<(BusyPort Port, string Inode)>();
        ReadTcp(seen);
        foreach (var table in new[] { "udp", "udp6" })
            Read(table, Protocol.Udp, Unconnected, seen);

        // A UDP socket in the range that the kernel gives to clients is most likely one; it comes and goes, and serves nobody.
        seen.RemoveWhere(s => s.Port.Protocol == Protocol.Udp && s.Port.Port >= firstOwn && s.Port.Port <= lastOwn);
        if (seen.SetEquals(_seen))
            return false;
        _seen = seen;
        var own = OwnSockets();
        var ports = seen.Where(s => !own.Contains(s.Inode)).Select(s => s.Port).ToImmutableHashSet();
        if (ports.SetEquals(Current))
            return false;
        Current = ports;
        return true;
    }

    private void ReadTcp(HashSet<(BusyPort Port, string Inode)> to)
    {
        if (listeners?.Read() is { } known)
        {
            foreach (var socket in known)
                to.Add((new BusyPort(Protocol.Tcp, IpAddr.From(socket.Address), socket.Port), socket.Inode.ToString(CultureInfo.InvariantCulture)));
            return;
        }

        foreach (var table in new[] { "tcp", "tcp6" })
            Read(table, Protocol.Tcp, Listening, to);
    }

    private void Read(string table, Protocol protocol, string state, HashSet<(BusyPort Port, string Inode)> to)
    {
        var path = Path.Combine(procfs, "net", table);
        if (!File.Exists(path))
            return; // a kernel without IPv6
        foreach (var line in File.ReadLines(path).Skip(1))
        {
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length < 10)
                continue;
            if (fields[3] == state)
                to.Add((Port(protocol, fields[1]), fields[9]));
            else if (protocol == Protocol.Tcp)
                return; // the kernel lists those that listen first, and there may be very many others
        }
    }

    /// <summary>"0100007F:1F90": words of the address as this machine stores them, then the port.</summary>
    private static BusyPort Port(Protocol protocol, string local)
    {
        var colon = local.IndexOf(':');
        Span<byte> bytes = stackalloc byte[16];
        var words = colon / 8;
        for (var i = 0; i < words; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes[(4 * i)..], uint.Parse(local.AsSpan(8 * i, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        var address = words == 1 ? IpAddr.FromIPv4(BinaryPrimitives.ReadUInt32BigEndian(bytes)) : IpAddr.FromBytes(bytes);
        return new BusyPort(protocol, address, ushort.Parse(local.AsSpan(colon + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
    }

    private (int First, int Last) ClientPorts()
    {
        var range = File.ReadAllText(Path.Combine(procfs, "sys/net/ipv4/ip_local_port_range")).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return (int.Parse(range[0], CultureInfo.InvariantCulture), int.Parse(range[1], CultureInfo.InvariantCulture));
    }

    private HashSet<string> OwnSockets()
    {
        const string prefix = "socket:[";
        var own = new HashSet<string>(StringComparer.Ordinal);
        foreach (var fd in new DirectoryInfo(Path.Combine(procfs, "self/fd")).EnumerateFileSystemInfos())
            if (fd.LinkTarget is { } target && target.StartsWith(prefix, StringComparison.Ordinal))
                own.Add(target[prefix.Length..^1]);
        return own;
    }
}
