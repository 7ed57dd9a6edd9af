namespace NodeMesh.Proxy.Engine;

/// <summary>Random UUIDs (version 4) for x-request-id: unique, not secret.</summary>
internal sealed class RequestIds(int seed)
{
    public const int Length = 36;
    private readonly Random _random = new(seed);

    public void Write(Span<byte> text)
    {
        Span<byte> bytes = stackalloc byte[16];
        _random.NextBytes(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0f) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3f) | 0x80);
        var hex = "0123456789abcdef"u8;
        var at = 0;
        for (var i = 0; i < 16; i++)
        {
            if (i is 4 or 6 or 8 or 10)
                text[at++] = (byte)'-';
            text[at++] = hex[bytes[i] >> 4];
            text[at++] = hex[bytes[i] & 15];
        }
    }
}
