using NodeMesh.Datapath.Attach;
using NodeMesh.Datapath.Load;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath.Tables;

/// <summary>
/// All tables that the agent writes, and what depends on what among their rows. A row is written after those it refers to and removed after those that refer to it;
/// where one cannot be written, what needs it stays as it was, and the rest goes on.
/// </summary>
internal sealed class KernelTables : IDisposable
{
    private readonly List<IDisposable> _maps = [];
    private readonly List<BackendEntry> _goneBackends = [];
    private readonly MirrorTable<IdentityKey, IdentityEntry> _identities;
    private readonly MirrorTable<BackendKey, BackendEntry> _backends;
    private readonly MirrorTable<SlotKey, SlotEntry> _slots;
    private readonly MirrorTable<MemberKey, MemberEntry> _members;
    private readonly MirrorTable<SourceRangeKey, SourceRangeEntry> _sourceRanges;
    private readonly MirrorTable<FrontendKey, FrontendEntry> _frontends;
    private readonly MirrorTable<ClassKey, ClassEntry> _classes;
    private readonly MirrorTable<VerdictKey, VerdictEntry> _verdicts;
    private readonly MirrorTable<EndpointKey, EndpointEntry> _endpoints;
    private readonly MirrorTable<PodKey, PodEntry> _pods;
    private readonly PolicyEpoch _epoch;

    public KernelTables(LoadedObjects objects)
    {
        var epoch = objects.OpenMap<uint, EpochEntry>(MapCatalog.Epoch);
        _maps.Add(epoch);
        _epoch = new PolicyEpoch(epoch);
        _identities = Table<IdentityKey, IdentityEntry>(objects, MapCatalog.Identity, _epoch.Begin);
        _backends = Table<BackendKey, BackendEntry>(objects, MapCatalog.Backend, () => { }, _goneBackends.Add);
        _slots = Table<SlotKey, SlotEntry>(objects, MapCatalog.Slot, () => { });
        _members = Table<MemberKey, MemberEntry>(objects, MapCatalog.Member, () => { });
        _sourceRanges = Table<SourceRangeKey, SourceRangeEntry>(objects, MapCatalog.SourceRange, () => { });
        _frontends = Table<FrontendKey, FrontendEntry>(objects, MapCatalog.Frontend, () => { });
        _classes = Table<ClassKey, ClassEntry>(objects, MapCatalog.Class, _epoch.Begin);
        _verdicts = Table<VerdictKey, VerdictEntry>(objects, MapCatalog.Verdict, _epoch.Begin);
        _endpoints = Table<EndpointKey, EndpointEntry>(objects, MapCatalog.Endpoint, _epoch.Begin);
        _pods = Table<PodKey, PodEntry>(objects, MapCatalog.Pod, _epoch.Begin);
    }

    public uint Epoch => _epoch.Current;

    public IEnumerable<MapFill> Fill =>
        [_identities.Fill, _backends.Fill, _slots.Fill, _members.Fill, _sourceRanges.Fill, _frontends.Fill, _classes.Fill, _verdicts.Fill, _endpoints.Fill, _pods.Fill];

    /// <param name="endpoints">The link of each endpoint that has been found.</param>
    public void SetDesired(KernelPlan plan, IReadOnlyDictionary<EndpointPlan, PodLink> endpoints)
    {
        _identities.SetDesired(plan.Identities);
        _backends.SetDesired(plan.Backends);
        _slots.SetDesired(plan.Slots);
        _members.SetDesired(plan.Members);
        _sourceRanges.SetDesired(plan.SourceRanges);
        _frontends.SetDesired(plan.Frontends);
        _classes.SetDesired(plan.Classes);
        _verdicts.SetDesired(plan.Verdicts);

        var rows = new Dictionary<EndpointKey, EndpointEntry>();
        var pods = new Dictionary<PodKey, PodEntry>();
        foreach (var (endpoint, link) in endpoints)
        {
            var ifindex = (uint)link.Ifindex;
            rows[new EndpointKey { Ifindex = ifindex }] = new EndpointEntry
            {
                Identity = endpoint.Identity,
                Set = endpoint.PolicySet,
                Mtu = (uint)link.Mtu,
                PodMac0 = link.PodMac.Word0,
                PodMac1 = link.PodMac.Word1,
                PodMac2 = link.PodMac.Word2,
                HostMac0 = link.HostMac.Word0,
                HostMac1 = link.HostMac.Word1,
                HostMac2 = link.HostMac.Word2,
            };
            foreach (var address in endpoint.Addresses)
                pods[new PodKey { Addr = Addr.From(address) }] = new PodEntry { Ifindex = ifindex };
        }

        _endpoints.SetDesired(rows);
        _pods.SetDesired(pods);
    }

    /// <summary>Writes what is missing.</summary>
    public void Upsert(RoundTally tally)
    {
        _identities.Upsert(tally);
        _backends.Upsert(tally);

        _slots.Upsert(tally, (_, slot) => _backends.Missing.Contains(new BackendKey { Backend = slot.Backend }));
        _members.Upsert(tally, (key, _) => _backends.Missing.Contains(new BackendKey { Backend = key.Backend }));
        _sourceRanges.Upsert(tally);
        var brokenGroups = _slots.Missing.Select(k => k.Group).Concat(_members.Missing.Select(k => k.Group)).ToHashSet();
        var brokenRanges = _sourceRanges.Missing.Select(k => k.Ranges).ToHashSet();
        _frontends.Upsert(tally, (_, frontend) => brokenGroups.Contains(frontend.Inside.Id) || brokenGroups.Contains(frontend.Outside.Id)
            || brokenRanges.Contains(frontend.Ranges));

        // An identity that is missing makes its peers strangers, to whom another rule may apply: no new rules until it is there.
        var strangers = _identities.Missing.Count > 0;
        _classes.Upsert(tally, (_, _) => strangers);
        _verdicts.Upsert(tally, (_, _) => strangers);
        var brokenSets = _classes.Missing.Select(k => k.Set).Concat(_verdicts.Missing.Select(k => k.Set)).ToHashSet();
        _endpoints.Upsert(tally, (_, endpoint) => brokenSets.Contains(endpoint.Set));
        _pods.Upsert(tally);
    }

    /// <summary>Removes what nothing refers to any more.</summary>
    public void Remove(RoundTally tally)
    {
        _pods.Remove(tally);
        _endpoints.Remove(tally);
        var setsInUse = _endpoints.Mirror.Values.Select(e => e.Set).ToHashSet();
        _verdicts.Remove(tally, (key, _) => setsInUse.Contains(key.Set) && _endpoints.Missing.Count > 0);
        _classes.Remove(tally, (key, _) => setsInUse.Contains(key.Set) && _endpoints.Missing.Count > 0);

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
        _identities.Remove(tally, (_, _) => _classes.Missing.Count > 0 || _verdicts.Missing.Count > 0);
    }

    /// <summary>Backends that went away since this was last asked.</summary>
    public IReadOnlyList<BackendEntry> TakeGoneBackends()
    {
        BackendEntry[] gone = [.. _goneBackends];
        _goneBackends.Clear();
        return gone;
    }

    /// <summary>Ends the epoch that was begun, if one was.</summary>
    public void Finish()
    {
        if (_epoch.IsApplying)
            _epoch.End();
    }

    /// <summary>Compares the kernel with what was written. How many rows differ; the next round repairs them.</summary>
    public int Audit() =>
        _identities.Audit() + _backends.Audit() + _slots.Audit() + _members.Audit() + _sourceRanges.Audit() + _frontends.Audit() + _classes.Audit() + _verdicts.Audit() + _endpoints.Audit() + _pods.Audit();

    public void Dispose() => _maps.ForEach(m => m.Dispose());

    private MirrorTable<TKey, TValue> Table<TKey, TValue>(LoadedObjects objects, string name, Action beforeWrite, Action<TValue>? afterRemove = null)
        where TKey : unmanaged, IEquatable<TKey>
        where TValue : unmanaged, IEquatable<TValue>
    {
        var map = objects.OpenMap<TKey, TValue>(name);
        _maps.Add(map);
        return new MirrorTable<TKey, TValue>(map, MapCatalog.Of(name), beforeWrite, afterRemove);
    }
}
