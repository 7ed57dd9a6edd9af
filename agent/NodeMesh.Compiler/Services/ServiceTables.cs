using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Services;

/// <summary>Load balancing as it was compiled last: the rows, and what made them, so that a change costs what it changes.</summary>
/// <param name="Claims">Who wants a frontend; the first has it.</param>
/// <param name="Findings">Of the sources that have any.</param>
internal sealed record ServiceTables(
    NodeView? Node,
    ImmutableArray<Service> Services,
    ImmutableArray<Workload> HostPortPods,
    ImmutableArray<Gateway> Gateways,
    ImmutableHashSet<BusyPort> Busy,
    ImmutableHashSet<ServicePortName> L7,
    RowTable<SourceKey, Fragment> Fragments,
    RowTable<FrontendKey, ImmutableArray<Claimant>> Claims,
    RowTable<SourceKey, ImmutableArray<Diagnostic>> Findings,
    ServiceIds Ids,
    ServiceRows Rows)
{
    public static readonly ServiceTables Empty = new(
        null, [], [], [], [], [], RowTable<SourceKey, Fragment>.Empty, RowTable<FrontendKey, ImmutableArray<Claimant>>.Empty,
        RowTable<SourceKey, ImmutableArray<Diagnostic>>.Empty, ServiceIds.Empty, ServiceRows.Empty);

    /// <summary>Those of its frontends that a source has; what a Gateway has is its listeners' own.</summary>
    public IEnumerable<FrontendDraft> Won(Fragment fragment) =>
        fragment.Key.Kind == SourceKind.Gateway ? [] : fragment.Wanted.Where(f => Claims[f.Key][0].Source == fragment.Key);

    /// <summary>Cluster addresses whose requests the proxy serves.</summary>
    public List<L7Frontend> L7Frontends() =>
    [
        .. L7.GroupBy(p => p.Service).Where(g => Fragments.ContainsKey(new SourceKey(SourceKind.Service, g.Key)))
            .SelectMany(g => Won(Fragments[new SourceKey(SourceKind.Service, g.Key)])
                .Where(f => f.Flags.HasFlag(FrontendFlag.L7))
                .Select(f => new L7Frontend(f.Key.Addr.ToIpAddr(), new ServicePortName(g.Key, f.Key.PortBe.ToHost())))),
    ];
}

/// <summary>The numbers in use.</summary>
internal sealed record ServiceIds(IdSpace Ports, IdSpace Groups, IdSpace Backends, IdSpace Ranges)
{
    public static readonly ServiceIds Empty = new(IdSpace.Empty, IdSpace.Empty, IdSpace.Empty, IdSpace.Empty);
}

/// <summary>The rows, and the names of what their numbers stand for.</summary>
internal sealed record ServiceRows(
    RowTable<BackendKey, BackendEntry> Backends,
    RowTable<SlotKey, SlotEntry> Slots,
    RowTable<MemberKey, MemberEntry> Members,
    RowTable<SourceRangeKey, SourceRangeEntry> SourceRanges,
    RowTable<FrontendKey, FrontendEntry> Frontends,
    RowTable<uint, string> PortNames,
    RowTable<FrontendKey, FrontendKind> Kinds,
    RowTable<uint, string> RangeNames)
{
    public static readonly ServiceRows Empty = new(
        RowTable<BackendKey, BackendEntry>.Empty, RowTable<SlotKey, SlotEntry>.Empty, RowTable<MemberKey, MemberEntry>.Empty,
        RowTable<SourceRangeKey, SourceRangeEntry>.Empty, RowTable<FrontendKey, FrontendEntry>.Empty, RowTable<uint, string>.Empty,
        RowTable<FrontendKey, FrontendKind>.Empty, RowTable<uint, string>.Empty);
}
