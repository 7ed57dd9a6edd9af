using System.Diagnostics;
using NodeMesh.Datapath.Load;
using NodeMesh.Datapath.Tables;
using NodeMesh.Native.Bpf;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath.Tracking;

/// <summary>The connections that the programs track, for people: to look at, and to forget. May be asked from any thread.</summary>
public sealed class ConnectionTables : IDisposable
{
    private readonly BpfMap<CtKey, CtEntry>[] _tables;

    internal ConnectionTables(LoadedObjects objects)
    {
        _tables = [objects.OpenMap<CtKey, CtEntry>(MapCatalog.ConnectionTcp), objects.OpenMap<CtKey, CtEntry>(MapCatalog.ConnectionAny)];
    }

    /// <summary>The clock of <see cref="CtEntry.ExpiresNs"/>: CLOCK_MONOTONIC, nanoseconds.</summary>
    internal static ulong Now => (ulong)(Stopwatch.GetTimestamp() * (1_000_000_000.0 / Stopwatch.Frequency));

    /// <param name="most">No more than so many.</param>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public IReadOnlyList<TrackedConnection> List(ConnectionFilter filter, int most)
    {
        var found = new List<TrackedConnection>();
        foreach (var (_, _, connection) in Matching(filter))
        {
            if (found.Count == most)
                break;
            found.Add(connection);
        }

        return found;
    }

    /// <summary>
    /// Forgets connections: their next packet is judged anew, as that of a connection which was running before the agent came. How many were forgotten.
    /// </summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public int Flush(ConnectionFilter filter) => Matching(filter).Count(row => row.Table.Remove(row.Key));

    public void Dispose()
    {
        foreach (var table in _tables)
            table.Dispose();
    }

    internal static ConnectionState StateOf(byte flags)
    {
        const CtFlag Both = CtFlag.FinOpener | CtFlag.FinReply;
        var set = (CtFlag)flags;
        if ((set & Both) == Both || (set & CtFlag.Rst) != 0)
            return ConnectionState.Closed;
        return (set & Both) != 0 ? ConnectionState.HalfClosed : (set & CtFlag.SeenReply) != 0 ? ConnectionState.Established : ConnectionState.Opening;
    }

    private IEnumerable<(BpfMap<CtKey, CtEntry> Table, CtKey Key, TrackedConnection Connection)> Matching(ConnectionFilter filter)
    {
        var now = Now;
        foreach (var table in _tables)
            foreach (var (key, entry) in table.ReadAll())
                if (entry.ExpiresNs > now && Describe(key, entry, now) is var connection && filter.Matches(connection, entry.Answerer))
                    yield return (table, key, connection);
    }

    private static TrackedConnection Describe(in CtKey key, in CtEntry entry, ulong now) => new(
        key.Ifindex != 0 ? key.Ifindex : entry.Opener,
        key.Direction == (byte)Direction.Egress,
        key.Proto,
        key.Saddr.ToIpAddr(),
        key.SportBe.ToHost(),
        key.Daddr.ToIpAddr(),
        key.DportBe.ToHost(),
        StateOf(entry.Flags),
        entry.Origin == (byte)CtOrigin.Proxy,
        (entry.Flags & (byte)CtFlag.HandedOver) != 0,
        key.Ifindex == 0,
        TimeSpan.FromMilliseconds((entry.ExpiresNs - now) / 1e6));
}
