using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Services;

/// <summary>The rows of some frontends, made with the numbers of one <see cref="ServiceIds"/>.</summary>
internal sealed class RowSet(ServiceIds ids)
{
    private readonly Dictionary<BackendKey, BackendEntry> _backends = [];
    private readonly Dictionary<SlotKey, SlotEntry> _slots = [];
    private readonly Dictionary<MemberKey, MemberEntry> _members = [];
    private readonly Dictionary<SourceRangeKey, SourceRangeEntry> _sourceRanges = [];
    private readonly Dictionary<FrontendKey, FrontendEntry> _frontends = [];
    private readonly Dictionary<uint, string> _portNames = [];
    private readonly Dictionary<FrontendKey, FrontendKind> _kinds = [];
    private readonly Dictionary<uint, string> _rangeNames = [];

    /// <summary>All that one source has, what it shares with others (backends, source ranges) included.</summary>
    public void Add(IEnumerable<FrontendDraft> won)
    {
        foreach (var frontend in won)
        {
            var service = ids.Ports.Of(frontend.Port.Hash);
            _portNames[service] = frontend.Port.Name;
            if (frontend.Kind != FrontendKind.ClusterIp)
                _kinds[frontend.Key] = frontend.Kind;
            _frontends[frontend.Key] = new FrontendEntry
            {
                Service = service,
                Flags = (uint)frontend.Flags,
                Inside = Add(frontend.Inside, frontend.Port),
                Outside = Add(frontend.Outside, frontend.Port),
                AffinityS = frontend.Port.AffinitySeconds,
                Ranges = frontend.Ranges is { } ranges ? Add(ranges) : 0,
            };
        }
    }

    public ServiceRows ToRows() => new(
        RowTable<BackendKey, BackendEntry>.From(_backends), RowTable<SlotKey, SlotEntry>.From(_slots), RowTable<MemberKey, MemberEntry>.From(_members),
        RowTable<SourceRangeKey, SourceRangeEntry>.From(_sourceRanges), RowTable<FrontendKey, FrontendEntry>.From(_frontends),
        RowTable<uint, string>.From(_portNames), RowTable<FrontendKey, FrontendKind>.From(_kinds), RowTable<uint, string>.From(_rangeNames));

    /// <summary>These rows in place of <paramref name="before"/>; of what sources share only what <paramref name="isUnused"/> says goes.</summary>
    public ServiceRows Replace(ServiceRows all, RowSet before, SharedUse isUnused) => new(
        Replace(all.Backends, before._backends, _backends, k => isUnused.Backends.Contains(k.Backend)),
        Replace(all.Slots, before._slots, _slots, _ => true),
        Replace(all.Members, before._members, _members, _ => true),
        Replace(all.SourceRanges, before._sourceRanges, _sourceRanges, k => isUnused.Ranges.Contains(k.Ranges)),
        Replace(all.Frontends, before._frontends, _frontends, _ => true),
        Replace(all.PortNames, before._portNames, _portNames, _ => true),
        Replace(all.Kinds, before._kinds, _kinds, _ => true),
        Replace(all.RangeNames, before._rangeNames, _rangeNames, isUnused.Ranges.Contains));

    private static RowTable<TKey, TValue> Replace<TKey, TValue>(
        RowTable<TKey, TValue> all, Dictionary<TKey, TValue> before, Dictionary<TKey, TValue> after, Func<TKey, bool> isUnused)
        where TKey : notnull
    {
        var builder = all.ToBuilder();
        foreach (var key in before.Keys)
            if (!after.ContainsKey(key) && isUnused(key))
                builder.Remove(key);
        foreach (var (key, value) in after)
            builder.Set(key, value);
        return builder.ToTable();
    }

    private Group Add(GroupDraft group, PortDraft port)
    {
        if (group.Slots == 0)
            return default;
        var id = ids.Groups.Of(group.Hash);
        if (!_slots.TryAdd(new SlotKey { Group = id }, default))
            return new Group { Id = id, Slots = group.Slots };

        var backends = new uint[group.Backends.Length];
        for (var i = 0; i < backends.Length; i++)
        {
            var b = group.Backends[i];
            backends[i] = ids.Backends.Of(b.Hash);
            _backends[new BackendKey { Backend = backends[i] }] =
                new BackendEntry { Addr = Addr.From(b.Address), PortBe = Be16.FromHost(b.Port), Proto = (byte)b.Protocol };
            if (port.AffinitySeconds > 0)
                _members[new MemberKey { Group = id, Backend = backends[i] }] = new MemberEntry { Present = 1 };
        }

        var table = group.TableSize > 0 ? Maglev.Table(group.Backends, group.TableSize) : null;
        for (var slot = 0u; slot < group.Slots; slot++)
            _slots[new SlotKey { Group = id, Slot = slot }] = new SlotEntry { Backend = backends[table is null ? slot : table[slot]] };
        return new Group { Id = id, Slots = group.Slots };
    }

    private uint Add(RangesDraft ranges)
    {
        var id = ids.Ranges.Of(ranges.Hash);
        _rangeNames[id] = ranges.Blocks.Length == 0 ? "nobody" : string.Join(",", ranges.Blocks);
        foreach (var block in ranges.Blocks)
            _sourceRanges[new SourceRangeKey { PrefixBits = 32 + (uint)block.Bits, Ranges = id, Addr = Addr.From(block.Address) }] = new SourceRangeEntry { Allow = 1 };
        return id;
    }
}

/// <summary>Numbers of shared rows that nobody uses any more.</summary>
internal sealed record SharedUse(HashSet<uint> Backends, HashSet<uint> Ranges);
