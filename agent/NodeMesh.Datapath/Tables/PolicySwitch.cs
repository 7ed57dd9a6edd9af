using NodeMesh.Model;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath.Tables;

/// <summary>
/// Leads policy from what is in force to what a plan wants. Who the ends of a connection are, in which group policies find them, and which policy each is under, stand in rows of their own; while
/// some of these are old and others new, a connection might pass that neither the old nor the new plan allows. So each row that changes first says both, the programs
/// going by the old; when all do, the change is committed by one write, from which on they go by the new, and each row drops the old. One row by itself just changes.
/// </summary>
internal sealed class PolicySwitch(
    MirrorTable<IdentityKey, IdentityEntry> identities,
    MirrorTable<PeerGroupKey, PeerGroupEntry> groups,
    MirrorTable<EndpointKey, EndpointEntry> endpoints,
    PolicyEpoch epoch)
{
    // What an earlier agent, or an earlier round that met an error, did not bring to its end.
    private bool _unfinished = epoch.Stage != Applying.Nothing;

    /// <summary>Undoes or finishes what was left half done.</summary>
    /// <returns>False: some row could not be written, and policy must stay as it is.</returns>
    public bool Recover(RoundTally tally)
    {
        if (!_unfinished)
            return true;
        var forward = epoch.Stage == Applying.Committed;
        var settled = identities.Write(tally, [.. identities.Mirror.Where(r => IsBoth(r.Value)).Select(r => (r.Key, forward ? Next(r.Value) : Now(r.Value)))])
            && groups.Write(tally, [.. groups.Mirror.Where(r => IsBoth(r.Value)).Select(r => (r.Key, forward ? Next(r.Value) : Now(r.Value)))])
            && endpoints.Write(tally, [.. endpoints.Mirror.Where(r => IsBoth(r.Value)).Select(r => (r.Key, forward ? Next(r.Value) : Now(r.Value)))]);
        if (settled && forward)
            epoch.BeginAnew();
        _unfinished = !settled;
        return settled;
    }

    /// <summary>Makes each row that is going to change say both, when more than one is.</summary>
    /// <param name="removals">Whether addresses that the plan does not name lose their identity.</param>
    /// <param name="held">Endpoints that stay as they are.</param>
    /// <returns>False: some row could not be written; all is as it was, and policy must stay so.</returns>
    public bool Prepare(RoundTally tally, bool removals, Func<EndpointKey, EndpointEntry, bool> held)
    {
        var pods = endpoints.Changes(removals: false).Where(c => c is { There: { } there, Wanted: { } wanted } && !IsSame(there, wanted) && !held(c.Key, wanted)).ToList();
        if (pods.Count == 0)
            return true;
        var addresses = Addresses(removals);
        var peers = Groups(removals);
        if (pods.Count + addresses.Count + peers.Count == 1)
            return true;

        epoch.Begin();
        if (!groups.Write(tally, peers) || !identities.Write(tally, addresses) || !endpoints.Write(tally, [.. pods.Select(c => (c.Key, Both(c.There!.Value, c.Wanted!.Value)))]))
        {
            _unfinished = true;
            Recover(tally);
            return false;
        }

        epoch.Commit();
        return true;
    }

    /// <summary>When the rows are written and removed. Whether nothing is left that says both.</summary>
    public bool Finish()
    {
        _unfinished |= epoch.Stage == Applying.Committed && (identities.Mirror.Values.Any(IsBoth) || groups.Mirror.Values.Any(IsBoth) || endpoints.Mirror.Values.Any(IsBoth));
        return !_unfinished;
    }

    /// <summary>Rows for all addresses whose identity changes. Where there is no row before or afterwards, that of the block around it counts.</summary>
    private List<(IdentityKey, IdentityEntry)> Addresses(bool removals)
    {
        var before = new Blocks(identities.Mirror);
        var after = new Blocks(identities.Desired);
        var rows = new List<(IdentityKey, IdentityEntry)>();
        foreach (var (key, there, wanted) in identities.Changes(removals))
        {
            var now = there ?? before.Around(key);
            var next = wanted ?? after.Around(key);
            if (now.Identity != next.Identity)
                rows.Add((key, new IdentityEntry { Identity = now.Identity, Flags = now.Flags | next.Flags, Next = next.Identity }));
        }

        return rows;
    }

    /// <summary>Rows for all identities whose group changes. No row: group 0.</summary>
    private List<(PeerGroupKey, PeerGroupEntry)> Groups(bool removals)
    {
        var rows = new List<(PeerGroupKey, PeerGroupEntry)>();
        foreach (var (key, there, wanted) in groups.Changes(removals))
        {
            var row = new PeerGroupEntry { Group = there?.Group ?? 0, Next = wanted?.Group ?? 0 };
            if (IsBoth(row))
                rows.Add((key, row));
        }

        return rows;
    }

    private static bool IsBoth(PeerGroupEntry row) => row.Next != row.Group;

    private static PeerGroupEntry Now(PeerGroupEntry row) => row with { Next = row.Group };

    private static PeerGroupEntry Next(PeerGroupEntry row) => row with { Group = row.Next };

    private static bool IsBoth(IdentityEntry row) => row.Next != 0;

    private static IdentityEntry Now(IdentityEntry row) => row with { Next = 0 };

    private static IdentityEntry Next(IdentityEntry row) => row with { Identity = row.Next, Next = 0 };

    private static bool IsSame(EndpointEntry one, EndpointEntry other) => one.Identity == other.Identity && one.Set == other.Set;

    private static bool IsBoth(EndpointEntry row) => row.NextIdentity != row.Identity || row.NextSet != row.Set;

    private static EndpointEntry Now(EndpointEntry row) => row with { NextIdentity = row.Identity, NextSet = row.Set };

    private static EndpointEntry Next(EndpointEntry row) => row with { Identity = row.NextIdentity, Set = row.NextSet };

    private static EndpointEntry Both(EndpointEntry there, EndpointEntry wanted) => there with { NextIdentity = wanted.Identity, NextSet = wanted.Set };

    /// <summary>Finds the longest row around another.</summary>
    private sealed class Blocks(IReadOnlyDictionary<IdentityKey, IdentityEntry> rows)
    {
        private static readonly IdentityEntry s_world = new() { Identity = (uint)IdentityId.World };

        // Only rows that come or go need it, and then it takes a look at all there are.
        private readonly Lazy<uint[]> _lengths = new(() => [.. rows.Keys.Select(k => k.PrefixBits).Distinct().OrderDescending()]);

        public IdentityEntry Around(IdentityKey key)
        {
            foreach (var bits in _lengths.Value.Where(b => b < key.PrefixBits))
                if (rows.TryGetValue(new IdentityKey { PrefixBits = bits, Addr = Addr.From(IpPrefix.Create(key.Addr.ToIpAddr(), (int)bits).Address) }, out var row))
                    return row;
            return s_world;
        }
    }
}
