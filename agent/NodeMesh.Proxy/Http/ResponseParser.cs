namespace NodeMesh.Proxy.Http;

/// <summary>Response heads, read as strictly as requests: a backend must not be able to smuggle either.</summary>
internal static class ResponseParser
{
    /// <param name="toHead">The request was HEAD: no body follows whatever the headers say.</param>
    public static ParseStatus Run(byte[] buffer, int start, int end, ResponseHead head, bool toHead)
    {
        head.Clear(buffer);
        var bytes = buffer.AsSpan(start, end - start);
        var at = 0;
        var status = StatusLine(bytes, start, ref at, head);
        if (status == ParseStatus.Complete)
            status = HeaderParser.Run(bytes, start, ref at, head);
        if (status == ParseStatus.NeedMore)
            return bytes.Length >= HeadLimits.Bytes ? ParseStatus.TooLarge : ParseStatus.NeedMore;
        if (status != ParseStatus.Complete)
            return status;

        head.HeadLength = at;
        return at > HeadLimits.Bytes ? ParseStatus.TooLarge : Meaning(head, toHead);
    }

    private static ParseStatus StatusLine(ReadOnlySpan<byte> bytes, int origin, ref int at, ResponseHead head)
    {
        const int Fixed = 12; // HTTP/1.1 200
        if (bytes.Length < Fixed + 2)
        {
            var prefix = Math.Min(bytes.Length, 7);
            return bytes[..prefix].SequenceEqual("HTTP/1."u8[..prefix]) ? ParseStatus.NeedMore : ParseStatus.Malformed;
        }

        if (!bytes.StartsWith("HTTP/1."u8) || bytes[7] is not ((byte)'0' or (byte)'1') || bytes[8] != ' ')
            return ParseStatus.Malformed;
        int a = bytes[9] - '0', b = bytes[10] - '0', c = bytes[11] - '0';
        if (a is < 1 or > 9 || b is < 0 or > 9 || c is < 0 or > 9)
            return ParseStatus.Malformed;
        head.MinorVersion = bytes[7] - '0';
        head.Status = (a * 100) + (b * 10) + c;

        // "200 CRLF" without the blank is common enough to be let pass.
        if (bytes[Fixed] is not ((byte)' ' or (byte)'\r'))
            return ParseStatus.Malformed;
        var reason = bytes[Fixed] == ' ' ? Fixed + 1 : Fixed;
        var end = bytes[reason..].IndexOfAny(HeaderChars.ValueBreak);
        if (end < 0 || (bytes[reason + end] == '\r' && reason + end + 1 >= bytes.Length))
            return ParseStatus.NeedMore;
        if (bytes[reason + end] != '\r' || bytes[reason + end + 1] != '\n')
            return ParseStatus.Malformed;
        head.ReasonSlice = new Slice(origin + reason, end);
        at = reason + end + 2;
        return ParseStatus.Complete;
    }

    private static ParseStatus Meaning(ResponseHead head, bool toHead)
    {
        var fields = new FramingFields();
        if (!fields.Read(head, head.MinorVersion))
            return ParseStatus.Malformed;

        head.ContentLength = fields.ContentLength;
        var bodiless = toHead || head.Status is < 200 or 204 or 304;
        head.Framing = bodiless ? BodyFraming.None
            : fields.IsChunked ? BodyFraming.Chunked
            : fields.HasLength ? (head.ContentLength > 0 ? BodyFraming.Length : BodyFraming.None)
            : BodyFraming.UntilClose;
        head.KeepAlive = head.Framing != BodyFraming.UntilClose && !fields.Close && (head.MinorVersion == 1 || fields.KeepAlive);
        return ParseStatus.Complete;
    }
}
