namespace NodeMesh.Native.Bpf;

/// <summary>enum bpf_attach_type, those that NodeMesh attaches to.</summary>
public static class AttachType
{
    public const int TcxIngress = 46;
    public const int TcxEgress = 47;
}

/// <param name="ProgramId">The program now behind the link.</param>
/// <param name="Ifindex">Of a tcx link; 0 once its device is gone.</param>
/// <param name="AttachType">enum bpf_attach_type.</param>
/// <param name="CgroupId">Of a cgroup link; 0 once its cgroup is gone.</param>
public readonly record struct LinkFacts(uint Type, uint Id, uint ProgramId, uint Ifindex, uint AttachType, ulong CgroupId)
{
    public const uint CgroupType = 3;
    public const uint TcxType = 11;

    internal struct Raw
    {
        public uint Type;
        public uint Id;
        public uint ProgramId;
        public uint Ifindex;
        public uint AttachType;
        public uint Pad0;
        public ulong CgroupId;
    }

    /// <summary>What it was attached to is gone: it can only be removed.</summary>
    public bool IsDetached => (Type == TcxType && Ifindex == 0) || (Type == CgroupType && CgroupId == 0);
}

/// <summary>An attachment of a program. It holds while this object, a pin or another descriptor of it is there.</summary>
public sealed unsafe class BpfLink : IDisposable
{
    private const uint Before = 1 << 3;

    private readonly OwnedFd _link;

    private BpfLink(OwnedFd link, string name)
    {
        _link = link;
        Name = name;
    }

    public string Name { get; }

    /// <exception cref="BpfException">The kernel refused to say.</exception>
    public LinkFacts Facts
    {
        get
        {
            LinkFacts.Raw raw;
            var result = Libbpf.nm_link_facts(_link.Fd, &raw);
            return result == 0
                ? new LinkFacts(raw.Type, raw.Id, raw.ProgramId, raw.Ifindex, raw.AttachType, raw.CgroupId)
                : throw new BpfException("link_info", Name, -result);
        }
    }

    /// <summary>Attaches before every program of the hook there is now.</summary>
    /// <param name="attachType"><see cref="AttachType"/>.</param>
    /// <exception cref="BpfException">ENODEV: no such interface; EEXIST: the same program is there; EINVAL: no tcx (before kernel 6.6).</exception>
    public static BpfLink AttachTcxAtHead(BpfProgram program, int ifindex, int attachType) =>
        Create(program, ifindex, attachType, Before, $"{program} at ifindex {ifindex}");

    /// <summary>Attaches to a cgroup (version 2) by the program's own attach type, beside other owners' programs.</summary>
    /// <exception cref="BpfException">EINVAL: not a cgroup2 directory.</exception>
    public static BpfLink AttachCgroup(BpfProgram program, OwnedFd cgroup) =>
        Create(program, cgroup.Fd, program.AttachType, 0, $"{program} at its cgroup");

    /// <summary>The link pinned at a path; null when nothing is.</summary>
    /// <exception cref="BpfException">It is there and cannot be opened.</exception>
    public static BpfLink? OpenPinned(string path)
    {
        var fd = Libbpf.bpf_obj_get(path);
        return fd >= 0 ? new BpfLink(new OwnedFd(fd), path) : -fd == Errno.ENOENT ? null : throw new BpfException("obj_get", path, -fd);
    }

    /// <summary>Swaps the program in place: no packet passes by unseen. 0, or errno: ENOLINK when what it was attached to is gone.</summary>
    public int TryUpdate(BpfProgram program) => -Libbpf.nm_link_update(_link.Fd, program.Fd);

    /// <exception cref="BpfException">EEXIST: something is pinned there.</exception>
    public void Pin(string path)
    {
        var result = Libbpf.bpf_obj_pin(_link.Fd, path);
        if (result < 0)
            throw new BpfException("obj_pin", path, -result);
    }

    /// <summary>Takes the program off now, whoever else holds the link.</summary>
    /// <exception cref="BpfException">The kernel refused.</exception>
    public void Detach()
    {
        var result = Libbpf.bpf_link_detach(_link.Fd);
        if (result < 0 && -result != Errno.ENOLINK)
            throw new BpfException("link_detach", Name, -result);
    }

    public void Dispose() => _link.Dispose();

    private static BpfLink Create(BpfProgram program, int target, int attachType, uint flags, string name)
    {
        var fd = Libbpf.nm_link_create(program.Fd, target, attachType, flags);
        return fd >= 0 ? new BpfLink(new OwnedFd(fd), name) : throw new BpfException("link_create", name, -fd);
    }
}
