using System.Buffers.Binary;

namespace NodeMesh.Native.Netlink;

/// <param name="Links">Interfaces that came, changed or went.</param>
/// <param name="AddressesChanged">On any interface.</param>
/// <param name="Lost">The kernel dropped notices: what is known must be read anew.</param>
public readonly record struct LinkChanges(IReadOnlySet<int> Links, bool AddressesChanged, bool Lost)
{
    public bool Any => Links.Count > 0 || AddressesChanged || Lost;
}

/// <summary>Notices about interfaces and addresses of the network namespace in which it was opened. One thread at a time.</summary>
public sealed unsafe class LinkWatch : IDisposable
{
    private const int FamilyNetlink = 16;
    private const int RawNonBlocking = 3 | Libc.O_CLOEXEC | 0x800;
    private const uint Groups = 0x1 | 0x10 | 0x100; // RTMGRP_LINK, _IPV4_IFADDR, _IPV6_IFADDR
    private const short PollIn = 1;

    private readonly OwnedFd _socket;
    private readonly byte[] _buffer = new byte[64 * 1024];

    private struct Address
    {
        public ushort Family;
        public ushort Pad;
        public uint Pid;
        public uint Groups;
    }

    /// <exception cref="SyscallException">socket(2) or bind(2) failed.</exception>
    public LinkWatch()
    {
        var fd = Libc.Socket(FamilyNetlink, RawNonBlocking, 0);
        if (fd < 0)
            throw Libc.Failed("socket", "NETLINK_ROUTE");
        _socket = new OwnedFd(fd);
        var address = new Address { Family = FamilyNetlink, Groups = Groups };
        if (Libc.Bind(fd, &address, (uint)sizeof(Address)) < 0)
        {
            var failure = Libc.Failed("bind", "NETLINK_ROUTE");
            _socket.Dispose();
            throw failure;
        }
    }

    /// <summary>Readable when there are notices; for poll or epoll. Owned by this object.</summary>
    public int Fd => _socket.Fd;

    /// <summary>Whether there are notices, waiting at most so long.</summary>
    public bool Wait(TimeSpan timeout)
    {
        var poll = new Libc.PollFd { Fd = _socket.Fd, Events = PollIn };
        var result = Libc.Poll(&poll, 1, (int)timeout.TotalMilliseconds);
        return result > 0;
    }

    /// <summary>Takes all notices there are.</summary>
    /// <exception cref="SyscallException">recv(2) failed.</exception>
    public LinkChanges Drain()
    {
        var links = new HashSet<int>();
        bool addresses = false, lost = false;
        while (true)
        {
            nint size;
            fixed (byte* start = _buffer)
                size = Libc.Receive(_socket.Fd, start, (nuint)_buffer.Length, 0);
            if (size < 0)
            {
                var failure = Libc.Failed("recv", "NETLINK_ROUTE");
                if (failure.Errno == Errno.EAGAIN)
                    return new LinkChanges(links, addresses, lost);
                if (failure.Errno is not Errno.ENOBUFS and not Errno.EINTR)
                    throw failure;
                lost |= failure.Errno == Errno.ENOBUFS;
                continue;
            }

            for (ReadOnlySpan<byte> rest = _buffer.AsSpan(0, (int)size); rest.Length >= NetlinkRequest.HeaderSize + 8;)
            {
                var length = BinaryPrimitives.ReadInt32LittleEndian(rest);
                if (length < NetlinkRequest.HeaderSize || length > rest.Length)
                    break;
                switch (BinaryPrimitives.ReadUInt16LittleEndian(rest[4..]))
                {
                    case 16 or 17: // RTM_NEWLINK, RTM_DELLINK
                        links.Add(BinaryPrimitives.ReadInt32LittleEndian(rest[(NetlinkRequest.HeaderSize + 4)..]));
                        break;
                    case 20 or 21: // RTM_NEWADDR, RTM_DELADDR
                        addresses = true;
                        break;
                }

                rest = rest[Math.Min((length + 3) & ~3, rest.Length)..];
            }
        }
    }

    public void Dispose() => _socket.Dispose();
}
