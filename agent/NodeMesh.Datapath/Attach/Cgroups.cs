namespace NodeMesh.Datapath.Attach;

/// <summary>Finds the unified hierarchy: /sys/fs/cgroup, or /sys/fs/cgroup/unified beside version 1.</summary>
internal static class Cgroups
{
    private const string MountInfo = "/proc/self/mountinfo";

    /// <summary>The option, or the root of the first cgroup2 mount; empty when there is none.</summary>
    public static string Find(string option)
    {
        if (option.Length > 0 || !File.Exists(MountInfo))
            return option;

        // "36 35 98:0 /root /mount/point options … - fstype source options"
        return File.ReadLines(MountInfo)
            .Select(line => line.Split(" - ", 2))
            .Where(halves => halves.Length == 2 && halves[1].StartsWith("cgroup2 ", StringComparison.Ordinal))
            .Select(halves => halves[0].Split(' '))
            .Where(fields => fields.Length > 4)
            .Select(fields => fields[4])
            .FirstOrDefault("");
    }
}
