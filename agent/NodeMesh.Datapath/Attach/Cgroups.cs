namespace NodeMesh.Datapath.Attach;

/// <summary>Where cgroups are mounted: version 2 at /sys/fs/cgroup, version 1 there with a folder for each controller, or both.</summary>
internal static class Cgroups
{
    private const string MountInfo = "/proc/thread-self/mountinfo";

    // Every controller of version 1 has the same tree of pods; one of these is on every node that has version 1.
    private static readonly string[] s_controllers = ["pids", "memory", "name=systemd"];

    /// <param name="Path">Of its root.</param>
    /// <param name="Options">Of the file system: of version 1, its controllers.</param>
    internal readonly record struct Mount(string Path, string Type, string[] Options);

    /// <summary>The option, or the root of the first cgroup2 mount; empty when there is none.</summary>
    public static string Find(string option) => option.Length > 0 ? option : Mounts().FirstOrDefault(m => m.Type == "cgroup2").Path ?? "";

    /// <summary>Where pods' cgroups may be: at <paramref name="cgroup2"/>, which may be a part of the tree without them, and wherever either version is mounted.</summary>
    public static string[] Trees(string cgroup2) => [.. Trees(cgroup2, Mounts())];

    internal static IEnumerable<string> Trees(string cgroup2, IEnumerable<Mount> mounts) =>
        mounts.Where(m => m.Type == "cgroup2" || (m.Type == "cgroup" && s_controllers.Any(m.Options.Contains))).Select(m => m.Path).Prepend(cgroup2).Where(p => p.Length > 0).Distinct();

    private static IEnumerable<Mount> Mounts() => File.Exists(MountInfo) ? Read(File.ReadLines(MountInfo)) : [];

    /// <summary>"36 35 98:0 /root /mount/point options … - fstype source options"</summary>
    internal static IEnumerable<Mount> Read(IEnumerable<string> mountInfo)
    {
        foreach (var line in mountInfo)
        {
            if (line.Split(" - ", 2) is not [var place, var system] || place.Split(' ') is not [_, _, _, _, var path, ..] || system.Split(' ') is not [var type, _, var options])
                continue;
            if (type is "cgroup" or "cgroup2")
                yield return new Mount(path, type, options.Split(','));
        }
    }
}
