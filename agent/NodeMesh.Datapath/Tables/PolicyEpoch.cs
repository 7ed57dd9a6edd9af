using NodeMesh.Native.Bpf;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath.Tables;

/// <summary>
/// The number under which tracked connections are judged. A change raises it when it is complete, so that every connection is judged again. How far a change
/// has come stands beside it, so that an agent that finds a change half done knows whether to undo or to finish it.
/// </summary>
internal sealed class PolicyEpoch(BpfMap<uint, EpochEntry> map, IRowWriter rows)
{
    private EpochEntry _now = map.TryGet(0, out var found) ? found : default;

    public uint Current => _now.Epoch;

    public Applying Stage => (Applying)_now.Applying;

    /// <summary>Before the first row of a change.</summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public void Begin()
    {
        if (Stage == Applying.Nothing)
            Write(_now with { Applying = (uint)Applying.Begun });
    }

    /// <summary>After a change that was committed has been finished, and before the next one.</summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public void BeginAnew() => Write(_now with { Applying = (uint)Applying.Begun });

    /// <summary>From here on what is to come is in force, in all rows that say both it and what was.</summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public void Commit() => Write(_now with { Applying = (uint)Applying.Committed });

    /// <param name="complete">No row says both any more; else the next round, or agent, finds what there is to do.</param>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public void End(bool complete) => Write(new EpochEntry { Epoch = _now.Epoch + 1, Applying = complete ? (uint)Applying.Nothing : _now.Applying });

    private void Write(EpochEntry next)
    {
        if (rows.Set<uint, EpochEntry>(map, [0], [next], out var errno) == 0)
            throw new BpfException("map_update", map.Name, errno);
        _now = next;
    }
}
