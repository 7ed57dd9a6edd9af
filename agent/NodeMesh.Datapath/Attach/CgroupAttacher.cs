using NodeMesh.Datapath.Load;
using NodeMesh.Native;
using NodeMesh.Native.Bpf;

namespace NodeMesh.Datapath.Attach;

/// <summary>Puts the connect object's programs on a cgroup, for all processes below it.</summary>
internal sealed class CgroupAttacher(LoadedObjects objects, PinTree pins, string cgroupPath) : IDisposable
{
    internal const string Prefix = "cg_";
    private const string SectionPrefix = "cgroup/";

    private readonly Dictionary<string, BpfLink> _links = [];

    /// <summary>Whether somebody changed what was attached, or its pins.</summary>
    public bool IsDisturbed => _links.Any(l => l.Value.Facts.IsDetached || pins.LacksLink(l.Key));

    /// <summary>Adopts the links an earlier agent left, makes those that are missing, removes those of programs that are no more.</summary>
    /// <exception cref="NodeFaultException">NoCgroup2.</exception>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public void Attach()
    {
        if (!FileSystems.IsCgroup2(cgroupPath))
            throw new NodeFaultException(NodeFault.NoCgroup2, $"{cgroupPath} is not a cgroup2 directory. Cure: mount -t cgroup2 none /sys/fs/cgroup, or name one with --cgroup");

        using var cgroup = FileSystems.OpenDirectory(cgroupPath);
        foreach (var program in Programs)
            _links.Add(PinName(program), AttachOne(program, cgroup));

        foreach (var name in pins.LinkNames.Where(n => n.StartsWith(Prefix, StringComparison.Ordinal) && !_links.ContainsKey(n)).ToArray())
            File.Delete(pins.Link(name));
    }

    /// <summary>Puts back what somebody took off or unpinned. How many attachments.</summary>
    public int Keep(RoundNotes notes)
    {
        var changes = 0;
        foreach (var program in Programs.Where(p => _links.ContainsKey(PinName(p))))
        {
            try
            {
                changes += Keep(program, notes);
            }
            catch (SyscallException e)
            {
                notes.Problems.Add($"{program.Name} cannot be kept at {cgroupPath}: {e.Message}");
            }
        }

        return changes;
    }

    public void Dispose()
    {
        foreach (var link in _links.Values)
            link.Dispose();
    }

    private IEnumerable<BpfProgram> Programs => objects.Connect.Programs.Where(p => p.Section.StartsWith(SectionPrefix, StringComparison.Ordinal));

    private int Keep(BpfProgram program, RoundNotes notes)
    {
        var name = PinName(program);
        var path = pins.Link(name);
        if (_links[name].Facts.IsDetached)
        {
            using var cgroup = FileSystems.OpenDirectory(cgroupPath);
            var link = BpfLink.AttachCgroup(program, cgroup);
            _links[name].Dispose();
            _links[name] = link;
            if (pins.HasPlace)
            {
                File.Delete(path);
                link.Pin(path);
            }

            notes.Disturbed(DisturbanceKind.Detached, $"{program.Name} was no longer attached at {cgroupPath}; it is again");
            return 1;
        }

        if (pins.LacksLink(name))
        {
            _links[name].Pin(path);
            notes.Disturbed(DisturbanceKind.Unpinned, $"{program.Name} at {cgroupPath} was not pinned any more; it is again");
        }

        return 0;
    }

    private BpfLink AttachOne(BpfProgram program, OwnedFd cgroup)
    {
        var path = pins.Link(PinName(program));
        if (BpfLink.OpenPinned(path) is { } pinned)
        {
            var facts = pinned.Facts;
            var usable = !facts.IsDetached && facts.AttachType == program.AttachType;
            if (usable && facts.CgroupId != FileSystems.CgroupId(cgroup))
                return Move(pinned, program, cgroup, path);

            var errno = usable ? pinned.TryUpdate(program) : Errno.ENOLINK;
            if (errno == 0)
                return pinned;

            pinned.Dispose();
            if (errno != Errno.ENOLINK)
                throw new BpfException("link_update", path, errno);
            File.Delete(path);
        }

        var link = BpfLink.AttachCgroup(program, cgroup);
        link.Pin(path);
        return link;
    }

    /// <summary>For another cgroup than the earlier agent's: on the new one first, so that processes below both are never without.</summary>
    private static BpfLink Move(BpfLink old, BpfProgram program, OwnedFd cgroup, string path)
    {
        using var left = old;
        var link = BpfLink.AttachCgroup(program, cgroup);
        File.Delete(path);
        link.Pin(path);
        left.Detach();
        return link;
    }

    private static string PinName(BpfProgram program) => Prefix + program.Name;
}
