using System.Buffers;

namespace NodeMesh.Proxy.Http;

/// <summary>Character sets of RFC 9110 and 9112, for vectorised scans.</summary>
internal static class HeaderChars
{
    /// <summary>tchar (RFC 9110, 5.6.2).</summary>
    public static readonly SearchValues<byte> Token =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"u8);

    /// <summary>What ends or breaks a field value: every control but HTAB (RFC 9110, 5.5).</summary>
    public static readonly SearchValues<byte> ValueBreak = SearchValues.Create(Controls());

    /// <summary>A request target: printable ASCII without what is never sent unencoded and is read in two ways by somebody: # \ and angle brackets.</summary>
    public static readonly SearchValues<byte> Target = SearchValues.Create(
        "!\"$%&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~"u8);

    /// <summary>Host names, IPv6 literals and the port: uri-host without percent encoding and user information.</summary>
    public static readonly SearchValues<byte> Authority =
        SearchValues.Create("-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:[]"u8);

    private static byte[] Controls()
    {
        var set = new List<byte>();
        for (var b = 0; b < 32; b++)
        {
            if (b != '\t')
                set.Add((byte)b);
        }

        set.Add(0x7f);
        return [.. set];
    }
}
