namespace NodeMesh.Proxy.Routing;

/// <summary>Percent encoding (RFC 3986 section 2.1).</summary>
internal static class Percent
{
    /// <summary>The byte an escape at the start of <paramref name="text"/> means; -1 when it is none.</summary>
    public static int ByteAt(ReadOnlySpan<byte> text)
    {
        if (text.Length < 3 || text[0] != '%')
            return -1;
        var high = Digit(text[1]);
        var low = Digit(text[2]);
        return high < 0 || low < 0 ? -1 : (high << 4) | low;
    }

    /// <summary>Decodes every escape; what only looks like one stays.</summary>
    /// <returns>Bytes written, never more than there were.</returns>
    public static int Decode(ReadOnlySpan<byte> text, Span<byte> into)
    {
        var written = 0;
        for (var i = 0; i < text.Length; i++)
        {
            var value = ByteAt(text[i..]);
            into[written++] = value < 0 ? text[i] : (byte)value;
            if (value >= 0)
                i += 2;
        }

        return written;
    }

    private static int Digit(byte b) => b switch
    {
        >= (byte)'0' and <= (byte)'9' => b - '0',
        >= (byte)'a' and <= (byte)'f' => b - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => b - 'A' + 10,
        _ => -1,
    };
}
