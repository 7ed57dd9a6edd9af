namespace NodeMesh.Proxy.Http;

/// <summary>The Connection header (RFC 9110, 7.6.1).</summary>
internal static class ConnectionTokens
{
    /// <returns>False when it names a header that must travel (Host, Content-Length, Transfer-Encoding): an attempt to have it stripped.</returns>
    public static bool Read(ReadOnlySpan<byte> list, ref bool close, ref bool keepAlive, ref bool upgrade)
    {
        if (list.Length == 10 && Ascii.EqualsIgnoreCase(list, "keep-alive"u8))
        {
            keepAlive = true;
            return true;
        }

        while (HeaderParser.NextToken(ref list, out var token))
        {
            if (token.IndexOfAnyExcept(HeaderChars.Token) >= 0)
                return false;
            if (Ascii.EqualsIgnoreCase(token, "close"u8))
                close = true;
            else if (Ascii.EqualsIgnoreCase(token, "keep-alive"u8))
                keepAlive = true;
            else if (Ascii.EqualsIgnoreCase(token, "upgrade"u8))
                upgrade = true;
            else if (HeaderIds.Of(token) is HeaderId.Host or HeaderId.ContentLength or HeaderId.TransferEncoding)
                return false;
        }

        return true;
    }

    /// <summary>Marks what belongs to this hop only, so that it is not written on: the fixed names, and those that Connection lists.</summary>
    public static void DropHopByHop(HeaderBlock head, HeaderEdits edits)
    {
        for (var i = 0; i < head.HeaderCount; i++)
        {
            switch (head.HeaderIdAt(i))
            {
                case HeaderId.Connection:
                    edits.Drop(i);
                    DropListed(head, edits, head.HeaderValue(i));
                    break;
                case HeaderId.KeepAlive or HeaderId.ProxyConnection or HeaderId.Te or HeaderId.Upgrade or HeaderId.Expect
                    or HeaderId.ProxyAuthenticate or HeaderId.ProxyAuthorization:
                    edits.Drop(i);
                    break;
            }
        }
    }

    private static void DropListed(HeaderBlock head, HeaderEdits edits, ReadOnlySpan<byte> list)
    {
        while (HeaderParser.NextToken(ref list, out var token))
        {
            for (var i = head.IndexOf(token, 0); i >= 0; i = head.IndexOf(token, i + 1))
                edits.Drop(i);
        }
    }
}
