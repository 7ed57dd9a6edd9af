using System.Globalization;

namespace NodeMesh.Datapath.Attach;

/// <summary>What was found of a pod's processes.</summary>
/// <param name="HasCgroup">The kubelet made the pod's cgroup.</param>
/// <param name="HasProcess">And there is a process in it.</param>
/// <param name="Namespaces">A path for each network namespace that its processes are in, except this agent's own. A container with the privilege may have made some
/// itself.</param>
internal sealed record PodProcesses(bool HasCgroup, bool HasProcess, IReadOnlyList<string> Namespaces)
{
    public static readonly PodProcesses None = new(false, false, []);

    /// <summary>Which namespaces those are: a process may go on into another one, as the runtime's own do while they become a container's.</summary>
    public string Which { get; init; } = "";

    /// <summary>Why there is no namespace, for a person.</summary>
    public string Reason => !HasCgroup ? "the kubelet has made no cgroup for it yet"
        : !HasProcess ? "no process of it runs yet"
        : "its processes are on the node's own network";
}

/// <summary>
/// Finds a pod's network namespace by the pod's UID, whatever runtime and network plugin made it: the kubelet puts a pod's processes into a cgroup that is named
/// after the UID, and a process shows its namespace. One thread at a time.
/// </summary>
/// <param name="trees">Where pods' cgroups are looked for, see <see cref="Cgroups.Trees(string)"/>.</param>
/// <param name="procRoot">Where processes of the whole node are seen.</param>
internal sealed class PodNamespaces(IReadOnlyList<string> trees, string procRoot = "/proc")
{
    // The kubelet's tree: kubepods[.slice] / QoS class / pod, perhaps below kubelet[.slice].
    private const int PodDepth = 5;

    // pod / container, below which some runtimes have a folder more.
    private const int ContainerDepth = 2;

    // A container may start as many processes as it likes, but not in the folder of another: that of the sandbox is always looked at.
    private const int ProcessesPerFolder = 16;

    private static readonly EnumerationOptions s_folders = new() { IgnoreInaccessible = true, AttributesToSkip = FileAttributes.ReparsePoint };

    private readonly Dictionary<string, List<string>> _folders = new(StringComparer.Ordinal);

    /// <param name="uid">As in metadata.uid; of a static pod, as in its annotation kubernetes.io/config.mirror.</param>
    public PodProcesses Find(string uid)
    {
        if (!_folders.TryGetValue(uid, out var folders) || !folders.Exists(Directory.Exists))
        {
            Index();
            if (!_folders.TryGetValue(uid, out folders))
                return PodProcesses.None;
        }

        var own = NamespaceOf("self");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var paths = new List<string>();
        var any = false;
        foreach (var folder in folders)
        {
            foreach (var process in Processes(folder, ContainerDepth))
            {
                if (NamespaceOf(process) is not { } its)
                    continue;
                any = true;
                if (its != own && seen.Add(its))
                    paths.Add($"{procRoot}/{process}/ns/net");
            }

            // Each controller of version 1 has the same tree.
            if (any)
                break;
        }

        return new PodProcesses(true, any, paths) { Which = string.Join(' ', seen) };
    }

    private void Index()
    {
        _folders.Clear();
        foreach (var tree in trees)
            Index(tree, PodDepth);
    }

    private void Index(string folder, int depth)
    {
        if (depth == 0)
            return;
        foreach (var path in Folders(folder))
        {
            var name = Path.GetFileName(path);
            if (UidOf(name) is { } uid)
            {
                if (!_folders.TryGetValue(uid, out var known))
                    _folders.Add(uid, known = []);
                known.Add(path);
            }
            else if (IsOnTheWay(name))
            {
                Index(path, depth - 1);
            }
        }
    }

    private static bool IsOnTheWay(string name) => name.Contains("kube", StringComparison.Ordinal) || name is "besteffort" or "burstable" or "guaranteed";

    /// <summary>"podUID" of the cgroupfs driver, "kubepods-burstable-podUID.slice" of systemd's, which writes underscores for dashes; null for any other name.</summary>
    internal static string? UidOf(string name)
    {
        const string Slice = ".slice";
        const string Pod = "pod";
        var isSlice = name.EndsWith(Slice, StringComparison.Ordinal);
        var at = isSlice ? name.LastIndexOf("-pod", StringComparison.Ordinal) + 1 : 0;
        if ((isSlice && at == 0) || !name.AsSpan(at).StartsWith(Pod, StringComparison.Ordinal))
            return null;
        var uid = name[(at + Pod.Length)..^(isSlice ? Slice.Length : 0)];
        if (isSlice)
            uid = uid.Replace('_', '-');
        return uid.Length is 32 or 36 && uid.All(c => char.IsAsciiHexDigitLower(c) || c == '-') ? uid : null;
    }

    private static IEnumerable<string> Processes(string folder, int depth)
    {
        foreach (var line in Lines(Path.Combine(folder, "cgroup.procs")).Take(ProcessesPerFolder))
            if (int.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var process) && process > 0)
                yield return line;
        if (depth == 0)
            yield break;
        foreach (var inner in Folders(folder))
            foreach (var process in Processes(inner, depth - 1))
                yield return process;
    }

    // A cgroup may go away between two looks at it.
    private static string[] Lines(string file)
    {
        try
        {
            return File.ReadAllLines(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static string[] Folders(string folder)
    {
        try
        {
            return Directory.GetDirectories(folder, "*", s_folders);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>"net:[4026531840]"; null when the process is gone.</summary>
    private string? NamespaceOf(string process)
    {
        try
        {
            return new FileInfo($"{procRoot}/{process}/ns/net").LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
