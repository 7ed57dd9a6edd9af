using NodeMesh.Datapath.Load;
using NodeMesh.Native;
using NodeMesh.Native.Bpf;
using NodeMesh.Native.Netlink;

namespace NodeMesh.Datapath.Attach;

/// <summary>
/// Before kernel 6.6: direct-action filters of clsact. They outlive the agent by themselves; a filter with the same preference and handle is swapped in place.
/// </summary>
internal sealed class ClsactHooks(LoadedObjects objects, NetlinkSocket netlink) : IInterfaceHooks
{
    private const ushort Preference = 1;

    // How our filters are told from others'. There are two, since only a filter that is new comes before all of its preference.
    private static readonly uint[] s_handles = [0x6e6d, 0x6e6e];

    private readonly HashSet<HookTarget> _attached = [];

    public bool IsAttached(HookTarget target) => _attached.Contains(target);

    public bool IsDisturbed() => _attached.Any(t =>
        RtFilters.Dump(netlink, t.Ifindex, t.Ingress) is not [var first, ..] || first.ProgramId != objects.Program(t.Object, t.Program).Facts.Id);

    public int Sync(IReadOnlyCollection<HookTarget> targets, bool look, HookRemovals removals, RoundNotes notes)
    {
        var changes = 0;
        look |= !_attached.IsSubsetOf(targets);
        _attached.IntersectWith(targets);
        foreach (var target in look ? targets : targets.Where(t => !_attached.Contains(t)).ToArray())
        {
            try
            {
                changes += Ensure(target, notes);
            }
            catch (SyscallException e)
            {
                _attached.Remove(target);
                notes.Problems.Add(e.Message);
            }
        }

        return look && removals != HookRemovals.None ? changes + RemoveOthers(targets, removals) : changes;
    }

    public void Dispose()
    {
        // The filters stay in force; there is nothing else to let go of.
    }

    private int Ensure(HookTarget target, RoundNotes notes)
    {
        var program = objects.Program(target.Object, target.Program);
        var filters = RtFilters.Dump(netlink, target.Ifindex, target.Ingress);
        var ours = filters.Where(f => IsOurs(f) && f.Name == target.Program).ToArray();
        if (filters is [var first, ..] && first.ProgramId == program.Facts.Id)
        {
            foreach (var spare in ours.Where(f => f.Handle != first.Handle))
                RtFilters.Remove(netlink, spare);
            _attached.Add(target);
            return 0;
        }

        RtFilters.AddClsact(netlink, target.Ifindex);
        if (ours.Length == 0 && _attached.Contains(target))
            notes.Disturbed(DisturbanceKind.Detached, $"{target.Program} was no longer attached at ifindex {target.Ifindex}; it is again");
        if (filters.Count > 0 && !IsOurs(filters[0]))
            return Overtake(target, program, filters[0], ours, notes);
        Set(target, ours.Length == 0 ? s_handles[0] : ours[0].Handle, program);
        return 1;
    }

    /// <summary>A filter ahead of ours can pass packets around policy. A new one of ours goes first, then the old one goes away.</summary>
    private int Overtake(HookTarget target, BpfProgram program, BpfFilter first, BpfFilter[] ours, RoundNotes notes)
    {
        Set(target, s_handles.First(h => ours.All(o => o.Handle != h)), program);
        foreach (var old in ours)
            RtFilters.Remove(netlink, old);
        var isFirst = RtFilters.Dump(netlink, target.Ifindex, target.Ingress) is [var now, ..] && now.ProgramId == program.Facts.Id;
        if (isFirst && ours.Length == 0)
            return 1;
        var what = $"filter {first.Name} stood before {target.Program} at ifindex {target.Ifindex}; ";
        if (isFirst)
            notes.Disturbed(DisturbanceKind.Overtaken, what + "ours is first again");
        else
            notes.Problems.Add(what + $"it still does. Cure: give it a preference above {Preference}");
        return 1;
    }

    private void Set(HookTarget target, uint handle, BpfProgram program)
    {
        RtFilters.Set(netlink, target.Ifindex, target.Ingress, Preference, handle, program.Fd, target.Program);
        _attached.Add(target);
    }

    private int RemoveOthers(IReadOnlyCollection<HookTarget> targets, HookRemovals removals)
    {
        var changes = 0;
        foreach (var filter in OursOnNode(netlink).Where(f => !targets.Any(t => t.Ifindex == f.Ifindex && t.Ingress == f.Ingress && t.Program == f.Name)).ToArray())
        {
            if (removals == HookRemovals.ButEarlierPods && IsOfEarlierPod(filter))
                continue;
            RtFilters.Remove(netlink, filter);
            _attached.RemoveWhere(t => t.Ifindex == filter.Ifindex && t.Ingress == filter.Ingress);
            changes++;
        }

        return changes;
    }

    /// <summary>Ours would have this agent's program.</summary>
    private bool IsOfEarlierPod(BpfFilter filter) =>
        HookTarget.OfEndpoint(filter.Ifindex).FirstOrDefault(t => t.Program == filter.Name) is { } target && filter.ProgramId != objects.Program(target.Object, target.Program).Facts.Id;

    internal static IEnumerable<BpfFilter> OursOnNode(NetlinkSocket netlink) =>
        from link in RtLinks.Dump(netlink)
        from ingress in new[] { true, false }
        from filter in RtFilters.Dump(netlink, link.Ifindex, ingress)
        where IsOurs(filter)
        select filter;

    private static bool IsOurs(BpfFilter filter) => s_handles.Contains(filter.Handle) && filter.Name.StartsWith(HookTarget.ProgramPrefix, StringComparison.Ordinal);
}
