using NodeMesh.Datapath.Load;
using NodeMesh.Native;
using NodeMesh.Native.Bpf;

namespace NodeMesh.Datapath.Attach;

/// <summary>Puts the connect object's programs on a cgroup, for all processes below it.</summary>
internal sealed class CgroupAttacher(LoadedObjects objects, PinTree pins, string cgroupPath) : IDisposable
{
    internal const string Prefix = "cg_";
    private const string SectionPrefix = "cgroup/";

    private readonly List<BpfLink> _links = [];

    public int Count => _links.Count;

    /// <summary>Adopts the links an earlier agent left, makes those that are missing, removes those of programs that are no more.</summary>
    /// <exception cref="NodeFaultException">NoCgroup2.</exception>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public void Attach()
    {
        if (!FileSystems.IsCgroup2(cgroupPath))
            throw new NodeFaultException(NodeFault.NoCgroup2, $"{cgroupPath} is not a cgroup2 directory. Cure: mount -t cgroup2 none /sys/fs/cgroup, or name one with --cgroup");

        using var cgroup = FileSystems.OpenDirectory(cgroupPath);
        var programs = objects.Connect.Programs.Where(p => p.Section.StartsWith(SectionPrefix, StringComparison.Ordinal)).ToArray();
        foreach (var program in programs)
            _links.Add(AttachOne(program, cgroup));

        var wanted = programs.Select(PinName).ToHashSet();
        foreach (var name in pins.LinkNames.Where(n => n.StartsWith(Prefix, StringComparison.Ordinal) && !wanted.Contains(n)).ToArray())
            File.Delete(pins.Link(name));
    }

    public void Dispose() => _links.ForEach(l => l.Dispose());

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
