using System.Runtime.InteropServices;

namespace NodeMesh.Native.Bpf;

/// <summary>Called once per record; the bytes are the ring's own and valid during the call.</summary>
public delegate void RingRecord(ReadOnlySpan<byte> record);

/// <summary>Consumer of a BPF ring buffer. One thread at a time.</summary>
public sealed unsafe class RingBuffer : IDisposable
{
    private readonly RingRecord _sink;
    private GCHandle _self;
    private nint _ring;
    private Exception? _thrown;

    /// <exception cref="BpfException">Not a ring buffer map, or no memory to map it.</exception>
    public RingBuffer(OwnedFd map, RingRecord sink)
    {
        _sink = sink;
        _self = GCHandle.Alloc(this);
        nint ring;
        var result = Libbpf.nm_ring_open(map.Fd, &OnRecord, GCHandle.ToIntPtr(_self), &ring);
        if (result < 0)
        {
            _self.Free();
            throw new BpfException("ring_open", "ring buffer", -result);
        }

        _ring = ring;
    }

    /// <summary>Readable when there are records and the program asked for a wake-up. Owned by this object.</summary>
    public int EpollFd => Libbpf.ring_buffer__epoll_fd(_ring);

    /// <summary>Hands all records there are to the sink. How many. What the sink throws comes out here, and the rest stays in the ring.</summary>
    public int Consume()
    {
        var result = Libbpf.ring_buffer__consume(_ring);
        if (_thrown is { } thrown)
        {
            _thrown = null;
            throw new InvalidOperationException("the consumer of ring records failed", thrown);
        }

        return result >= 0 ? result : throw new BpfException("ring_consume", "ring buffer", -result);
    }

    public void Dispose()
    {
        if (_ring == 0)
            return;
        Libbpf.ring_buffer__free(_ring);
        _ring = 0;
        _self.Free();
    }

    [UnmanagedCallersOnly]
    private static int OnRecord(nint context, byte* bytes, nuint size)
    {
        var self = (RingBuffer)GCHandle.FromIntPtr(context).Target!;
        try
        {
            self._sink(new ReadOnlySpan<byte>(bytes, (int)size));
            return 0;
        }
        catch (Exception e)
        {
            // An exception must not cross into C: it is kept and thrown by Consume.
            self._thrown = e;
            return -Errno.EINVAL;
        }
    }
}
