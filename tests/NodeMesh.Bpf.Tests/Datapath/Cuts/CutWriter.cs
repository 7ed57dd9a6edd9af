using NodeMesh.Datapath.Tables;
using NodeMesh.Native.Bpf;

namespace NodeMesh.Bpf.Tests.Datapath.Cuts;

/// <summary>The agent died here.</summary>
internal sealed class CutException : Exception;

/// <summary>Writes so many rows and then dies, also in the middle of what would be one call.</summary>
internal sealed class CutWriter(int rows) : IRowWriter
{
    private readonly RowWriter _kernel = new();
    private int _left = rows;

    public int Set<TKey, TValue>(BpfMap<TKey, TValue> map, ReadOnlySpan<TKey> keys, ReadOnlySpan<TValue> values, out int errno)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        var some = Math.Min(_left, keys.Length);
        var done = _kernel.Set(map, keys[..some], values[..some], out errno);
        Spend(done, of: keys.Length, errno);
        return done;
    }

    public int Remove<TKey, TValue>(BpfMap<TKey, TValue> map, ReadOnlySpan<TKey> keys, out int errno)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        var some = Math.Min(_left, keys.Length);
        var done = _kernel.Remove(map, keys[..some], out errno);
        Spend(done, of: keys.Length, errno);
        return done;
    }

    private void Spend(int rows, int of, int errno)
    {
        _left -= rows;
        if (errno == 0 && rows < of)
            throw new CutException();
    }
}
