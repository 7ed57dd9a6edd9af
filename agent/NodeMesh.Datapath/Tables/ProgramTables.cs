using NodeMesh.Datapath.Load;
using NodeMesh.Native.Bpf;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath.Tables;

/// <summary>How full the tables are that the programs write. Counting walks them, so it is done for those who ask, and not more often than <see cref="MaxAge"/>.</summary>
public sealed class ProgramTables : IDisposable
{
    /// <summary>How old an answer may be.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly BpfMap<CtKey, CtEntry> _tcp;
    private readonly BpfMap<CtKey, CtEntry> _other;
    private readonly BpfMap<FragmentKey, FragmentEntry> _fragments;
    private readonly BpfMap<ReverseKey, ReverseEntry> _translations;
    private readonly BpfMap<AffinityKey, AffinityEntry> _affinities;
    private readonly BpfMap<NatKey, NatEntry> _natBrief;
    private readonly BpfMap<NatKey, NatEntry> _natTcp;
    private readonly BpfMap<NatKey, NatEntry> _natAny;
    private readonly BpfMap<FragmentKey, NatFragEntry> _natFragments;
    private readonly CounterReader _counters;
    private readonly RuleHitReader _ruleHits;
    private IReadOnlyList<MapFill> _fill = [];
    private long _counted;

    internal ProgramTables(LoadedObjects objects, CounterReader counters, RuleHitReader ruleHits, TimeProvider time)
    {
        _time = time;
        _counters = counters;
        _ruleHits = ruleHits;
        _tcp = objects.OpenMap<CtKey, CtEntry>(MapCatalog.ConnectionTcp);
        _other = objects.OpenMap<CtKey, CtEntry>(MapCatalog.ConnectionAny);
        _fragments = objects.OpenMap<FragmentKey, FragmentEntry>(MapCatalog.Fragment);
        _translations = objects.OpenMap<ReverseKey, ReverseEntry>(MapCatalog.Reverse);
        _affinities = objects.OpenMap<AffinityKey, AffinityEntry>(MapCatalog.Affinity);
        _natBrief = objects.OpenMap<NatKey, NatEntry>(MapCatalog.NatBrief);
        _natTcp = objects.OpenMap<NatKey, NatEntry>(MapCatalog.NatTcp);
        _natAny = objects.OpenMap<NatKey, NatEntry>(MapCatalog.NatAny);
        _natFragments = objects.OpenMap<FragmentKey, NatFragEntry>(MapCatalog.NatFragment);
    }

    /// <summary>Rows whose time is over count until their place is needed. May be asked from any thread.</summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public IReadOnlyList<MapFill> Fill()
    {
        lock (_gate)
        {
            if (_fill.Count == 0 || _time.GetElapsedTime(_counted) >= MaxAge)
            {
                _fill = [Of(_tcp), Of(_other), Of(_fragments), _counters.Fill(), _ruleHits.Fill(), Of(_translations), Of(_affinities), Of(_natBrief), Of(_natTcp), Of(_natAny), Of(_natFragments)];
                _counted = _time.GetTimestamp();
            }

            return _fill;
        }
    }

    public void Dispose()
    {
        _tcp.Dispose();
        _other.Dispose();
        _fragments.Dispose();
        _translations.Dispose();
        _affinities.Dispose();
        _natBrief.Dispose();
        _natTcp.Dispose();
        _natAny.Dispose();
        _natFragments.Dispose();
    }

    private static MapFill Of<TKey, TValue>(BpfMap<TKey, TValue> map)
        where TKey : unmanaged
        where TValue : unmanaged => new(map.Name, map.Count(), map.Facts.MaxEntries);
}
