using NodeMesh.Datapath.Load;
using NodeMesh.Datapath.Tables;
using NodeMesh.Native.Bpf;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath;

/// <param name="Rule">As in the plan's verdicts.</param>
/// <param name="Connections">New connections, and packets that belong to none, for which the rule decided so.</param>
public readonly record struct RuleHit(uint Rule, Reason Reason, ulong Connections);

/// <summary>How often each policy rule decided, summed over CPUs. May be used from any thread.</summary>
public sealed class RuleHitReader : IDisposable
{
    private readonly Lock _gate = new();
    private readonly PerCpuMap<RuleHitKey, RuleHitEntry> _map;

    internal RuleHitReader(LoadedObjects objects) =>
        _map = new PerCpuMap<RuleHitKey, RuleHitEntry>(objects.OpenMap(MapCatalog.RuleHit), MapCatalog.RuleHit);

    /// <exception cref="BpfException">The kernel refused.</exception>
    public MapFill Fill()
    {
        lock (_gate)
            return new(_map.Name, Rows().Count, _map.Facts.MaxEntries);
    }

    /// <exception cref="BpfException">The kernel refused.</exception>
    public IReadOnlyList<RuleHit> Read()
    {
        lock (_gate)
            return Rows();
    }

    /// <summary>Removes what rules counted that no plan names any more, which makes room for others. One that comes back begins anew.</summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    internal void Retire(IReadOnlyDictionary<uint, string> rules)
    {
        lock (_gate)
        {
            foreach (var row in Rows().Where(r => !rules.ContainsKey(r.Rule)))
                _map.Remove(new RuleHitKey { Rule = row.Rule, Reason = (uint)row.Reason });
        }
    }

    public void Dispose() => _map.Dispose();

    private List<RuleHit> Rows() =>
        _map.ReadAll(static (a, b) => new RuleHitEntry { Connections = a.Connections + b.Connections })
            .ConvertAll(static row => new RuleHit(row.Key.Rule, (Reason)row.Key.Reason, row.Value.Connections));
}
