using NodeMesh.Datapath.Load;
using NodeMesh.Datapath.Tables;
using NodeMesh.Native.Bpf;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath;

/// <param name="Ifindex">Host-side interface of the endpoint; 0 when not at an endpoint.</param>
public readonly record struct CounterRow(uint Ifindex, Reason Reason, Direction Direction, ulong Packets, ulong Bytes);

/// <summary>The kernel's counters, summed over CPUs. They only grow.</summary>
public sealed class CounterReader : IDisposable
{
    private readonly PerCpuMap<CounterKey, CounterEntry> _map;

    internal CounterReader(LoadedObjects objects) =>
        _map = new PerCpuMap<CounterKey, CounterEntry>(objects.OpenMap(MapCatalog.Counter), MapCatalog.Counter);

    public MapFill Fill(int rows) => new(_map.Name, rows, _map.Facts.MaxEntries);

    /// <exception cref="BpfException">The kernel refused.</exception>
    public IReadOnlyList<CounterRow> Read() =>
        _map.ReadAll(static (a, b) => new CounterEntry { Packets = a.Packets + b.Packets, Bytes = a.Bytes + b.Bytes })
            .ConvertAll(static row => new CounterRow(row.Key.Ifindex, (Reason)row.Key.Reason, (Direction)row.Key.Direction, row.Value.Packets, row.Value.Bytes));

    public void Dispose() => _map.Dispose();
}
