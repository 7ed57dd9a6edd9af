using NodeMesh.Datapath.Load;
using NodeMesh.Datapath.Tables;
using NodeMesh.Native.Bpf;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath;

/// <param name="Ifindex">Host-side interface of the endpoint; 0 when not at an endpoint.</param>
public readonly record struct CounterRow(uint Ifindex, Reason Reason, Direction Direction, ulong Packets, ulong Bytes)
{
    /// <summary>Packets that went on; other reasons that refuse nothing are noted beside one of these.</summary>
    public bool IsPassed => Reason is Reason.Forwarded or Reason.HandedOver or Reason.Reply or Reason.Translated;
}

/// <summary>The kernel's counters, summed over CPUs. Their sums by reason and direction only grow while the agent runs. May be used from any thread.</summary>
public sealed class CounterReader : IDisposable
{
    private readonly Lock _gate = new();
    private readonly PerCpuMap<CounterKey, CounterEntry> _map;

    // What interfaces counted that are gone: their rows make room, their numbers stay in the sums.
    private readonly Dictionary<(Reason Reason, Direction Direction), CounterRow> _retired = [];

    internal CounterReader(LoadedObjects objects) =>
        _map = new PerCpuMap<CounterKey, CounterEntry>(objects.OpenMap(MapCatalog.Counter), MapCatalog.Counter);

    /// <exception cref="BpfException">The kernel refused.</exception>
    public MapFill Fill()
    {
        lock (_gate)
            return new(_map.Name, Rows().Count, _map.Facts.MaxEntries);
    }

    /// <summary>What gone interfaces counted comes in rows of its own, with ifindex 0.</summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public IReadOnlyList<CounterRow> Read()
    {
        lock (_gate)
        {
            var rows = Rows();
            rows.AddRange(_retired.Values);
            return rows;
        }
    }

    /// <summary>Removes the rows of interfaces that are no more; the kernel gives their numbers to no other.</summary>
    /// <param name="interfaces">Ifindex of every one there is.</param>
    /// <exception cref="BpfException">The kernel refused.</exception>
    internal void Retire(IReadOnlySet<uint> interfaces)
    {
        lock (_gate)
        {
            foreach (var row in Rows().Where(r => r.Ifindex != 0 && !interfaces.Contains(r.Ifindex)))
            {
                if (!_map.Remove(new CounterKey { Ifindex = row.Ifindex, Reason = (byte)row.Reason, Direction = (byte)row.Direction }))
                    continue;
                var so = _retired.GetValueOrDefault((row.Reason, row.Direction));
                _retired[(row.Reason, row.Direction)] = new CounterRow(0, row.Reason, row.Direction, so.Packets + row.Packets, so.Bytes + row.Bytes);
            }
        }
    }

    public void Dispose() => _map.Dispose();

    private List<CounterRow> Rows() =>
        _map.ReadAll(static (a, b) => new CounterEntry { Packets = a.Packets + b.Packets, Bytes = a.Bytes + b.Bytes })
            .ConvertAll(static row => new CounterRow(row.Key.Ifindex, (Reason)row.Key.Reason, (Direction)row.Key.Direction, row.Value.Packets, row.Value.Bytes));
}
