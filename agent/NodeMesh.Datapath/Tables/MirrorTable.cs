using NodeMesh.Native;
using NodeMesh.Native.Bpf;
using NodeMesh.Plan;

namespace NodeMesh.Datapath.Tables;

/// <param name="Errno">ENOSPC or E2BIG: the table is full.</param>
/// <param name="Rows">How many rows the failure keeps out.</param>
public sealed record ReconcileFailure(string Map, string Operation, int Errno, int Rows, string Message);

/// <summary>What all tables can, whatever is in them.</summary>
internal interface IMirrorTable
{
    MapFill Fill { get; }

    int Audit();

    void Settle();
}

/// <summary>
/// One kernel map, what is known to be in it (the mirror) and what should be. The kernel is written only where the two differ.
/// </summary>
/// <param name="rows">How the kernel map is written.</param>
/// <param name="beforeWrite">Called before each change of the kernel map.</param>
/// <param name="afterLoss">Called with each row that went away or became another: its key, what it was, and what it is now.</param>
internal sealed class MirrorTable<TKey, TValue>(BpfMap<TKey, TValue> map, MapSpec spec, IRowWriter rows, Action beforeWrite, Action<TKey, TValue, TValue?>? afterLoss = null) : IMirrorTable
    where TKey : unmanaged, IEquatable<TKey>
    where TValue : unmanaged, IEquatable<TValue>
{
    private IReadOnlyDictionary<TKey, TValue> _desired = RowTable<TKey, TValue>.Empty;

    // Keys whose row may not be as desired; while everything is doubtful, that is all of them.
    private readonly HashSet<TKey> _doubtful = [];
    private bool _allDoubtful = true;

    /// <summary>What the kernel has, as far as known.</summary>
    public Dictionary<TKey, TValue> Mirror { get; private set; } = map.ReadAll();

    public IReadOnlyDictionary<TKey, TValue> Desired => _desired;

    /// <summary>Keys whose writing failed or was held in the current round.</summary>
    public HashSet<TKey> Missing { get; } = [];

    /// <summary>Keys whose removal failed or was held in the current round.</summary>
    public HashSet<TKey> Kept { get; } = [];

    public MapFill Fill => new(map.Name, Mirror.Count, map.Facts.MaxEntries);

    public void SetDesired(IReadOnlyDictionary<TKey, TValue> desired)
    {
        // Plans share what did not change: looking at the difference costs no more than the difference is large.
        if (desired is RowTable<TKey, TValue> next && _desired is RowTable<TKey, TValue> last)
        {
            if (!_allDoubtful)
                RowTable<TKey, TValue>.AddDifference(last, next, _doubtful);
        }
        else
        {
            _allDoubtful |= !ReferenceEquals(_desired, desired);
        }

        _desired = desired;
    }

    /// <summary>Rows that are not as they should be.</summary>
    /// <param name="removals">Whether also those that should not be there.</param>
    public IEnumerable<RowChange<TKey, TValue>> Changes(bool removals)
    {
        foreach (var (key, wanted) in _allDoubtful ? _desired : Doubtful(_desired))
        {
            var known = Mirror.TryGetValue(key, out var there);
            if (!known || !there.Equals(wanted))
                yield return new RowChange<TKey, TValue>(key, known ? there : null, wanted);
        }

        if (!removals)
            yield break;
        foreach (var (key, there) in _allDoubtful ? Mirror : Doubtful(Mirror))
            if (!_desired.ContainsKey(key))
                yield return new RowChange<TKey, TValue>(key, there, null);
    }

    /// <summary>Writes rows that are only on the way to what is desired. Whether all were written.</summary>
    public bool Write(RoundTally tally, IReadOnlyCollection<(TKey Key, TValue Value)> interim)
    {
        _doubtful.UnionWith(interim.Select(r => r.Key));
        return Write(tally, [.. interim.Select(r => r.Key)], [.. interim.Select(r => r.Value)]);
    }

    /// <summary>Writes what is missing or different.</summary>
    /// <param name="held">Rows whose predecessors are not in place; they stay as they are in the kernel.</param>
    public void Upsert(RoundTally tally, Func<TKey, TValue, bool>? held = null)
    {
        Missing.Clear();
        var keys = new List<TKey>();
        var values = new List<TValue>();
        foreach (var (key, value) in _allDoubtful ? _desired : Doubtful(_desired))
        {
            if (IsThere(key, value))
                continue;
            if (held is not null && held(key, value))
            {
                Missing.Add(key);
                tally.Held++;
                continue;
            }

            keys.Add(key);
            values.Add(value);
        }

        Write(tally, keys.ToArray(), values.ToArray());
    }

    /// <summary>Removes what should not be there.</summary>
    /// <param name="kept">Rows that something still in the kernel needs.</param>
    public void Remove(RoundTally tally, Func<TKey, TValue, bool>? kept = null)
    {
        Kept.Clear();
        var keys = new List<TKey>();
        foreach (var (key, value) in _allDoubtful ? Mirror : Doubtful(Mirror))
        {
            if (_desired.ContainsKey(key))
                continue;
            if (kept is null || !kept(key, value))
            {
                keys.Add(key);
                continue;
            }

            Kept.Add(key);
            tally.Held++;
        }

        Kept.UnionWith(RemoveRows(tally, keys.ToArray()));
    }

    /// <summary>Takes rows out of the kernel that are desired, but may not be there yet.</summary>
    public void Withdraw(RoundTally tally, Func<TKey, bool> meant)
    {
        var keys = Mirror.Keys.Where(meant).ToArray();
        _doubtful.UnionWith(keys);
        RemoveRows(tally, keys);
    }

    /// <summary>After rows were written and removed: everything was looked at, and what is still not as desired is what could not be done.</summary>
    public void Settle()
    {
        _allDoubtful = false;
        _doubtful.Clear();
        _doubtful.UnionWith(Kept);
        _doubtful.UnionWith(Missing);
    }

    /// <summary>Reads the kernel again. How many rows were not as known.</summary>
    public int Audit()
    {
        var actual = map.ReadAll();
        var drift = actual.Count(row => !Mirror.TryGetValue(row.Key, out var known) || !known.Equals(row.Value)) + Mirror.Keys.Count(k => !actual.ContainsKey(k));
        if (drift > 0)
        {
            Mirror = actual;
            _allDoubtful = true;
        }

        return drift;
    }

    private IEnumerable<KeyValuePair<TKey, TValue>> Doubtful(IReadOnlyDictionary<TKey, TValue> of)
    {
        foreach (var key in _doubtful)
            if (of.TryGetValue(key, out var value))
                yield return new KeyValuePair<TKey, TValue>(key, value);
    }

    private bool IsThere(TKey key, TValue value) => Mirror.TryGetValue(key, out var there) && there.Equals(value);

    private bool Write(RoundTally tally, TKey[] keys, TValue[] values)
    {
        if (keys.Length == 0)
            return true;
        beforeWrite();
        var at = 0;
        var failed = 0;
        var firstErrno = 0;
        while (at < keys.Length)
        {
            var done = rows.Set(map, keys.AsSpan(at), values.AsSpan(at), out var errno);
            for (var i = at; i < at + done; i++)
            {
                if (afterLoss is not null && Mirror.TryGetValue(keys[i], out var was))
                    afterLoss(keys[i], was, values[i]);
                Mirror[keys[i]] = values[i];
            }

            tally.Writes += done;
            at += done;
            if (errno == 0)
                break;

            firstErrno = firstErrno == 0 ? errno : firstErrno;
            failed++;
            Missing.Add(keys[at++]);
        }

        if (failed > 0)
            Fail(tally, "write", firstErrno, failed);
        return failed == 0;
    }

    /// <returns>Those that are still there.</returns>
    private TKey[] RemoveRows(RoundTally tally, TKey[] keys)
    {
        if (keys.Length == 0)
            return keys;
        beforeWrite();
        var gone = rows.Remove(map, keys, out var errno);
        foreach (var key in keys.AsSpan(0, gone))
        {
            if (Mirror.Remove(key, out var value))
                afterLoss?.Invoke(key, value, null);
        }

        tally.Removals += gone;
        if (errno != 0)
            Fail(tally, "remove", errno, keys.Length - gone);
        return keys[gone..];
    }

    private void Fail(RoundTally tally, string operation, int errno, int rows)
    {
        var full = errno is Errno.ENOSPC or Errno.E2BIG;
        tally.Failures.Add(new ReconcileFailure(map.Name, operation, errno, rows, full
            ? $"{map.Name} is full at {map.Facts.MaxEntries} rows, {rows} more do not fit. Cure: raise --map-size {spec.Option}=N and restart the agent"
            : $"{map.Name}: {operation} of {rows} rows: {Errno.Describe(errno)}"));
    }
}

/// <param name="There">Null when the row is not there; <paramref name="Wanted"/> when it should not be.</param>
internal readonly record struct RowChange<TKey, TValue>(TKey Key, TValue? There, TValue? Wanted)
    where TKey : unmanaged
    where TValue : unmanaged;

/// <summary>Counts of one round.</summary>
internal sealed class RoundTally
{
    public int Writes { get; set; }

    public int Removals { get; set; }

    public int Held { get; set; }

    public List<ReconcileFailure> Failures { get; } = [];
}

/// <param name="Rows">In it now, as far as known.</param>
public readonly record struct MapFill(string Map, int Rows, uint MaxRows);
