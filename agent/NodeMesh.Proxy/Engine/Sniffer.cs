namespace NodeMesh.Proxy.Engine;

internal enum SniffResult : byte
{
    Undecided,
    Http,
    Other,
}

/// <summary>Tells an HTTP/1 request line by its start: METHOD, a blank, and a target that begins with "/", "*" or "http".</summary>
internal static class Sniffer
{
    private const int LongestMethod = 20;

    public static SniffResult Look(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.IndexOfAnyExceptInRange((byte)'A', (byte)'Z');
        if (end < 0)
            return bytes.Length > LongestMethod ? SniffResult.Other : SniffResult.Undecided;
        if (end is 0 or > LongestMethod || bytes[end] != ' ')
            return SniffResult.Other;
        if (end + 1 == bytes.Length)
            return SniffResult.Undecided;

        // The preface of HTTP/2 (PRI * HTTP/2.0) is not ours to read yet: it passes as bytes.
        if (bytes[..end].SequenceEqual("PRI"u8))
            return SniffResult.Other;
        return bytes[end + 1] is (byte)'/' or (byte)'*' or (byte)'h' or (byte)'H' ? SniffResult.Http : SniffResult.Other;
    }
}
