namespace NodeMesh.Proxy.Http;

/// <summary>Field lines, for requests, responses and trailers alike. Strict: CRLF only, no folding, no blank before the colon.</summary>
internal static class HeaderParser
{
    /// <summary>Reads lines up to and with the empty one.</summary>
    /// <param name="position">In: the first line; out: behind the empty line, when Complete.</param>
    public static ParseStatus Run(ReadOnlySpan<byte> bytes, int origin, ref int position, HeaderBlock head)
    {
        var at = position;
        while (true)
        {
            var rest = bytes[at..];
            if (rest.Length < 2)
                return rest.Length == 1 && rest[0] == '\n' ? ParseStatus.Malformed : ParseStatus.NeedMore;
            if (rest[0] == '\r')
            {
                if (rest[1] != '\n')
                    return ParseStatus.Malformed;
                position = at + 2;
                return ParseStatus.Complete;
            }

            if (head.HeaderCount == HeadLimits.Headers)
                return ParseStatus.TooLarge;
            var status = Line(rest, origin + at, head, out var used);
            if (status != ParseStatus.Complete)
                return status;
            at += used;
        }
    }

    /// <summary>One line, "name: value CRLF".</summary>
    internal static ParseStatus Line(ReadOnlySpan<byte> rest, int offset, HeaderBlock head, out int used)
    {
        used = 0;
        var colon = rest.IndexOfAnyExcept(HeaderChars.Token);
        if (colon < 0)
            return ParseStatus.NeedMore;
        if (colon == 0 || rest[colon] != ':')
            return ParseStatus.Malformed;

        var value = rest[(colon + 1)..];
        var end = value.IndexOfAny(HeaderChars.ValueBreak);
        if (end < 0)
            return ParseStatus.NeedMore;
        if (value[end] != '\r')
            return ParseStatus.Malformed;
        if (end + 1 >= value.Length)
            return ParseStatus.NeedMore;
        if (value[end + 1] != '\n')
            return ParseStatus.Malformed;

        int from = 0, to = end;
        while (from < to && value[from] is (byte)' ' or (byte)'\t')
            from++;
        while (to > from && value[to - 1] is (byte)' ' or (byte)'\t')
            to--;
        head.Add(new Slice(offset, colon), new Slice(offset + colon + 1 + from, to - from), HeaderIds.Of(rest[..colon]));
        used = colon + 1 + end + 2;
        return ParseStatus.Complete;
    }

    /// <summary>Digits only, at most 18 of them: no sign, no blank, no list.</summary>
    public static bool TryLength(ReadOnlySpan<byte> value, out long length)
    {
        length = 0;
        if (value.Length is 0 or > 18)
            return false;
        foreach (var b in value)
        {
            if (b is < (byte)'0' or > (byte)'9')
                return false;
            length = (length * 10) + (b - '0');
        }

        return true;
    }

    /// <summary>Takes the next element off a comma separated list.</summary>
    public static bool NextToken(ref ReadOnlySpan<byte> list, out ReadOnlySpan<byte> token)
    {
        while (!list.IsEmpty)
        {
            var comma = list.IndexOf((byte)',');
            token = (comma < 0 ? list : list[..comma]).Trim(" \t"u8);
            list = comma < 0 ? default : list[(comma + 1)..];
            if (!token.IsEmpty)
                return true;
        }

        token = default;
        return false;
    }
}
