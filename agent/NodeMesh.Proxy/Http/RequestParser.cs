using System.Buffers.Text;

namespace NodeMesh.Proxy.Http;

/// <summary>Request heads (RFC 9112, 3 to 6). What two parsers could read differently is refused, never repaired.</summary>
internal static class RequestParser
{
    /// <summary>Parses one head from <paramref name="start"/>; slices of <paramref name="head"/> point into <paramref name="buffer"/>.</summary>
    public static ParseStatus Run(byte[] buffer, int start, int end, RequestHead head)
    {
        head.Clear(buffer);
        var bytes = buffer.AsSpan(start, end - start);
        var at = SkipEmptyLine(bytes);
        var status = RequestLine(bytes, start, ref at, head);
        if (status == ParseStatus.Complete)
            status = HeaderParser.Run(bytes, start, ref at, head);
        if (status == ParseStatus.NeedMore)
            return bytes.Length >= HeadLimits.Bytes ? ParseStatus.TooLarge : Unfinished(bytes);
        if (status != ParseStatus.Complete)
            return status;

        head.HeadLength = at;
        return at > HeadLimits.Bytes ? ParseStatus.TooLarge : Meaning(head);
    }

    /// <summary>One CRLF before the request line is let pass (RFC 9112, 2.2).</summary>
    private static int SkipEmptyLine(ReadOnlySpan<byte> bytes) => bytes.StartsWith("\r\n"u8) ? 2 : 0;

    /// <summary>An unfinished head that can no longer become a good one is refused now, not at the timeout.</summary>
    private static ParseStatus Unfinished(ReadOnlySpan<byte> bytes)
    {
        var lf = bytes.LastIndexOf((byte)'\n');
        return lf == 0 || (lf > 0 && bytes[lf - 1] != '\r') ? ParseStatus.Malformed : ParseStatus.NeedMore;
    }

    private static ParseStatus RequestLine(ReadOnlySpan<byte> bytes, int origin, ref int at, RequestHead head)
    {
        var line = bytes[at..];
        var methodEnd = line.IndexOfAnyExcept(HeaderChars.Token);
        if (methodEnd < 0)
            return line.Length > 64 ? ParseStatus.Malformed : ParseStatus.NeedMore;
        if (methodEnd == 0 && line.Length == 1 && line[0] == '\r')
            return ParseStatus.NeedMore;
        if (methodEnd is 0 or > 64 || line[methodEnd] != ' ')
            return ParseStatus.Malformed;

        var target = line[(methodEnd + 1)..];
        var targetEnd = target.IndexOfAnyExcept(HeaderChars.Target);
        if (targetEnd < 0)
            return ParseStatus.NeedMore;
        if (targetEnd == 0 || target[targetEnd] != ' ')
            return ParseStatus.Malformed;

        var version = target[(targetEnd + 1)..];
        var status = Version(version, head);
        if (status != ParseStatus.Complete)
            return status;

        head.MethodSlice = new Slice(origin + at, methodEnd);
        head.TargetSlice = new Slice(origin + at + methodEnd + 1, targetEnd);
        head.KnownMethod = Methods.Of(line[..methodEnd]);
        at += methodEnd + 1 + targetEnd + 1 + "HTTP/1.1\r\n".Length;
        return ParseStatus.Complete;
    }

    private static ParseStatus Version(ReadOnlySpan<byte> version, RequestHead head)
    {
        const int Length = 10;
        if (version.Length < Length)
        {
            return "HTTP/1.1\r\n"u8.StartsWith(version) || "HTTP/1.0\r\n"u8.StartsWith(version) || version.IndexOf((byte)'\n') < 0
                ? ParseStatus.NeedMore
                : ParseStatus.Malformed;
        }

        if (!version.StartsWith("HTTP/"u8))
            return ParseStatus.Malformed;
        if (version[8] != '\r' || version[9] != '\n' || version[6] != '.' || version[5] is < (byte)'0' or > (byte)'9')
            return ParseStatus.Malformed;
        if (version[5] != '1' || version[7] is not ((byte)'0' or (byte)'1'))
            return ParseStatus.Version;
        head.MinorVersion = version[7] - '0';
        return ParseStatus.Complete;
    }

    private static ParseStatus Meaning(RequestHead head)
    {
        var fields = new FramingFields();
        var isGood = fields.Read(head, head.MinorVersion);
        head.AuthoritySlice = fields.Host;
        if (!isGood)
            return ParseStatus.Malformed;
        if (fields.ExpectsMore)
            return ParseStatus.Expectation;
        if (fields.Hosts > 1 || (fields.Hosts == 0 && head.MinorVersion == 1))
            return ParseStatus.Malformed;

        head.ContentLength = fields.ContentLength;
        head.Framing = fields.IsChunked ? BodyFraming.Chunked : fields.ContentLength > 0 ? BodyFraming.Length : BodyFraming.None;
        head.KeepAlive = head.MinorVersion == 1 && !fields.Close;
        head.ExpectsContinue = fields.ExpectsContinue && head.MinorVersion == 1;
        head.Upgrade = fields.Upgrade && fields.HasUpgrade && head.MinorVersion == 1;
        return TargetForm(head, fields.Hosts == 1);
    }

    private static ParseStatus TargetForm(RequestHead head, bool hasHost)
    {
        if (hasHost && !IsAuthority(head.Authority))
            return ParseStatus.Malformed;
        if (head.KnownMethod == KnownMethod.Connect)
            return ParseStatus.Unsupported;

        var target = head.Target;
        if (target[0] != '/' && !(target.Length == 1 && target[0] == '*' && head.KnownMethod == KnownMethod.Options))
        {
            var status = AbsoluteForm(head, hasHost);
            if (status != ParseStatus.Complete)
                return status;
            target = head.Target;
        }

        var question = target.IndexOf((byte)'?');
        head.PathSlice = question < 0 ? head.TargetSlice : new Slice(head.TargetSlice.Offset, question);
        head.QuerySlice = question < 0 ? default : new Slice(head.TargetSlice.Offset + question + 1, target.Length - question - 1);
        return ParseStatus.Complete;
    }

    /// <summary>"http://host/path": the authority must be the Host header's, or the two readings would go to two places.</summary>
    private static ParseStatus AbsoluteForm(RequestHead head, bool hasHost)
    {
        var target = head.Target;
        var scheme = target.Length > 8 && Ascii.EqualsIgnoreCase(target[..8], "https://"u8) ? 8
            : target.Length > 7 && Ascii.EqualsIgnoreCase(target[..7], "http://"u8) ? 7 : 0;
        if (scheme == 0)
            return ParseStatus.Malformed;
        var slash = target[scheme..].IndexOf((byte)'/');
        if (slash < 0)
            return ParseStatus.Malformed;
        var authority = target.Slice(scheme, slash);
        if (!IsAuthority(authority) || (hasHost && !Ascii.EqualsIgnoreCase(authority, head.Authority)))
            return ParseStatus.Malformed;

        head.AuthoritySlice = new Slice(head.TargetSlice.Offset + scheme, slash);
        head.TargetSlice = new Slice(head.TargetSlice.Offset + scheme + slash, target.Length - scheme - slash);
        return ParseStatus.Complete;
    }

    /// <summary>host[:port] or [v6][:port], not empty, no user information.</summary>
    private static bool IsAuthority(ReadOnlySpan<byte> authority)
    {
        if (authority.IsEmpty || authority.Length > 255 + 6 || authority.IndexOfAnyExcept(HeaderChars.Authority) >= 0)
            return false;
        var host = authority;
        int colon;
        if (authority[0] == '[')
        {
            var close = authority.IndexOf((byte)']');
            if (close < 3)
                return false;
            host = authority[1..close];
            colon = close + 1 == authority.Length ? -1 : close + 1;
            if (colon > 0 && authority[colon] != ':')
                return false;
            return host.IndexOfAny((byte)'[', (byte)']') < 0 && (colon < 0 || IsPort(authority[(colon + 1)..]));
        }

        if (authority.IndexOfAny((byte)'[', (byte)']') >= 0)
            return false;
        colon = authority.IndexOf((byte)':');
        return colon != 0 && (colon < 0 || IsPort(authority[(colon + 1)..]));
    }

    private static bool IsPort(ReadOnlySpan<byte> text) =>
        text.Length is > 0 and <= 5 && Utf8Parser.TryParse(text, out uint port, out var used) && used == text.Length && port is > 0 and <= ushort.MaxValue;
}
