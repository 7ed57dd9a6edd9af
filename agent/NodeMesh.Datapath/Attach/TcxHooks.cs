using NodeMesh.Datapath.Load;
using NodeMesh.Native;
using NodeMesh.Native.Bpf;

namespace NodeMesh.Datapath.Attach;

/// <summary>tcx links, pinned so that they outlive the agent, and adopted by swapping the program behind them.</summary>
internal sealed class TcxHooks(LoadedObjects objects, PinTree pins, DatapathOptions options) : IInterfaceHooks
{
    private readonly Dictionary<string, BpfLink> _links = [];
    private readonly Dictionary<string, HookTarget> _targets = [];

    // Hooks at which another NodeMesh agent stands before us.
    private readonly HashSet<string> _shared = [];

    public bool IsAttached(HookTarget target) => _links.ContainsKey(target.PinName);

    public bool IsDisturbed()
    {
        bool IsOdd(HookTarget target, BpfLink link) =>
            link.Facts.IsDetached || pins.LacksLink(target.PinName) || (!_shared.Contains(target.PinName) && !IsFirst(target, link));
        return _targets.Values.Any(t => _links.TryGetValue(t.PinName, out var link) && IsOdd(t, link));
    }

    public int Sync(IReadOnlyCollection<HookTarget> targets, bool look, HookRemovals removals, RoundNotes notes)
    {
        _targets.Clear();
        foreach (var target in targets)
            _targets[target.PinName] = target;
        using var rcu = options.ExpediteRcu && targets.Any(t => !_links.ContainsKey(t.PinName)) ? ExpeditedRcu.Begin(options.RunDirectory) : null;
        var changes = RemoveOthers(look, removals);
        foreach (var target in look ? targets : targets.Where(t => !_links.ContainsKey(t.PinName)))
        {
            try
            {
                changes += Ensure(target, notes);
            }
            catch (BpfException e)
            {
                notes.Problems.Add(e.Message);
            }
        }

        return changes;
    }

    public void Dispose()
    {
        foreach (var link in _links.Values)
            link.Dispose();
    }

    private int Ensure(HookTarget target, RoundNotes notes)
    {
        var changes = 0;
        var takenOff = false;
        if (!_links.TryGetValue(target.PinName, out var link))
        {
            link = Adopt(target);
            changes++;
        }
        else if (link.Facts.IsDetached)
        {
            Drop(target.PinName, link);
            link = null;
            takenOff = true;
        }

        if (link is null)
        {
            link = BpfLink.AttachTcxAtHead(objects.Program(target.Object, target.Program), target.Ifindex, AttachTypeOf(target));
            _links[target.PinName] = link;
            Pin(target.PinName, link);
            if (takenOff)
                notes.Disturbed(DisturbanceKind.Detached, $"{target.Program} was no longer attached at ifindex {target.Ifindex}; it is again");
            return 1;
        }

        _links[target.PinName] = link;
        if (pins.LacksLink(target.PinName) && Pin(target.PinName, link))
            notes.Disturbed(DisturbanceKind.Unpinned, $"{target.Program} at ifindex {target.Ifindex} was not pinned any more; it is again");
        return changes + KeepFirst(target, link, notes);
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

    private static bool IsFirst(HookTarget target, BpfLink link) => FirstOf(target) is { } first && first.LinkId == link.Facts.Id;

    private static HookProgram? FirstOf(HookTarget target) => BpfHook.QueryTcx(target.Ifindex, AttachTypeOf(target)) is [var first, ..] ? first : null;

    /// <summary>
    /// A foreign program ahead of ours can pass packets around policy. The new link goes first, then the old one goes away: at no time is there none. Another agent
    /// of NodeMesh would do the same in its turn, for ever: that is for a person to end.
    /// </summary>
    private int KeepFirst(HookTarget target, BpfLink link, RoundNotes notes)
    {
        if (FirstOf(target) is not { } first || first.LinkId == link.Facts.Id)
        {
            _shared.Remove(target.PinName);
            return 0;
        }

        var name = ProgramFacts.Find(first.ProgramId)?.Name ?? "of an unknown name";
        if (name.StartsWith(HookTarget.ProgramPrefix, StringComparison.Ordinal))
        {
            var what = $"another NodeMesh agent stands before this one at ifindex {target.Ifindex}; both enforce, and it is left there. Cure: end one of them, and take off what is its with its own cleanup";
            if (_shared.Add(target.PinName))
                notes.Disturbed(DisturbanceKind.SecondAgent, what);
            return 0;
        }

        var ours = objects.Program(target.Object, target.Program);
        var program = link.Facts.ProgramId == ours.Facts.Id ? objects.SpareProgram(target.Object, target.Program) : ours;
        var head = BpfLink.AttachTcxAtHead(program, target.Ifindex, AttachTypeOf(target));
        Drop(target.PinName, link);
        _links[target.PinName] = head;
        Pin(target.PinName, head);
        _shared.Remove(target.PinName);
        notes.Disturbed(DisturbanceKind.Overtaken, $"program {name} ({first.ProgramId}) stood before {target.Program} at ifindex {target.Ifindex}; ours is first again");
        return 1;
    }

    private int RemoveOthers(bool look, HookRemovals removals)
    {
        var changes = 0;
        foreach (var name in (look ? pins.LinkNames.Where(IsOurs) : []).Union(_links.Keys).Where(n => !_targets.ContainsKey(n)).ToArray())
        {
            var link = _links.GetValueOrDefault(name) ?? BpfLink.OpenPinned(pins.Link(name));
            if (link is null)
                continue;
            var isOurs = _links.ContainsKey(name);
            var stays = removals == HookRemovals.None || (removals == HookRemovals.ButEarlierPods && !isOurs && name.StartsWith(HookTarget.EndpointPrefix, StringComparison.Ordinal));
            if (stays && !link.Facts.IsDetached)
            {
                // Not ours yet: when its pod is found, adoption gives it our program.
                if (!isOurs)
                    link.Dispose();
                continue;
            }

            Drop(name, link);
            changes++;
        }

        return changes;
    }

    /// <summary>False when there is no place for pins, which is said elsewhere; the link holds as long as this agent.</summary>
    private bool Pin(string name, BpfLink link)
    {
        if (!pins.HasPlace)
            return false;
        link.Pin(pins.Link(name));
        return true;
    }

    private void Drop(string name, BpfLink link)
    {
        _links.Remove(name);
        _shared.Remove(name);
        if (!link.Facts.IsDetached)
            link.Detach();
        if (pins.HasPlace)
            File.Delete(pins.Link(name));
        link.Dispose();
    }

    private static bool IsOurs(string name) =>
        name.StartsWith(HookTarget.EndpointPrefix, StringComparison.Ordinal) || name.StartsWith(HookTarget.DevicePrefix, StringComparison.Ordinal);

    private static int AttachTypeOf(HookTarget target) => target.Ingress ? AttachType.TcxIngress : AttachType.TcxEgress;
}
