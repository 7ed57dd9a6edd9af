using NodeMesh.Datapath.Load;
using NodeMesh.Native;
using NodeMesh.Native.Netlink;

namespace NodeMesh.Datapath.Attach;

/// <summary>
/// Before kernel 6.6: direct-action filters of clsact. They outlive the agent by themselves; a filter with the same preference and handle is swapped in place.
/// </summary>
internal sealed class ClsactHooks(LoadedObjects objects, NetlinkSocket netlink) : IInterfaceHooks
{
    /// <summary>How our filters are told from others'.</summary>
    internal const string NamePrefix = "nm_";
    internal const uint Handle = 0x6e6d;
    private const ushort Preference = 1;

    private readonly HashSet<HookTarget> _attached = [];

    public bool IsAttached(HookTarget target) => _attached.Contains(target);

    public int Sync(IReadOnlyCollection<HookTarget> targets, bool removals, List<string> problems)
    {
        var changes = 0;
        foreach (var target in targets)
        {
            try
            {
                changes += Ensure(target, problems);
            }
            catch (SyscallException e)
            {
                _attached.Remove(target);
                problems.Add(e.Message);
            }
        }

        return removals ? changes + RemoveOthers(targets) : changes;
    }

    public void Dispose()
    {
        // The filters stay in force; there is nothing else to let go of.
    }

    private int Ensure(HookTarget target, List<string> problems)
    {
        var program = objects.Program(target.Object, target.Program);
        var filters = RtFilters.Dump(netlink, target.Ifindex, target.Ingress);
        if (filters.Count > 0 && filters[0].ProgramId == program.Facts.Id)
        {
            _attached.Add(target);
            return 0;
        }

        if (filters.Count > 0 && !IsOurs(filters[0]) && filters[0].Preference <= Preference)
            problems.Add($"filter {filters[0].Name} stands before {target.Program} at ifindex {target.Ifindex}. Cure: give it a preference above {Preference}");
        RtFilters.AddClsact(netlink, target.Ifindex);
        RtFilters.Set(netlink, target.Ifindex, target.Ingress, Preference, Handle, program.Fd, target.Program);
        _attached.Add(target);
        return 1;
    }

    private int RemoveOthers(IReadOnlyCollection<HookTarget> targets)
    {
        var changes = 0;
        foreach (var filter in OursOnNode(netlink).Where(f => !targets.Any(t => t.Ifindex == f.Ifindex && t.Ingress == f.Ingress && t.Program == f.Name)).ToArray())
        {
            RtFilters.Remove(netlink, filter);
            _attached.RemoveWhere(t => t.Ifindex == filter.Ifindex && t.Ingress == filter.Ingress);
            changes++;
        }

        return changes;
    }

    internal static IEnumerable<BpfFilter> OursOnNode(NetlinkSocket netlink) =>
        from link in RtLinks.Dump(netlink)
        from ingress in new[] { true, false }
        from filter in RtFilters.Dump(netlink, link.Ifindex, ingress)
        where IsOurs(filter)
        select filter;

    private static bool IsOurs(BpfFilter filter) => filter.Handle == Handle && filter.Name.StartsWith(NamePrefix, StringComparison.Ordinal);
}
