namespace NodeMesh.Proxy.Http;

/// <summary>A piece of a head's buffer.</summary>
internal readonly record struct Slice(int Offset, int Length)
{
    public int End => Offset + Length;
}

/// <summary>One header line: name and value as received, the value without surrounding blanks.</summary>
internal struct HeaderSlot
{
    public Slice Name;
    public Slice Value;
    public HeaderId Id;
}

/// <summary>Header lines in somebody else's buffer. Filled by the codec, valid until its stream ends; never allocates once grown.</summary>
internal abstract class HeaderBlock
{
    private HeaderSlot[] _slots = new HeaderSlot[32];

    /// <summary>Where every slice points into.</summary>
    public byte[] Buffer { get; private set; } = [];

    public int HeaderCount { get; private set; }

    public ReadOnlySpan<byte> Bytes(Slice slice) => Buffer.AsSpan(slice.Offset, slice.Length);

    /// <summary>As received, in any case.</summary>
    public ReadOnlySpan<byte> HeaderName(int index) => Bytes(_slots[index].Name);

    public ReadOnlySpan<byte> HeaderValue(int index) => Bytes(_slots[index].Value);

    public HeaderId HeaderIdAt(int index) => _slots[index].Id;

    public Slice HeaderValueSlice(int index) => _slots[index].Value;

    /// <summary>The first header of that name, compared without case.</summary>
    public bool TryGetHeader(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        var index = IndexOf(name, 0);
        value = index < 0 ? default : HeaderValue(index);
        return index >= 0;
    }

    public bool TryGetHeader(HeaderId id, out ReadOnlySpan<byte> value)
    {
        for (var i = 0; i < HeaderCount; i++)
        {
            if (_slots[i].Id != id)
                continue;
            value = Bytes(_slots[i].Value);
            return true;
        }

        value = default;
        return false;
    }

    /// <summary>Index of the next header of that name at or after <paramref name="from"/>; -1 when there is none.</summary>
    public int IndexOf(ReadOnlySpan<byte> name, int from)
    {
        for (var i = from; i < HeaderCount; i++)
        {
            if (_slots[i].Name.Length == name.Length && Ascii.EqualsIgnoreCase(Bytes(_slots[i].Name), name))
                return i;
        }

        return -1;
    }

    internal virtual void Clear(byte[] buffer)
    {
        Buffer = buffer;
        HeaderCount = 0;
    }

    internal void Add(Slice name, Slice value, HeaderId id)
    {
        if (HeaderCount == _slots.Length)
            Array.Resize(ref _slots, HeaderCount * 2);
        _slots[HeaderCount++] = new HeaderSlot { Name = name, Value = value, Id = id };
    }
}
