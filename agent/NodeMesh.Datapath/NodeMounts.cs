using NodeMesh.Datapath.Attach;
using NodeMesh.Native;
using NodeMesh.Native.Namespaces;

namespace NodeMesh.Datapath;

/// <summary>The file systems that the data path needs of a node. systemd mounts both; a node that begins with another program may have neither.</summary>
public static class NodeMounts
{
    private const string CgroupRoot = "/sys/fs/cgroup";

    /// <summary>Mounts what is not mounted. Where the caller sees both already, nobody else's namespace is entered: not everywhere one may.</summary>
    /// <param name="mountNamespace">Whose mounts they are to be, such as /proc/1/ns/mnt; empty: the caller's.</param>
    /// <param name="bpffs">Where the BPF file system is to be.</param>
    /// <returns>What was mounted, in words; empty when all was there.</returns>
    /// <exception cref="SyscallException">It could not be.</exception>
    public static IReadOnlyList<string> Ensure(string mountNamespace, string bpffs) =>
        mountNamespace.Length == 0 || (FileSystems.IsBpffs(bpffs) && Cgroups.Find("").Length > 0) ? Ensure(bpffs) : MountNamespace.Run(mountNamespace, () => Ensure(bpffs));

    private static List<string> Ensure(string bpffs)
    {
        var done = new List<string>();
        if (!FileSystems.IsBpffs(bpffs))
        {
            Directory.CreateDirectory(bpffs);
            FileSystems.Mount("bpf", bpffs, "mode=700");
            done.Add($"a BPF file system at {bpffs}");
        }

        if (Cgroups.Find("").Length > 0)
            return done;

        // Beside version 1 it has the place that systemd gives it there.
        var place = Directory.EnumerateFileSystemEntries(CgroupRoot).Any() ? $"{CgroupRoot}/unified" : CgroupRoot;
        Directory.CreateDirectory(place);
        FileSystems.Mount("cgroup2", place, "");
        done.Add($"cgroup2 at {place}");
        return done;
    }
}
