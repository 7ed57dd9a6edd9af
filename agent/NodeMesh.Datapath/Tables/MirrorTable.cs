using NodeMesh.Native;
using NodeMesh.Native.Bpf;
using NodeMesh.Plan;

namespace NodeMesh.Datapath.Tables;

/// <param name="Errno">ENOSPC or E2BIG: the table is full.</param>
/// <param name="Rows">How many rows the failure keeps out.</param>
public sealed record ReconcileFailure(string Map, string Operation, int Errno, int Rows, string Message);

/// <summary>
/// One kernel map, what is known to be in it (the mirror) and what should be. The kernel is written only where the two differ.
/// </summary>
/// <param name="beforeWrite">Called before each change of the kernel map.</param>
/// <param name="afterRemove">Called with each row that went away.</param>
internal sealed class MirrorTable<TKey, TValue>(BpfMap<TKey, TValue> map, MapSpec spec, Action beforeWrite, Action<TValue>? afterRemove = null)
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
        var keys = new List<TKey>();
        var remaining = new List<TKey>();
        foreach (var (key, value) in _allDoubtful ? Mirror : Doubtful(Mirror))
        {
            if (_desired.ContainsKey(key))
                continue;
            if (kept is null || !kept(key, value))
            {
                keys.Add(key);
                continue;
            }

            remaining.Add(key);
            tally.Held++;
        }

        if (keys.Count > 0)
        {
            beforeWrite();
            var array = keys.ToArray();
            var gone = map.RemoveMany(array, out var errno);
            foreach (var key in array.AsSpan(0, gone))
            {
                if (Mirror.Remove(key, out var value))
                    afterRemove?.Invoke(value);
            }

            remaining.AddRange(array.AsSpan(gone));
            tally.Removals += gone;
            if (errno != 0)
                Fail(tally, "remove", errno, array.Length - gone);
        }

        // Everything was looked at in this round; what is still not as desired is what could not be done.
        _allDoubtful = false;
        _doubtful.Clear();
        _doubtful.UnionWith(remaining);
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

    private IEnumerable<KeyValuePair<TKey, TValue>> Doubtful(IReadOnlyDictionary<TKey, TValue> rows)
    {
        foreach (var key in _doubtful)
            if (rows.TryGetValue(key, out var value))
                yield return new KeyValuePair<TKey, TValue>(key, value);
    }

    private bool IsThere(TKey key, TValue value) => Mirror.TryGetValue(key, out var there) && there.Equals(value);

    private void Write(RoundTally tally, TKey[] keys, TValue[] values)
    {
        if (keys.Length == 0)
            return;
        beforeWrite();
        var at = 0;
        var failed = 0;
        var firstErrno = 0;
        while (at < keys.Length)
        {
            var done = map.SetMany(keys.AsSpan(at), values.AsSpan(at), out var errno);
            for (var i = at; i < at + done; i++)
                Mirror[keys[i]] = values[i];
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
    }

    private void Fail(RoundTally tally, string operation, int errno, int rows)
    {
        var full = errno is Errno.ENOSPC or Errno.E2BIG;
        tally.Failures.Add(new ReconcileFailure(map.Name, operation, errno, rows, full
            ? $"{map.Name} is full at {map.Facts.MaxEntries} rows, {rows} more do not fit. Cure: raise --map-size {spec.Option}=N and restart the agent"
            : $"{map.Name}: {operation} of {rows} rows: {Errno.Describe(errno)}"));
    }
}

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
