namespace NodeMesh.Proxy.Http;

/// <summary>What a head's fields say about its message and its connection, read in one pass, for requests and responses alike.</summary>
internal struct FramingFields
{
    private int _lengths;
    private int _encodings;

    public long ContentLength { get; private set; }

    public readonly bool HasLength => _lengths == 1;

    public readonly bool IsChunked => _encodings == 1;

    /// <summary>Connection: close, keep-alive, upgrade.</summary>
    public bool Close;
    public bool KeepAlive;
    public bool Upgrade;

    /// <summary>There is an Upgrade field.</summary>
    public bool HasUpgrade { get; private set; }

    public int Hosts { get; private set; }

    /// <summary>The last Host field's value.</summary>
    public Slice Host { get; private set; }

    public bool ExpectsContinue { get; private set; }

    /// <summary>Something else than 100-continue is expected.</summary>
    public bool ExpectsMore { get; private set; }

    /// <returns>False: malformed, or a length that two parsers could read differently.</returns>
    public bool Read(HeaderBlock head, int minorVersion)
    {
        for (var i = 0; i < head.HeaderCount; i++)
        {
            switch (head.HeaderIdAt(i))
            {
                case HeaderId.Host:
                    Hosts++;
                    Host = head.HeaderValueSlice(i);
                    break;
                case HeaderId.ContentLength:
                    _lengths++;
                    if (!HeaderParser.TryLength(head.HeaderValue(i), out var length))
                        return false;
                    ContentLength = length;
                    break;
                case HeaderId.TransferEncoding:
                    _encodings++;
                    if (!Ascii.EqualsIgnoreCase(head.HeaderValue(i), "chunked"u8))
                        return false;
                    break;
                case HeaderId.Connection:
                    if (!ConnectionTokens.Read(head.HeaderValue(i), ref Close, ref KeepAlive, ref Upgrade))
                        return false;
                    break;
                case HeaderId.Upgrade:
                    HasUpgrade = true;
                    break;
                case HeaderId.Expect:
                    if (Ascii.EqualsIgnoreCase(head.HeaderValue(i), "100-continue"u8))
                        ExpectsContinue = true;
                    else
                        ExpectsMore = true;
                    break;
            }
        }

        return _lengths + _encodings <= 1 && (_encodings == 0 || minorVersion == 1);
    }
}
