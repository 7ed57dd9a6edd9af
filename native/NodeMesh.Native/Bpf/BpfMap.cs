using System.Runtime.CompilerServices;

namespace NodeMesh.Native.Bpf;

/// <summary>A kernel map of fixed-size keys and values (not per CPU: <see cref="PerCpuMap{TKey,TValue}"/>).</summary>
public sealed unsafe class BpfMap<TKey, TValue> : IDisposable
    where TKey : unmanaged
    where TValue : unmanaged
{
    private const int ReadChunk = 4096;

    private readonly OwnedFd _map;

    /// <summary>Takes the descriptor over.</summary>
    /// <exception cref="BpfException">EINVAL: keys or values have another size, or the map is per CPU.</exception>
    public BpfMap(OwnedFd map, string name)
    {
        _map = map;
        Name = name;
        Facts = MapFacts.Of(map, name);
        if (Facts.KeySize != sizeof(TKey) || Facts.ValueSize != sizeof(TValue) || Facts.IsPerCpu)
        {
            map.Dispose();
            throw new BpfException("open_map", name, Errno.EINVAL,
                $"the kernel has {Facts.KeySize} and {Facts.ValueSize} bytes, this program {sizeof(TKey)} and {sizeof(TValue)}");
        }
    }

    public string Name { get; }

    public MapFacts Facts { get; }

    internal OwnedFd Handle => _map;

    /// <summary>False when there is no such key.</summary>
    public bool TryGet(in TKey key, out TValue value)
    {
        int result;
        fixed (TKey* k = &key)
        fixed (TValue* v = &value)
            result = Libbpf.bpf_map_lookup_elem(_map.Fd, k, v);
        GC.KeepAlive(this);
        if (result is not 0 and not -Errno.ENOENT)
            throw new BpfException("map_lookup", Name, -result);
        return result == 0;
    }

    /// <summary>0, or errno: E2BIG or ENOSPC when the map is full.</summary>
    public int TrySet(in TKey key, in TValue value)
    {
        fixed (TKey* k = &key)
        fixed (TValue* v = &value)
            return -Libbpf.bpf_map_update_elem(_map.Fd, k, v, 0);
    }

    /// <exception cref="BpfException">The kernel refused.</exception>
    public void Set(in TKey key, in TValue value)
    {
        var errno = TrySet(key, value);
        if (errno != 0)
            throw new BpfException("map_update", Name, errno);
    }

    /// <summary>False when there was no such key.</summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public bool Remove(in TKey key)
    {
        int result;
        fixed (TKey* k = &key)
            result = Libbpf.bpf_map_delete_elem(_map.Fd, k);
        if (result is not 0 and not -Errno.ENOENT)
            throw new BpfException("map_delete", Name, -result);
        return result == 0;
    }

    /// <summary>Removes a row and says what it held, as one step. False when there was no such key.</summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public bool TryTake(in TKey key, out TValue value)
    {
        int result;
        fixed (TKey* k = &key)
        fixed (TValue* v = &value)
            result = Libbpf.bpf_map_lookup_and_delete_elem(_map.Fd, k, v);
        if (result is not 0 and not -Errno.ENOENT)
            throw new BpfException("map_take", Name, -result);
        return result == 0;
    }

    /// <summary>Writes a row unless the key has one. Whether it was written.</summary>
    /// <exception cref="BpfException">The kernel refused for another reason.</exception>
    public bool TryAdd(in TKey key, in TValue value)
    {
        const ulong NoExist = 1; // BPF_NOEXIST
        int result;
        fixed (TKey* k = &key)
        fixed (TValue* v = &value)
            result = Libbpf.bpf_map_update_elem(_map.Fd, k, v, NoExist);
        if (result is not 0 and not -Errno.EEXIST)
            throw new BpfException("map_update", Name, -result);
        return result == 0;
    }

    /// <summary>Writes rows in order until one fails. How many were written; errno says why it stopped, 0 when all were.</summary>
    public int SetMany(ReadOnlySpan<TKey> keys, ReadOnlySpan<TValue> values, out int errno)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, keys.Length);
        errno = 0;
        if (keys.IsEmpty)
            return 0;

        var count = (uint)keys.Length;
        fixed (TKey* k = keys)
        fixed (TValue* v = values)
        {
            errno = -Libbpf.nm_map_batch_update(_map.Fd, k, v, &count);
            if (errno == 0)
                return keys.Length;

            // The kernel writes the count when it stops on the way; untouched, it never began.
            if (!IsUnsupported(errno))
                return count < keys.Length ? (int)count : 0;

            for (var i = 0; i < keys.Length; i++)
            {
                errno = -Libbpf.bpf_map_update_elem(_map.Fd, k + i, v + i, 0);
                if (errno != 0)
                    return i;
            }
        }

        return keys.Length;
    }

    /// <summary>Removes keys in order until one fails; a missing key is no failure. How many are gone; errno says why it stopped.</summary>
    public int RemoveMany(ReadOnlySpan<TKey> keys, out int errno)
    {
        errno = 0;
        var done = 0;
        fixed (TKey* k = keys)
        {
            while (done < keys.Length)
            {
                var count = (uint)(keys.Length - done);
                errno = -Libbpf.nm_map_batch_delete(_map.Fd, k + done, &count);
                if (errno == 0)
                    return keys.Length;

                if (IsUnsupported(errno))
                {
                    errno = -Libbpf.bpf_map_delete_elem(_map.Fd, k + done);
                    count = errno == 0 ? 1u : 0;
                }
                else if (count == keys.Length - done)
                {
                    count = 0;
                }

                done += (int)count;
                if (errno == Errno.ENOENT)
                    done++;
                else if (errno != 0)
                    return done;
            }
        }

        errno = 0;
        return keys.Length;
    }

    /// <summary>All rows. Rows written meanwhile may or may not be among them.</summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public Dictionary<TKey, TValue> ReadAll()
    {
        var rows = new Dictionary<TKey, TValue>();
        var errno = ReadInBatches((keys, values) =>
        {
            for (var i = 0; i < keys.Length; i++)
                rows[keys[i]] = values[i];
        });
        if (IsUnsupported(errno))
        {
            rows.Clear();
            errno = ReadOneByOne(rows);
        }

        return errno == 0 ? rows : throw new BpfException("map_read", Name, errno);
    }

    /// <summary>Hands over all rows, some thousand at a time. The spans hold only during the call.</summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public void ReadAll(RowBatch take)
    {
        var errno = ReadInBatches(take);
        if (errno != 0)
            throw new BpfException("map_read", Name, errno);
    }

    /// <summary>How many rows there are, without keeping them. Reading does not make a row count as used.</summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public int Count()
    {
        var rows = 0;
        var errno = ReadInBatches((keys, _) => rows += keys.Length);
        if (IsUnsupported(errno))
            return ReadAll().Count;
        return errno == 0 ? rows : throw new BpfException("map_read", Name, errno);
    }

    /// <exception cref="BpfException">EEXIST: something is pinned there.</exception>
    public void Pin(string path) => MapFacts.Pin(_map, path);

    public void Dispose() => _map.Dispose();

    private static bool IsUnsupported(int errno) => errno is Errno.ENOTSUPP or Errno.EOPNOTSUPP or Errno.EINVAL;

    /// <summary>Some rows: a value for each key.</summary>
    public delegate void RowBatch(ReadOnlySpan<TKey> keys, ReadOnlySpan<TValue> values);

    private int ReadInBatches(RowBatch take)
    {
        var keys = new TKey[ReadChunk];
        var values = new TValue[ReadChunk];

        // The cursor is a bucket number for hashes and a key for tries.
        var cursor = new byte[Math.Max(sizeof(TKey), sizeof(ulong))];
        var first = true;
        while (true)
        {
            var count = (uint)keys.Length;
            int errno;
            fixed (TKey* k = keys)
            fixed (TValue* v = values)
            fixed (byte* c = cursor)
                errno = -Libbpf.nm_map_batch_lookup(_map.Fd, first ? null : c, c, k, v, &count);
            if (errno == Errno.ENOSPC)
            {
                // One bucket holds more than there is room for; nothing was read.
                keys = new TKey[keys.Length * 2];
                values = new TValue[keys.Length];
                continue;
            }

            if (errno is not 0 and not Errno.ENOENT)
                return errno;
            take(keys.AsSpan(0, (int)count), values.AsSpan(0, (int)count));
            if (errno == Errno.ENOENT)
                return 0;
            first = false;
        }
    }

    private int ReadOneByOne(Dictionary<TKey, TValue> rows)
    {
        TKey key, next;
        TValue value;
        var errno = -Libbpf.bpf_map_get_next_key(_map.Fd, null, &next);
        while (errno == 0)
        {
            key = next;
            if (Libbpf.bpf_map_lookup_elem(_map.Fd, &key, &value) == 0)
                rows[key] = value;
            errno = -Libbpf.bpf_map_get_next_key(_map.Fd, &key, &next);
        }

        return errno == Errno.ENOENT ? 0 : errno;
    }
}

/// <summary>A per-CPU map, read only.</summary>
public sealed unsafe class PerCpuMap<TKey, TValue> : IDisposable
    where TKey : unmanaged
    where TValue : unmanaged
{
    private readonly OwnedFd _map;
    private readonly int _cpus;
    private readonly int _stride = (sizeof(TValue) + 7) & ~7;

    /// <summary>Takes the descriptor over.</summary>
    /// <exception cref="BpfException">EINVAL: keys or values have another size, or the map is not per CPU.</exception>
    public PerCpuMap(OwnedFd map, string name)
    {
        _map = map;
        Name = name;
        Facts = MapFacts.Of(map, name);
        _cpus = Libbpf.libbpf_num_possible_cpus();
        if (Facts.KeySize != sizeof(TKey) || Facts.ValueSize != sizeof(TValue) || !Facts.IsPerCpu || _cpus < 1)
        {
            map.Dispose();
            throw new BpfException("open_map", name, Errno.EINVAL);
        }
    }

    public string Name { get; }

    public MapFacts Facts { get; }

    /// <summary>Each key with its value on every possible CPU, through <paramref name="sum"/>.</summary>
    public List<KeyValuePair<TKey, TValue>> ReadAll(Func<TValue, TValue, TValue> sum)
    {
        var rows = new List<KeyValuePair<TKey, TValue>>();
        var values = new byte[_stride * _cpus];
        TKey key, next;
        fixed (byte* v = values)
        {
            var errno = -Libbpf.bpf_map_get_next_key(_map.Fd, null, &next);
            while (errno == 0)
            {
                key = next;
                if (Libbpf.bpf_map_lookup_elem(_map.Fd, &key, v) == 0)
                {
                    var total = Unsafe.ReadUnaligned<TValue>(v);
                    for (var cpu = 1; cpu < _cpus; cpu++)
                        total = sum(total, Unsafe.ReadUnaligned<TValue>(v + (cpu * _stride)));
                    rows.Add(new(key, total));
                }

                errno = -Libbpf.bpf_map_get_next_key(_map.Fd, &key, &next);
            }

            if (errno != Errno.ENOENT)
                throw new BpfException("map_read", Name, errno);
        }

        return rows;
    }

    /// <summary>False when there was no such key.</summary>
    public bool Remove(in TKey key)
    {
        fixed (TKey* k = &key)
            return Libbpf.bpf_map_delete_elem(_map.Fd, k) == 0;
    }

    public void Dispose() => _map.Dispose();
}
