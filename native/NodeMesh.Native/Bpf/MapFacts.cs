namespace NodeMesh.Native.Bpf;

/// <summary>What the kernel says about a map.</summary>
/// <param name="Type">enum bpf_map_type.</param>
public readonly record struct MapFacts(uint Id, string Name, uint Type, uint KeySize, uint ValueSize, uint MaxEntries, uint Flags)
{
    public const uint PerCpuHash = 5;
    public const uint PerCpuArray = 6;
    public const uint LruPerCpuHash = 10;

    internal unsafe struct Raw
    {
        public uint Type;
        public uint Id;
        public uint KeySize;
        public uint ValueSize;
        public uint MaxEntries;
        public uint Flags;
        public fixed byte Name[16];
    }

    public bool IsPerCpu => Type is PerCpuHash or PerCpuArray or LruPerCpuHash;

    /// <exception cref="BpfException">The descriptor is not a map's.</exception>
    public static unsafe MapFacts Of(OwnedFd map, string subject)
    {
        Raw raw;
        var result = Libbpf.nm_map_facts(map.Fd, &raw);
        return result == 0
            ? new MapFacts(raw.Id, Libbpf.Text(raw.Name), raw.Type, raw.KeySize, raw.ValueSize, raw.MaxEntries, raw.Flags)
            : throw new BpfException("map_info", subject, -result);
    }

    /// <summary>Opens what is pinned at a path; null when nothing is.</summary>
    /// <exception cref="BpfException">It is there and cannot be opened.</exception>
    public static OwnedFd? OpenPinned(string path)
    {
        var fd = Libbpf.bpf_obj_get(path);
        return fd >= 0 ? new OwnedFd(fd) : -fd == Errno.ENOENT ? null : throw new BpfException("obj_get", path, -fd);
    }

    /// <exception cref="BpfException">EEXIST: something is pinned there; EPERM: not a BPF file system.</exception>
    public static void Pin(OwnedFd map, string path)
    {
        var result = Libbpf.bpf_obj_pin(map.Fd, path);
        if (result < 0)
            throw new BpfException("obj_pin", path, -result);
    }

    /// <summary>The same map on a descriptor of its own.</summary>
    public static OwnedFd Share(OwnedFd map, string subject) => Duplicate(map.Fd, subject);

    internal static OwnedFd Duplicate(int fd, string subject)
    {
        var copy = fd < 0 ? -1 : Libc.Duplicate(fd);
        return copy >= 0 ? new OwnedFd(copy) : throw new BpfException("dup", subject, System.Runtime.InteropServices.Marshal.GetLastPInvokeError());
    }
}
