using NodeMesh.Datapath.Tables;
using NodeMesh.Native;
using NodeMesh.Native.Bpf;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath.Load;

/// <summary>
/// A kernel map cannot change its size. Where the option did, the old map is unpinned, a new one takes its name, and the rows move over before any
/// program on a hook is swapped; the old programs go on with the old map until then.
/// </summary>
internal sealed class MapResize : IDisposable
{
    private readonly PinTree _pins;
    private readonly List<string> _notes;
    private readonly List<(MapSpec Spec, OwnedFd Old)> _moving = [];

    private MapResize(PinTree pins, List<string> notes)
    {
        _pins = pins;
        _notes = notes;
    }

    public static MapResize Prepare(MapSizes sizes, PinTree pins, List<string> notes)
    {
        var resize = new MapResize(pins, notes);
        foreach (var spec in MapCatalog.All)
        {
            var pinned = MapFacts.OpenPinned(pins.Map(spec.Name));
            if (pinned is null)
                continue;
            var facts = MapFacts.Of(pinned, spec.Name);
            if (facts.MaxEntries == spec.Size(sizes))
            {
                pinned.Dispose();
                continue;
            }

            notes.Add($"{spec.Name} goes from {facts.MaxEntries} to {spec.Size(sizes)} rows");
            File.Delete(pins.Map(spec.Name));
            resize._moving.Add((spec, pinned));
        }

        return resize;
    }

    /// <summary>Policy and connections move; what the reconciler writes anew or what only speeds things up does not.</summary>
    public void CopyRows()
    {
        foreach (var (spec, old) in _moving)
        {
            switch (spec.Name)
            {
                case MapCatalog.Identity:
                    Copy<IdentityKey, IdentityEntry>(spec, old);
                    break;
                case MapCatalog.Backend:
                    Copy<BackendKey, BackendEntry>(spec, old);
                    break;
                case MapCatalog.Slot:
                    Copy<SlotKey, SlotEntry>(spec, old);
                    break;
                case MapCatalog.Member:
                    Copy<MemberKey, MemberEntry>(spec, old);
                    break;
                case MapCatalog.SourceRange:
                    Copy<SourceRangeKey, SourceRangeEntry>(spec, old);
                    break;
                case MapCatalog.Frontend:
                    Copy<FrontendKey, FrontendEntry>(spec, old);
                    break;
                case MapCatalog.PeerGroup:
                    Copy<PeerGroupKey, PeerGroupEntry>(spec, old);
                    break;
                case MapCatalog.Class:
                    Copy<ClassKey, ClassEntry>(spec, old);
                    break;
                case MapCatalog.Verdict:
                    Copy<VerdictKey, VerdictEntry>(spec, old);
                    break;
                case MapCatalog.Endpoint:
                    Copy<EndpointKey, EndpointEntry>(spec, old);
                    break;
                case MapCatalog.Pod:
                    Copy<PodKey, PodEntry>(spec, old);
                    break;
                case MapCatalog.Netns:
                    Copy<NetnsKey, NetnsEntry>(spec, old);
                    break;
                case MapCatalog.ConnectionTcp or MapCatalog.ConnectionAny:
                    Copy<CtKey, CtEntry>(spec, old);
                    break;
                case MapCatalog.Affinity:
                    Copy<AffinityKey, AffinityEntry>(spec, old);
                    break;
                case MapCatalog.NatBrief or MapCatalog.NatTcp or MapCatalog.NatAny:
                    Copy<NatKey, NatEntry>(spec, old);
                    break;
                case "nm_reverse":
                    Copy<ReverseKey, ReverseEntry>(spec, old);
                    break;
            }
        }
    }

    public void Dispose() => _moving.ForEach(m => m.Old.Dispose());

    private void Copy<TKey, TValue>(MapSpec spec, OwnedFd old)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        var target = MapFacts.OpenPinned(_pins.Map(spec.Name));
        if (target is null)
            return;
        using var to = new BpfMap<TKey, TValue>(target, spec.Name);
        using var from = new BpfMap<TKey, TValue>(MapFacts.Share(old, spec.Name), spec.Name);
        var rows = from.ReadAll();
        var done = to.SetMany(rows.Keys.ToArray(), rows.Values.ToArray(), out var errno);
        if (errno != 0)
            _notes.Add($"{spec.Name}: {rows.Count - done} of {rows.Count} rows did not move: {Errno.Describe(errno)}");
    }
}
