namespace NodeMesh.Proxy.Http;

/// <summary>Follows a body through a buffer, framing and all, so that the same bytes can be sent on without copying.</summary>
internal struct BodyFlow
{
    private BodyFraming _framing;
    private long _left;
    private ChunkReader _chunks;
    private bool _ended;

    /// <summary>Leading bytes of the unread buffer that are checked and may be sent on.</summary>
    public int Cleared;

    public readonly bool IsBad => _chunks.IsBad;

    /// <summary>All of the body was cleared (not necessarily sent yet).</summary>
    public readonly bool IsAllCleared => _ended;

    public readonly bool IsComplete => _ended && Cleared == 0;

    public readonly BodyFraming Framing => _framing;

    public void Start(BodyFraming framing, long length)
    {
        _framing = framing;
        _left = length;
        _chunks = default;
        Cleared = 0;
        _ended = framing == BodyFraming.None || (framing == BodyFraming.Length && length == 0);
    }

    /// <summary>Looks at what came behind the bytes already cleared.</summary>
    public void Clear(ReadOnlySpan<byte> unread)
    {
        if (_ended)
            return;
        var fresh = unread[Cleared..];
        switch (_framing)
        {
            case BodyFraming.Length:
                var n = (int)Math.Min(_left, fresh.Length);
                _left -= n;
                Cleared += n;
                _ended = _left == 0;
                break;
            case BodyFraming.Chunked:
                Cleared += _chunks.Scan(fresh);
                _ended = _chunks.IsDone;
                break;
            default:
                Cleared += fresh.Length;
                break;
        }
    }

    /// <summary>Chunked only: strips the framing in place.</summary>
    /// <returns>How many bytes at the front of <paramref name="unread"/> are used up, and how many data bytes now stand at the front.</returns>
    public (int Used, int Data) Decode(Span<byte> unread)
    {
        int used = 0, data = 0;
        while (_chunks.Next(unread[used..], out var step, out var offset, out var length))
        {
            if (length > 0)
                unread.Slice(used + offset, length).CopyTo(unread[data..]);
            data += length;
            used += step;
        }

        _ended = _chunks.IsDone;
        return (used, data);
    }

    /// <summary>The connection's end is the body's end.</summary>
    public void EndOfStream() => _ended = true;
}
