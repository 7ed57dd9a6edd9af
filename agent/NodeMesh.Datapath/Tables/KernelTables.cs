using NodeMesh.Datapath.Attach;
using NodeMesh.Datapath.Load;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath.Tables;

/// <summary>
/// All tables that the agent writes, and what depends on what among their rows. A row is written after those it refers to and removed after those that refer to it;
/// where one cannot be written, what needs it stays as it was, and the rest goes on. At no moment may a connection pass that neither the old nor the new plan allows.
/// </summary>
internal sealed class KernelTables : IDisposable
{
    private const byte Udp = 17;

    private readonly List<IDisposable> _maps = [];
    private readonly List<IMirrorTable> _tables = [];

    // Sets without rows in the plan, since there is no room for them.
    private readonly HashSet<uint> _unfitSets = [];
    private readonly MirrorTable<IdentityKey, IdentityEntry> _identities;
    private readonly MirrorTable<BackendKey, BackendEntry> _backends;
    private readonly MirrorTable<SlotKey, SlotEntry> _slots;
    private readonly MirrorTable<MemberKey, MemberEntry> _members;
    private readonly MirrorTable<SourceRangeKey, SourceRangeEntry> _sourceRanges;
    private readonly MirrorTable<FrontendKey, FrontendEntry> _frontends;
    private readonly MirrorTable<PeerGroupKey, PeerGroupEntry> _groups;
    private readonly MirrorTable<ClassKey, ClassEntry> _classes;
    private readonly MirrorTable<VerdictKey, VerdictEntry> _verdicts;
    private readonly MirrorTable<EndpointKey, EndpointEntry> _endpoints;
    private readonly MirrorTable<PodKey, PodEntry> _pods;
    private readonly MirrorTable<NetnsKey, NetnsEntry> _netns;
    private readonly PolicyEpoch _epoch;
    private readonly PolicySwitch _switch;
    private readonly IRowWriter _rows;
    private IReadOnlyDictionary<EndpointPlan, PodLink>? _found;
    private bool _haveOwnAddresses;
    private bool _datagramsMoved;

    // In this round nobody's identity changes.
    private bool _isHeld;

    public KernelTables(LoadedObjects objects, IRowWriter rows)
    {
        _rows = rows;
        var epoch = objects.OpenMap<uint, EpochEntry>(MapCatalog.Epoch);
        _maps.Add(epoch);
        _epoch = new PolicyEpoch(epoch, rows);
        _backends = Table<BackendKey, BackendEntry>(objects, MapCatalog.Backend, () => { });
        _slots = Table<SlotKey, SlotEntry>(objects, MapCatalog.Slot, () => { }, (_, was, _) => _datagramsMoved |= IsDatagram(was));
        _members = Table<MemberKey, MemberEntry>(objects, MapCatalog.Member, () => { });
        _sourceRanges = Table<SourceRangeKey, SourceRangeEntry>(objects, MapCatalog.SourceRange, () => { });
        _frontends = Table<FrontendKey, FrontendEntry>(objects, MapCatalog.Frontend, () => { },
            (key, was, now) => _datagramsMoved |= key.Proto == Udp && was.Inside != now?.Inside);
        _verdicts = Table<VerdictKey, VerdictEntry>(objects, MapCatalog.Verdict, _epoch.Begin);
        _classes = Table<ClassKey, ClassEntry>(objects, MapCatalog.Class, _epoch.Begin);
        _groups = Table<PeerGroupKey, PeerGroupEntry>(objects, MapCatalog.PeerGroup, _epoch.Begin);
        _identities = Table<IdentityKey, IdentityEntry>(objects, MapCatalog.Identity, _epoch.Begin);
        _pods = Table<PodKey, PodEntry>(objects, MapCatalog.Pod, _epoch.Begin);
        _endpoints = Table<EndpointKey, EndpointEntry>(objects, MapCatalog.Endpoint, _epoch.Begin);
        _netns = Table<NetnsKey, NetnsEntry>(objects, MapCatalog.Netns, () => { });
        _switch = new PolicySwitch(_identities, _groups, _endpoints, _epoch);
    }

    public uint Epoch => _epoch.Current;

    public IEnumerable<MapFill> Fill => _tables.Select(t => t.Fill);

    /// <param name="endpoints">The link of each endpoint that has been found.</param>
    public void SetDesired(KernelPlan plan, IReadOnlyDictionary<EndpointPlan, PodLink> endpoints)
    {
        _identities.SetDesired(plan.Identities);
        _backends.SetDesired(plan.Backends);
        _slots.SetDesired(plan.Slots);
        _members.SetDesired(plan.Members);
        _sourceRanges.SetDesired(plan.SourceRanges);
        _frontends.SetDesired(plan.Frontends);
        _groups.SetDesired(plan.PeerGroups);
        _classes.SetDesired(plan.Classes);
        _verdicts.SetDesired(plan.Verdicts);

        // Where pods are changes with few plans; whose an address is that only a pod's interface has may change with any.
        if (ReferenceEquals(endpoints, _found) && !_haveOwnAddresses)
            return;
        (_found, _haveOwnAddresses) = (endpoints, endpoints.Values.Any(l => l.Addresses.Length > 0));
        var rows = new Dictionary<EndpointKey, EndpointEntry>();
        var pods = new Dictionary<PodKey, PodEntry>();
        _unfitSets.Clear();
        var netns = new Dictionary<NetnsKey, NetnsEntry>();
        foreach (var (endpoint, link) in endpoints)
        {
            var ifindex = (uint)link.Ifindex;
            rows[new EndpointKey { Ifindex = ifindex }] = new EndpointEntry
            {
                Identity = endpoint.Identity,
                Set = endpoint.PolicySet,
                NextIdentity = endpoint.Identity,
                NextSet = endpoint.PolicySet,
                Mtu = (uint)link.Mtu,
                PodMac0 = link.PodMac.Word0,
                PodMac1 = link.PodMac.Word1,
                PodMac2 = link.PodMac.Word2,
                HostMac0 = link.HostMac.Word0,
                HostMac1 = link.HostMac.Word1,
                HostMac2 = link.HostMac.Word2,
            };
            if (endpoint.IsHeld)
                _unfitSets.Add(endpoint.PolicySet);
            if (link.NetnsCookie != 0)
                netns[new NetnsKey { Cookie = link.NetnsCookie }] = new NetnsEntry { Ifindex = ifindex, V4 = Only(endpoint, v4: true), V6 = Only(endpoint, v4: false) };
            foreach (var address in endpoint.Addresses)
                pods[new PodKey { Addr = Addr.From(address) }] = new PodEntry { Ifindex = ifindex };
        }

        // Of those who have no address by their object: none that is somebody else's by the plan.
        foreach (var link in endpoints.Values)
            foreach (var address in link.Addresses.Select(Addr.From).Where(a => !plan.Identities.ContainsKey(new IdentityKey { PrefixBits = 128, Addr = a })))
                pods.TryAdd(new PodKey { Addr = address }, new PodEntry { Ifindex = (uint)link.Ifindex });

        _endpoints.SetDesired(rows);
        _pods.SetDesired(pods);
        _netns.SetDesired(netns);
    }

    /// <summary>Writes what is missing.</summary>
    /// <param name="removals">Whether what the plan does not name is to be removed afterwards.</param>
    public void Upsert(RoundTally tally, bool removals)
    {
        UpsertServices(tally);

        // Rows of policy sets come first: nobody is under a new one yet.
        var settled = _switch.Recover(tally);
        var broken = UpsertSets(tally);
        broken.UnionWith(_unfitSets);

        if (removals)
        {
            // A pod that goes must not meet peers under identities that its policy does not know.
            _endpoints.Remove(tally);
            _pods.Remove(tally);
        }

        // Nor may a pod take for its own, to which it always has a way, an address that is another's by now.
        var moved = _pods.Changes(removals: false).Where(c => c.There is not null).Select(c => c.Key).ToHashSet();
        _pods.Withdraw(tally, moved.Contains);

        // Policy that does not fit leaves the pods concerned under what they have. That says nothing of groups that are new: so nobody gets into another, either.
        bool IsBroken(KeyValuePair<EndpointKey, EndpointEntry> pod) =>
            broken.Contains(pod.Value.Set) || (_endpoints.Desired.TryGetValue(pod.Key, out var wanted) && broken.Contains(wanted.Set));
        bool IsHeld(EndpointKey key, EndpointEntry pod) => broken.Contains(pod.Set);
        _isHeld = !settled || (_endpoints.Mirror.Any(IsBroken) && (_identities.Changes(removals).Any() || _groups.Changes(removals).Any())) || !_switch.Prepare(tally, removals, IsHeld);

        // Before somebody becomes another, it is known what that one is to policy.
        _groups.Upsert(tally, (_, _) => _isHeld);
        _isHeld |= _groups.Missing.Count > 0;
        _identities.Upsert(tally, (_, _) => _isHeld);
        _isHeld |= _identities.Missing.Count > 0;
        var inForce = _isHeld ? SetsInForce() : [];

        // An address that is known as a pod's own says who sends: so before the pod may.
        _pods.Upsert(tally);
        _endpoints.Upsert(tally, (key, pod) => IsHeld(key, pod) || (_isHeld && (_endpoints.Mirror.ContainsKey(key) || !inForce.Contains(pod.Set))));
        _netns.Upsert(tally);
    }

    /// <summary>Removes what nothing refers to any more.</summary>
    public void Remove(RoundTally tally)
    {
        _netns.Remove(tally);
        _endpoints.Remove(tally);
        _pods.Remove(tally);
        _identities.Remove(tally, (_, _) => _isHeld);
        _groups.Remove(tally, (_, _) => _isHeld || _identities.Kept.Count > 0);
        var setsInUse = _endpoints.Missing.Count + _identities.Kept.Count + _groups.Kept.Count == 0 && !_isHeld
            ? []
            : SetsInForce();
        _classes.Remove(tally, (key, _) => setsInUse.Contains(key.Set));
        _verdicts.Remove(tally, (key, _) => setsInUse.Contains(key.Set));

        RemoveServices(tally);
        _tables.ForEach(t => t.Settle());
    }

    /// <summary>Whether a UDP service may have lost a backend since this was last asked.</summary>
    public bool TakeDatagramsMoved()
    {
        var moved = _datagramsMoved;
        _datagramsMoved = false;
        return moved;
    }

    /// <summary>What serves pods and the node at a service address, as the kernel has it now; nothing where it has no such service.</summary>
    public HashSet<(Addr Addr, Be16 PortBe)> BackendsOf(FrontendKey service)
    {
        var found = new HashSet<(Addr, Be16)>();
        if (!_frontends.Mirror.TryGetValue(service, out var frontend))
            return found;
        for (var i = 0u; i < frontend.Inside.Slots; i++)
        {
            if (_slots.Mirror.TryGetValue(new SlotKey { Group = frontend.Inside.Id, Slot = i }, out var slot)
                && _backends.Mirror.TryGetValue(new BackendKey { Backend = slot.Backend }, out var backend))
                found.Add((backend.Addr, backend.PortBe));
        }

        return found;
    }

    /// <summary>Ends the epoch that was begun, if one was.</summary>
    public void Finish()
    {
        if (_epoch.Stage != Applying.Nothing)
            _epoch.End(_switch.Finish());
    }

    /// <summary>Compares the kernel with what was written. How many rows differ; the next round repairs them.</summary>
    public int Audit() => _tables.Sum(t => t.Audit());

    public void Dispose() => _maps.ForEach(m => m.Dispose());

    /// <summary>A slot goes before its backend does.</summary>
    private bool IsDatagram(SlotEntry slot) =>
        _backends.Mirror.TryGetValue(new BackendKey { Backend = slot.Backend }, out var backend) && backend.Proto == Udp;

    /// <summary>The pod's address of one family, when it has just one.</summary>
    private static Addr Only(EndpointPlan endpoint, bool v4) =>
        endpoint.Addresses.Where(a => a.IsIPv4 == v4).ToArray() is [var one] ? Addr.From(one) : default;

    private MirrorTable<TKey, TValue> Table<TKey, TValue>(LoadedObjects objects, string name, Action beforeWrite, Action<TKey, TValue, TValue?>? afterLoss = null)
        where TKey : unmanaged, IEquatable<TKey>
        where TValue : unmanaged, IEquatable<TValue>
    {
        var map = objects.OpenMap<TKey, TValue>(name);
        _maps.Add(map);
        var table = new MirrorTable<TKey, TValue>(map, MapCatalog.Of(name), _rows, beforeWrite, afterLoss);
        _tables.Add(table);
        return table;
    }

    private HashSet<uint> SetsInForce() => [.. _endpoints.Mirror.Values.SelectMany(e => new[] { e.Set, e.NextSet })];

    /// <summary>Writes rows of policy sets. Those sets of which not all have room; of these, none that is not in force already is begun.</summary>
    private HashSet<uint> UpsertSets(RoundTally tally)
    {
        _verdicts.Upsert(tally);
        _classes.Upsert(tally);
        var broken = _classes.Missing.Select(k => k.Set).Concat(_verdicts.Missing.Select(k => k.Set)).ToHashSet();
        if (broken.Count == 0)
            return broken;

        // One that is too large must not keep out the others: each gets a try by itself, the smallest first.
        var inForce = SetsInForce();
        void Withdraw(Func<uint, bool> isMeant)
        {
            var gone = new RoundTally();
            _classes.Withdraw(gone, key => isMeant(key.Set) && !inForce.Contains(key.Set));
            _verdicts.Withdraw(gone, key => isMeant(key.Set) && !inForce.Contains(key.Set));
            tally.Writes -= gone.Removals;
            tally.Failures.AddRange(gone.Failures);
        }

        bool Try(Func<uint, bool> isHeld)
        {
            var attempt = new RoundTally();
            _verdicts.Upsert(attempt, (key, _) => isHeld(key.Set));
            _classes.Upsert(attempt, (key, _) => isHeld(key.Set));
            tally.Writes += attempt.Writes;
            return attempt.Failures.Count == 0;
        }

        Withdraw(broken.Contains);
        var sizes = _verdicts.Desired.Keys.Where(k => broken.Contains(k.Set)).GroupBy(k => k.Set).ToDictionary(g => g.Key, g => g.Count());
        foreach (var set in broken.OrderBy(s => sizes.GetValueOrDefault(s)).ToArray())
        {
            if (Try(s => s != set && broken.Contains(s)))
                broken.Remove(set);
            else
                Withdraw(s => s == set);
        }

        Try(broken.Contains);
        if (broken.Count == 0)
            tally.Failures.RemoveAll(f => f.Map is MapCatalog.Verdict or MapCatalog.Class);
        return broken;
    }

    private void UpsertServices(RoundTally tally)
    {
        _backends.Upsert(tally);
        _slots.Upsert(tally, (_, slot) => _backends.Missing.Contains(new BackendKey { Backend = slot.Backend }));
        _members.Upsert(tally, (key, _) => _backends.Missing.Contains(new BackendKey { Backend = key.Backend }));
        _sourceRanges.Upsert(tally);
        var brokenGroups = _slots.Missing.Select(k => k.Group).Concat(_members.Missing.Select(k => k.Group)).ToHashSet();
        var brokenRanges = _sourceRanges.Missing.Select(k => k.Ranges).ToHashSet();
        _frontends.Upsert(tally, (_, frontend) => brokenGroups.Contains(frontend.Inside.Id) || brokenGroups.Contains(frontend.Outside.Id)
            || brokenRanges.Contains(frontend.Ranges));
    }

    private void RemoveServices(RoundTally tally)
    {
        _frontends.Remove(tally);
        var groupsInUse = _frontends.Missing.Count == 0 ? [] : _frontends.Mirror.Values.SelectMany(f => new[] { f.Inside.Id, f.Outside.Id }).ToHashSet();
        var rangesInUse = _frontends.Missing.Count == 0 ? [] : _frontends.Mirror.Values.Select(f => f.Ranges).ToHashSet();
        _sourceRanges.Remove(tally, (key, _) => rangesInUse.Contains(key.Ranges));
        _members.Remove(tally, (key, _) => groupsInUse.Contains(key.Group));
        _slots.Remove(tally, (key, _) => groupsInUse.Contains(key.Group));
        var backendsInUse = _slots.Desired.Count == _slots.Mirror.Count && _slots.Missing.Count == 0
            ? []
            : _slots.Mirror.Values.Select(s => s.Backend).ToHashSet();
        _backends.Remove(tally, (key, _) => backendsInUse.Contains(key.Backend));
    }
}
