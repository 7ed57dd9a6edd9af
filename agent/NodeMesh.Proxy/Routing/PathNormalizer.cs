namespace NodeMesh.Proxy.Routing;

internal enum PathVerdict
{
    Normal,

    /// <summary>Two servers could take it for two different paths.</summary>
    Ambiguous,
}

/// <summary>The form of a path that policies are judged by: escapes decoded once, dot segments removed (RFC 3986 section 5.2.4), runs of slashes
/// made one. Only the judge sees it; the path is forwarded as it came.</summary>
/// <remarks>Refused as ambiguous: %2F, %5C and backslash (a separator to some), encoded control characters, a "%" that starts no escape,
/// segments like "..;x" (path parameters hide dot segments from some), ".." together with empty segments (the order of the two steps matters).</remarks>
internal static class PathNormalizer
{
    /// <param name="into">At least as long as <paramref name="path"/>.</param>
    public static PathVerdict Run(ReadOnlySpan<byte> path, Span<byte> into, out int length)
    {
        length = 0;
        if (path.IsEmpty || path[0] != '/')
        {
            path.CopyTo(into);
            length = path.Length;
            return path is [(byte)'*'] ? PathVerdict.Normal : PathVerdict.Ambiguous;
        }

        var decoded = 0;
        for (var i = 0; i < path.Length; i++)
        {
            int b = path[i];
            if (b == '%')
            {
                b = Percent.ByteAt(path[i..]);
                if (b is < 0x20 or 0x7f or '/' or '\\')
                    return PathVerdict.Ambiguous;
                i += 2;
            }
            else if (b == '\\')
            {
                return PathVerdict.Ambiguous;
            }

            into[decoded++] = (byte)b;
        }

        return Segments(into[..decoded], out length);
    }

    /// <summary>In place: what is written never overtakes what is read.</summary>
    private static PathVerdict Segments(Span<byte> path, out int length)
    {
        bool empty = false, up = false;
        int written = 0, at = 0;
        length = 0;
        while (at < path.Length)
        {
            // path[at] is a slash.
            var rest = path[(at + 1)..];
            var size = rest.IndexOf((byte)'/');
            var last = size < 0;
            if (last)
                size = rest.Length;
            var segment = rest[..size];
            at += 1 + size;

            if (segment.StartsWith(".;"u8) || segment.StartsWith("..;"u8))
                return PathVerdict.Ambiguous;
            if (segment is [] && !last)
            {
                empty = true;
            }
            else if (segment is [(byte)'.'])
            {
                if (last)
                    path[written++] = (byte)'/';
            }
            else if (segment is [(byte)'.', (byte)'.'])
            {
                up = true;
                written = Math.Max(0, path[..written].LastIndexOf((byte)'/'));
                if (last)
                    path[written++] = (byte)'/';
            }
            else
            {
                path[written++] = (byte)'/';
                segment.CopyTo(path[written..]);
                written += size;
            }
        }

        length = written;
        return empty && up ? PathVerdict.Ambiguous : PathVerdict.Normal;
    }
}
