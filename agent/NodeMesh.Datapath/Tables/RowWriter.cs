using NodeMesh.Native.Bpf;

namespace NodeMesh.Datapath.Tables;

/// <summary>The one way on which a plan's rows get into the kernel and out of it.</summary>
internal interface IRowWriter
{
    /// <summary>Writes rows in order until one fails. How many were written; errno says why it stopped, 0 when all were.</summary>
    int Set<TKey, TValue>(BpfMap<TKey, TValue> map, ReadOnlySpan<TKey> keys, ReadOnlySpan<TValue> values, out int errno)
        where TKey : unmanaged
        where TValue : unmanaged;

    /// <summary>Removes keys in order until one fails; a missing key is no failure. How many are gone; errno says why it stopped.</summary>
    int Remove<TKey, TValue>(BpfMap<TKey, TValue> map, ReadOnlySpan<TKey> keys, out int errno)
        where TKey : unmanaged
        where TValue : unmanaged;
}

/// <summary>Straight into the kernel, many rows by one call.</summary>
internal sealed class RowWriter : IRowWriter
{
    public int Set<TKey, TValue>(BpfMap<TKey, TValue> map, ReadOnlySpan<TKey> keys, ReadOnlySpan<TValue> values, out int errno)
        where TKey : unmanaged
        where TValue : unmanaged => map.SetMany(keys, values, out errno);

    public int Remove<TKey, TValue>(BpfMap<TKey, TValue> map, ReadOnlySpan<TKey> keys, out int errno)
        where TKey : unmanaged
        where TValue : unmanaged => map.RemoveMany(keys, out errno);
}
