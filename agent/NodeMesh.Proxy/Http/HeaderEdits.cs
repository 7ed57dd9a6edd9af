using System.Text;

namespace NodeMesh.Proxy.Http;

/// <summary>What is to differ when a head is written on: headers left out, lines appended, a new target or host. Pooled; never allocates once grown.</summary>
internal sealed class HeaderEdits
{
    private byte[] _scratch = new byte[1024];
    private int _used;
    private bool[] _dropped = new bool[32];
    private (Slice Name, Slice Value, bool Dropped)[] _appended = new (Slice, Slice, bool)[16];
    private Slice _target;
    private Slice _authority;

    public int AppendedCount { get; private set; }

    /// <summary>A new origin-form target (path and query), when set.</summary>
    public bool HasTarget { get; private set; }

    public ReadOnlySpan<byte> Target => Span(_target);

    /// <summary>A new Host, when set.</summary>
    public bool HasAuthority { get; private set; }

    public ReadOnlySpan<byte> Authority => Span(_authority);

    public void Reset()
    {
        _used = 0;
        AppendedCount = 0;
        HasTarget = HasAuthority = false;
        _dropped.AsSpan().Clear();
    }

    /// <summary>Leaves out header number <paramref name="index"/> of the head.</summary>
    public void Drop(int index)
    {
        if (index >= _dropped.Length)
            Array.Resize(ref _dropped, Math.Max(index + 1, _dropped.Length * 2));
        _dropped[index] = true;
    }

    public bool IsDropped(int index) => index < _dropped.Length && _dropped[index];

    /// <summary>Leaves out every header of that name: the head's own and those appended so far.</summary>
    public void Remove(HeaderBlock head, ReadOnlySpan<byte> name)
    {
        for (var i = head.IndexOf(name, 0); i >= 0; i = head.IndexOf(name, i + 1))
            Drop(i);
        for (var i = 0; i < AppendedCount; i++)
        {
            if (Ascii.EqualsIgnoreCase(Span(_appended[i].Name), name))
                _appended[i].Dropped = true;
        }
    }

    public void Append(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (AppendedCount == _appended.Length)
            Array.Resize(ref _appended, AppendedCount * 2);
        _appended[AppendedCount++] = (Store(name), Store(value), false);
    }

    /// <summary>Name and value from a plan, checked there to be header text.</summary>
    public void Append(string name, string value)
    {
        if (AppendedCount == _appended.Length)
            Array.Resize(ref _appended, AppendedCount * 2);
        _appended[AppendedCount++] = (Store(name), Store(value), false);
    }

    public bool IsAppendedDropped(int index) => _appended[index].Dropped;

    public ReadOnlySpan<byte> AppendedName(int index) => Span(_appended[index].Name);

    public ReadOnlySpan<byte> AppendedValue(int index) => Span(_appended[index].Value);

    public void SetTarget(ReadOnlySpan<byte> target)
    {
        _target = Store(target);
        HasTarget = true;
    }

    public void SetAuthority(string authority)
    {
        _authority = Store(authority);
        HasAuthority = true;
    }

    public void SetAuthority(ReadOnlySpan<byte> authority)
    {
        _authority = Store(authority);
        HasAuthority = true;
    }

    private ReadOnlySpan<byte> Span(Slice slice) => _scratch.AsSpan(slice.Offset, slice.Length);

    private Slice Store(ReadOnlySpan<byte> bytes)
    {
        Reserve(bytes.Length);
        bytes.CopyTo(_scratch.AsSpan(_used));
        var slice = new Slice(_used, bytes.Length);
        _used += bytes.Length;
        return slice;
    }

    private Slice Store(string text)
    {
        Reserve(Encoding.UTF8.GetMaxByteCount(text.Length));
        var n = Encoding.UTF8.GetBytes(text, _scratch.AsSpan(_used));
        var slice = new Slice(_used, n);
        _used += n;
        return slice;
    }

    private void Reserve(int length)
    {
        if (_scratch.Length - _used < length)
            Array.Resize(ref _scratch, Math.Max(_scratch.Length * 2, _used + length));
    }
}
