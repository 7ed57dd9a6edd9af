using System.Buffers.Binary;
using System.Globalization;

namespace NodeMesh.Native.Netlink;

/// <param name="type">RTM_*.</param>
/// <param name="payload">After the netlink header.</param>
internal delegate void NetlinkHandler(ushort type, ReadOnlySpan<byte> payload);

/// <summary>A netlink socket, for routes unless said otherwise, of the network namespace in which it was opened. One thread at a time.</summary>
public sealed unsafe class NetlinkSocket : IDisposable
{
    private const int FamilyNetlink = 16;
    private const int RawCloseOnExec = 3 | Libc.O_CLOEXEC;
    private const int SolNetlink = 270;
    private const int GetStrictCheck = 12;
    private const int Route = 0;
    private const ushort Error = 2;
    private const ushort Done = 3;
    private const ushort DumpInterrupted = 0x10;
    private const int Attempts = 10;

    private readonly OwnedFd _socket;
    private readonly byte[] _buffer = new byte[128 * 1024];
    private uint _sequence;

    /// <exception cref="SyscallException">socket(2) failed.</exception>
    public NetlinkSocket()
        : this(Route)
    {
    }

    /// <param name="protocol">NETLINK_*.</param>
    /// <exception cref="SyscallException">socket(2) failed.</exception>
    internal NetlinkSocket(int protocol)
    {
        var fd = Libc.Socket(FamilyNetlink, RawCloseOnExec, protocol);
        if (fd < 0)
            throw Libc.Failed("socket", "AF_NETLINK");
        _socket = new OwnedFd(fd);

        // Lets dumps be narrowed by interface; kernels that lack it ignore the filter and we filter ourselves.
        var on = 1;
        _ = Libc.SetSockOpt(fd, SolNetlink, GetStrictCheck, &on, sizeof(int));
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>Sends, and hands every answer to the handler until the kernel acknowledges. 0, or errno. A dump that changed underway is begun anew.</summary>
    /// <param name="reset">Forgets what the handler collected, before a dump is begun anew.</param>
    internal int TryRequest(NetlinkRequest request, NetlinkHandler? handler = null, Action? reset = null)
    {
        var errno = Errno.EINTR;
        for (var i = 0; i < Attempts && errno == Errno.EINTR; i++)
        {
            reset?.Invoke();
            errno = Exchange(request, handler);
        }

        return errno;
    }

    /// <exception cref="SyscallException">The kernel answered an error.</exception>
    internal void Request(string call, string subject, NetlinkRequest request, NetlinkHandler? handler = null, Action? reset = null)
    {
        var errno = TryRequest(request, handler, reset);
        if (errno != 0)
            throw new SyscallException(call, subject, errno);
    }

    private int Exchange(NetlinkRequest request, NetlinkHandler? handler)
    {
        var sequence = ++_sequence;
        var message = request.Finish(sequence);
        fixed (byte* start = message)
        {
            if (Libc.Send(_socket.Fd, start, (nuint)message.Length, 0) < 0)
                throw Libc.Failed("send", "AF_NETLINK");
        }

        var interrupted = false;
        while (true)
        {
            nint size;
            fixed (byte* start = _buffer)
                size = Libc.Receive(_socket.Fd, start, (nuint)_buffer.Length, 0);
            if (size < 0)
            {
                var failure = Libc.Failed("recv", "AF_NETLINK");
                if (failure.Errno == Errno.EINTR)
                    continue;
                throw failure;
            }

            for (ReadOnlySpan<byte> rest = _buffer.AsSpan(0, (int)size); rest.Length >= NetlinkRequest.HeaderSize;)
            {
                var length = BinaryPrimitives.ReadInt32LittleEndian(rest);
                if (length < NetlinkRequest.HeaderSize || length > rest.Length)
                    throw new SyscallException("recv", "AF_NETLINK", Errno.EINVAL, string.Create(CultureInfo.InvariantCulture, $"message of {length} bytes"));

                var type = BinaryPrimitives.ReadUInt16LittleEndian(rest[4..]);
                interrupted |= (BinaryPrimitives.ReadUInt16LittleEndian(rest[6..]) & DumpInterrupted) != 0;
                var payload = rest[NetlinkRequest.HeaderSize..length];
                if (BinaryPrimitives.ReadUInt32LittleEndian(rest[8..]) == sequence)
                {
                    if (type == Error)
                        return -BinaryPrimitives.ReadInt32LittleEndian(payload);
                    if (type == Done)
                        return interrupted ? Errno.EINTR : payload.Length >= 4 ? -BinaryPrimitives.ReadInt32LittleEndian(payload) : 0;
                    handler?.Invoke(type, payload);
                }

                rest = rest[Math.Min((length + 3) & ~3, rest.Length)..];
            }
        }
    }
}
