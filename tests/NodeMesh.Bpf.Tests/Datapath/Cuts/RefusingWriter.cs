using NodeMesh.Datapath.Tables;
using NodeMesh.Native.Bpf;

namespace NodeMesh.Bpf.Tests.Datapath.Cuts;

/// <summary>A kernel that has no room for a row: the one after so many, and, unless it is only for once, all further ones of the same table.</summary>
internal sealed class RefusingWriter(int rows, int errno, bool once) : IRowWriter
{
    private readonly RowWriter _kernel = new();
    private int _left = rows;

    /// <summary>The table that had no room; empty: it never came to that.</summary>
    public string Refused { get; private set; } = "";

    public int Set<TKey, TValue>(BpfMap<TKey, TValue> map, ReadOnlySpan<TKey> keys, ReadOnlySpan<TValue> values, out int failure)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        // The one row of nm_epoch is always there.
        if (map.Name == MapCatalog.Epoch)
            return _kernel.Set(map, keys, values, out failure);
        if (map.Name == Refused && !once)
        {
            failure = errno;
            return 0;
        }

        if (Refused.Length > 0 || _left >= keys.Length)
        {
            _left -= keys.Length;
            return _kernel.Set(map, keys, values, out failure);
        }

        Refused = map.Name;
        var done = _kernel.Set(map, keys[.._left], values[.._left], out failure);
        failure = errno;
        return done;
    }

    public int Remove<TKey, TValue>(BpfMap<TKey, TValue> map, ReadOnlySpan<TKey> keys, out int failure)
        where TKey : unmanaged
        where TValue : unmanaged => _kernel.Remove(map, keys, out failure);
}
