using NodeMesh.Datapath.Load;
using NodeMesh.Native;
using NodeMesh.Native.Bpf;

namespace NodeMesh.Datapath.Attach;

/// <summary>tcx links, pinned so that they outlive the agent, and adopted by swapping the program behind them.</summary>
internal sealed class TcxHooks(LoadedObjects objects, PinTree pins) : IInterfaceHooks
{
    private readonly Dictionary<string, BpfLink> _links = [];

    public bool IsAttached(HookTarget target) => _links.ContainsKey(target.PinName);

    public int Sync(IReadOnlyCollection<HookTarget> targets, bool removals, List<string> problems)
    {
        var changes = RemoveOthers(targets.Select(t => t.PinName).ToHashSet(), removals);
        foreach (var target in targets)
        {
            try
            {
                changes += Ensure(target, problems);
            }
            catch (BpfException e)
            {
                problems.Add(e.Message);
            }
        }

        return changes;
    }

    public void Dispose()
    {
        foreach (var link in _links.Values)
            link.Dispose();
    }

    private int Ensure(HookTarget target, List<string> problems)
    {
        var changes = 0;
        if (!_links.TryGetValue(target.PinName, out var link))
        {
            link = Adopt(target);
            changes++;
        }
        else if (link.Facts.IsDetached)
        {
            Drop(target.PinName, link);
            link = null;
        }

        if (link is null)
        {
            link = BpfLink.AttachTcxAtHead(objects.Program(target.Object, target.Program), target.Ifindex, AttachTypeOf(target));
            link.Pin(pins.Link(target.PinName));
            _links[target.PinName] = link;
            return 1;
        }

        _links[target.PinName] = link;
        return changes + (IsFirst(target, link) ? 0 : MoveToHead(target, link, problems));
    }

    /// <summary>The link an earlier agent left, now with our program; null when there is none that can be used.</summary>
    private BpfLink? Adopt(HookTarget target)
    {
        var link = BpfLink.OpenPinned(pins.Link(target.PinName));
        if (link is null)
            return null;

        var facts = link.Facts;
        var usable = !facts.IsDetached && facts.Ifindex == target.Ifindex && facts.AttachType == AttachTypeOf(target);
        var errno = usable ? link.TryUpdate(objects.Program(target.Object, target.Program)) : Errno.ENOLINK;
        if (errno == 0)
            return link;
        if (errno != Errno.ENOLINK)
        {
            link.Dispose();
            throw new BpfException("link_update", target.PinName, errno);
        }

        Drop(target.PinName, link);
        return null;
    }

    private static bool IsFirst(HookTarget target, BpfLink link)
    {
        var programs = BpfHook.QueryTcx(target.Ifindex, AttachTypeOf(target));
        return programs.Count > 0 && programs[0].LinkId == link.Facts.Id;
    }

    /// <summary>A foreign program ahead of ours can pass packets around policy. The new link goes first, then the old one goes away: at no time is there none.</summary>
    private int MoveToHead(HookTarget target, BpfLink link, List<string> problems)
    {
        var ours = objects.Program(target.Object, target.Program);
        var program = link.Facts.ProgramId == ours.Facts.Id ? objects.SpareProgram(target.Object, target.Program) : ours;
        var head = BpfLink.AttachTcxAtHead(program, target.Ifindex, AttachTypeOf(target));
        Drop(target.PinName, link);
        head.Pin(pins.Link(target.PinName));
        _links[target.PinName] = head;
        problems.Add($"another program stood before {target.Program} at ifindex {target.Ifindex}; ours is first again");
        return 1;
    }

    private int RemoveOthers(HashSet<string> wanted, bool removals)
    {
        var changes = 0;
        foreach (var name in pins.LinkNames.Where(n => IsOurs(n) && !wanted.Contains(n)).ToArray())
        {
            var link = _links.GetValueOrDefault(name) ?? BpfLink.OpenPinned(pins.Link(name));
            if (link is null)
                continue;
            if (!removals && !link.Facts.IsDetached)
            {
                // Not ours yet: when its pod is found, adoption gives it our program.
                if (!_links.ContainsKey(name))
                    link.Dispose();
                continue;
            }

            Drop(name, link);
            changes++;
        }

        return changes;
    }

    private void Drop(string name, BpfLink link)
    {
        _links.Remove(name);
        if (!link.Facts.IsDetached)
            link.Detach();
        File.Delete(pins.Link(name));
        link.Dispose();
    }

    private static bool IsOurs(string name) =>
        name.StartsWith(HookTarget.EndpointPrefix, StringComparison.Ordinal) || name.StartsWith(HookTarget.DevicePrefix, StringComparison.Ordinal);

    private static int AttachTypeOf(HookTarget target) => target.Ingress ? AttachType.TcxIngress : AttachType.TcxEgress;
}
