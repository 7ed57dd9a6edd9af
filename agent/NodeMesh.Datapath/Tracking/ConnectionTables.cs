using System.Diagnostics;
using NodeMesh.Datapath.Load;
using NodeMesh.Datapath.Tables;
using NodeMesh.Model;
using NodeMesh.Native.Bpf;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath.Tracking;

/// <summary>The connections that the programs track, for people: to look at, and to forget. May be asked from any thread.</summary>
public sealed class ConnectionTables : IDisposable
{
    private readonly BpfMap<CtKey, CtEntry>[] _tables;
    private readonly BpfMap<NatKey, NatEntry>[] _translations;

    internal ConnectionTables(LoadedObjects objects)
    {
        _tables = [objects.OpenMap<CtKey, CtEntry>(MapCatalog.ConnectionTcp), objects.OpenMap<CtKey, CtEntry>(MapCatalog.ConnectionAny)];
        // As the programs look: what the last one has beside another is older.
        _translations = [.. MapCatalog.Translations.Select(objects.OpenMap<NatKey, NatEntry>)];
    }

    /// <summary>The clock of <see cref="CtEntry.ExpiresNs"/>: CLOCK_MONOTONIC, nanoseconds.</summary>
    internal static ulong Now => (ulong)(Stopwatch.GetTimestamp() * (1_000_000_000.0 / Stopwatch.Frequency));

    /// <param name="most">No more than so many.</param>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public IReadOnlyList<TrackedConnection> List(ConnectionFilter filter, int most)
    {
        var found = new List<TrackedConnection>();
        foreach (var connection in Matching(filter).Select(r => r.Connection).Concat(Translated(filter).Select(r => r.Connection)))
        {
            if (found.Count == most)
                break;
            found.Add(connection);
        }

        return found;
    }

    /// <summary>How many connections that are not over lead to each address, port and protocol.</summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public IReadOnlyDictionary<(IpAddr Address, ushort Port, byte Protocol), int> ByDestination()
    {
        // Tracked at both ends of it, or at one end and by its translation, a connection is still one.
        var tuples = new HashSet<(IpAddr, ushort, IpAddr Address, ushort Port, byte Protocol)>();
        foreach (var (_, _, c) in Matching(new ConnectionFilter()).Where(r => r.Connection.State != ConnectionState.Closed))
            tuples.Add((c.Source, c.SourcePort, c.Destination, c.DestinationPort, c.Protocol));
        foreach (var (_, _, c) in Translated(new ConnectionFilter()).Where(r => r.Connection.State != ConnectionState.Closed))
            tuples.Add((c.Translation!.Source, c.Translation.SourcePort, c.Translation.Backend, c.Translation.BackendPort, c.Protocol));
        return tuples.GroupBy(t => (t.Address, t.Port, t.Protocol)).ToDictionary(g => g.Key, g => g.Count());
    }

    /// <summary>
    /// Forgets connections: their next packet is judged anew, as that of a connection which was running before the agent came; a translated one ends, since
    /// nobody knows its backend any more. How many were forgotten.
    /// </summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public int Flush(ConnectionFilter filter) => Matching(filter).Count(row => row.Table.Remove(row.Key)) + Translated(filter).Count(row => Forget(row.Key, row.Entry));

    public void Dispose()
    {
        foreach (var table in _tables)
            table.Dispose();
        foreach (var table in _translations)
            table.Dispose();
    }

    /// <summary>As nm_ct_owner in bpf/lib/conntrack.h: the pod at whose gate it is tracked, or the opener.</summary>
    internal static uint OwnerOf(in CtKey key, in CtEntry entry) => key.Ifindex != 0 ? key.Ifindex : entry.Opener;

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

    /// <summary>Both rows, wherever they are.</summary>
    private bool Forget(in NatKey key, in NatEntry to)
    {
        var other = new NatKey
        {
            Ifindex = key.Ifindex,
            Saddr = to.Daddr,
            SportBe = to.DportBe,
            Daddr = to.Saddr,
            DportBe = to.SportBe,
            Proto = key.Proto,
            Direction = to.OtherDirection,
        };
        var known = false;
        foreach (var table in _translations)
        {
            known |= table.Remove(key);
            table.Remove(other);
        }

        return known;
    }

    private List<(NatKey Key, NatEntry Entry, TrackedConnection Connection)> Translated(ConnectionFilter filter)
    {
        var now = Now;
        var seen = new HashSet<NatKey>();
        var found = new List<(NatKey, NatEntry, TrackedConnection)>();
        foreach (var table in _translations)
            foreach (var (key, entry) in table.ReadAll())
                if (entry.ExpiresNs > now && (entry.Flags & (byte)NatFlag.Reply) == 0 && seen.Add(key) && Describe(key, entry, now) is var connection && filter.Matches(connection, 0))
                    found.Add((key, entry, connection));
        return found;
    }

    private static TrackedConnection Describe(in NatKey key, in NatEntry entry, ulong now) => new(
        key.Ifindex,
        key.Ifindex != 0,
        key.Proto,
        key.Saddr.ToIpAddr(),
        key.SportBe.ToHost(),
        key.Daddr.ToIpAddr(),
        key.DportBe.ToHost(),
        StateOf(entry.State),
        false,
        false,
        false,
        TimeSpan.FromMilliseconds((entry.ExpiresNs - now) / 1e6),
        new Translation(entry.Saddr.ToIpAddr(), entry.SportBe.ToHost(), entry.Daddr.ToIpAddr(), entry.DportBe.ToHost()));

    private static TrackedConnection Describe(in CtKey key, in CtEntry entry, ulong now) => new(
        OwnerOf(key, entry),
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
