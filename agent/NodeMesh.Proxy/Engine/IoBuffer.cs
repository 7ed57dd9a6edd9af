namespace NodeMesh.Proxy.Engine;

/// <summary>Bytes between a read and a write. [Start, End) is unread; nothing below Floor may be overwritten (a head that is still looked at).</summary>
internal sealed class IoBuffer(int size)
{
    /// <summary>Pinned, so that the kernel can be given its address without moving costs.</summary>
    public readonly byte[] Array = GC.AllocateUninitializedArray<byte>(size, pinned: true);

    public int Start;
    public int End;
    public int Floor;

    public int Length => End - Start;

    public bool IsEmpty => Start == End;

    public int Room => Array.Length - End;

    public ReadOnlySpan<byte> Unread => Array.AsSpan(Start, End - Start);

    public Span<byte> Free => Array.AsSpan(End);

    public void Clear() => Start = End = Floor = 0;

    /// <summary>Takes bytes off the front; an emptied buffer starts again at its floor.</summary>
    public void Consume(int count)
    {
        Start += count;
        if (Start == End)
            Start = End = Floor;
    }

    /// <summary>Moves what is unread down to the floor, when there is something to gain.</summary>
    public void Compact()
    {
        if (Start == Floor)
            return;
        Unread.CopyTo(Array.AsSpan(Floor));
        End = Floor + Length;
        Start = Floor;
    }

    public bool TryAppend(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > Room)
            return false;
        bytes.CopyTo(Free);
        End += bytes.Length;
        return true;
    }
}

/// <summary>Buffers of one worker. An idle connection holds none.</summary>
internal sealed class BufferPool
{
    /// <summary>The ordinary size: what one direction of one connection may hold.</summary>
    public const int Small = 32 * 1024;

    /// <summary>For heads that outgrow the ordinary size, up to <see cref="Http.HeadLimits.Bytes"/> with room for a body behind.</summary>
    public const int Large = 128 * 1024;

    private const int KeepSmall = 1024;
    private const int KeepLarge = 16;
    private readonly Stack<IoBuffer> _small = new(KeepSmall);
    private readonly Stack<IoBuffer> _large = new(KeepLarge);

    /// <summary>Buffers out with connections.</summary>
    public int Rented { get; private set; }

    public IoBuffer Rent(int size = Small)
    {
        Rented++;
        var pool = size <= Small ? _small : _large;
        return pool.TryPop(out var buffer) ? buffer : new IoBuffer(size <= Small ? Small : Large);
    }

    public void Return(IoBuffer buffer)
    {
        Rented--;
        buffer.Clear();
        if (buffer.Array.Length == Small && _small.Count < KeepSmall)
            _small.Push(buffer);
        else if (buffer.Array.Length == Large && _large.Count < KeepLarge)
            _large.Push(buffer);
    }
}
