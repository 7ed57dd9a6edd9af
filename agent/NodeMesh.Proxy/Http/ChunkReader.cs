namespace NodeMesh.Proxy.Http;

/// <summary>Follows a chunked body (RFC 9112, 7.1) byte for byte, so that it can be forwarded as it is. Chunk extensions are refused: nobody
/// uses them and parsers differ over them. A size line or trailer line is taken only when it is whole.</summary>
internal struct ChunkReader
{
    private enum Part : byte
    {
        Size,
        Data,
        DataEnd,
        Trailers,
        Done,
        Bad,
    }

    private Part _part;
    private long _left;
    private int _trailerBytes;

    public readonly bool IsDone => _part == Part.Done;

    public readonly bool IsBad => _part == Part.Bad;

    /// <summary>How many leading bytes are good to forward; stops behind the body's end.</summary>
    public int Scan(ReadOnlySpan<byte> bytes)
    {
        var total = 0;
        while (Next(bytes[total..], out var used, out _, out _))
            total += used;
        return total;
    }

    /// <summary>One step: a size line, a piece of data, or a trailer line.</summary>
    /// <returns>False when nothing was used: more bytes are needed, or the body is done or bad.</returns>
    public bool Next(ReadOnlySpan<byte> bytes, out int used, out int dataOffset, out int dataLength)
    {
        used = dataOffset = dataLength = 0;
        switch (_part)
        {
            case Part.Size:
                return Size(bytes, out used);
            case Part.Data:
                used = dataLength = (int)Math.Min(_left, bytes.Length);
                _left -= used;
                if (_left == 0)
                    _part = Part.DataEnd;
                return used > 0;
            case Part.DataEnd:
                return DataEnd(bytes, out used);
            case Part.Trailers:
                return Trailer(bytes, out used);
            default:
                return false;
        }
    }

    private bool Size(ReadOnlySpan<byte> bytes, out int used)
    {
        used = 0;
        long size = 0;
        var digits = 0;
        while (digits < bytes.Length && HexDigit(bytes[digits]) is var digit and >= 0)
        {
            // 15 digits stay clear of overflow.
            if (++digits > 15)
                return Fail();
            size = (size << 4) | (uint)digit;
        }

        var rest = bytes[digits..];
        if (rest.IsEmpty)
            return false;
        if (digits == 0 || rest[0] != '\r')
            return Fail();
        if (rest.Length == 1)
            return false;
        if (rest[1] != '\n')
            return Fail();
        _left = size;
        _part = size == 0 ? Part.Trailers : Part.Data;
        used = digits + 2;
        return true;
    }

    private bool DataEnd(ReadOnlySpan<byte> bytes, out int used)
    {
        used = 0;
        if (bytes.IsEmpty)
            return false;
        if (bytes[0] != '\r' || (bytes.Length > 1 && bytes[1] != '\n'))
            return Fail();
        if (bytes.Length == 1)
            return false;
        _part = Part.Size;
        used = 2;
        return true;
    }

    private bool Trailer(ReadOnlySpan<byte> bytes, out int used)
    {
        used = 0;
        var lf = bytes.IndexOf((byte)'\n');
        if (lf < 0)
            return bytes.Length + _trailerBytes > HeadLimits.TrailerBytes && Fail();
        if (lf == 0 || bytes[lf - 1] != '\r')
            return Fail();
        used = lf + 1;
        _trailerBytes += used;
        if (lf == 1)
        {
            _part = Part.Done;
            return true;
        }

        var line = bytes[..(lf - 1)];
        var colon = line.IndexOfAnyExcept(HeaderChars.Token);
        var good = colon > 0 && line[colon] == ':' && line.IndexOfAny(HeaderChars.ValueBreak) < 0 && _trailerBytes <= HeadLimits.TrailerBytes
            && HeaderIds.Of(line[..colon]) is HeaderId.Other or HeaderId.RequestId;
        if (good)
            return true;
        used = 0;
        return Fail();
    }

    private bool Fail()
    {
        _part = Part.Bad;
        return false;
    }

    private static int HexDigit(byte b) => b switch
    {
        >= (byte)'0' and <= (byte)'9' => b - '0',
        >= (byte)'a' and <= (byte)'f' => b - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => b - 'A' + 10,
        _ => -1,
    };
}
