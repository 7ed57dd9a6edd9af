namespace NodeMesh.Sources.Files;

/// <summary>The manifest files below a directory.</summary>
/// <param name="Files">By path.</param>
/// <param name="Linked">Real paths of directories that are reached through symbolic links: the watcher does not follow those by itself.</param>
internal sealed record DirectoryListing(IReadOnlyDictionary<string, FileStamp> Files, IReadOnlySet<string> Linked)
{
    private const int MaxDepth = 16;
    private const int MaxFiles = 10_000;

    /// <summary>Names that are read: *.yaml, *.yml and *.json, neither hidden nor an editor's temporary.</summary>
    public static bool IsManifest(string name) =>
        name.Length > 0 && name[0] is not ('.' or '#') && (name.EndsWith(".yaml", StringComparison.Ordinal)
            || name.EndsWith(".yml", StringComparison.Ordinal) || name.EndsWith(".json", StringComparison.Ordinal));

    /// <exception cref="IOException">The directory is not there or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static DirectoryListing Scan(string root)
    {
        var files = new Dictionary<string, FileStamp>(StringComparer.Ordinal);
        var linked = new HashSet<string>(StringComparer.Ordinal);
        var visited = new HashSet<string>(StringComparer.Ordinal);
        Walk(new DirectoryInfo(root), 0, files, linked, visited);
        return new DirectoryListing(files, linked);
    }

    private static void Walk(DirectoryInfo directory, int depth, Dictionary<string, FileStamp> files, HashSet<string> linked, HashSet<string> visited)
    {
        // A link to a directory above would go round for ever.
        var real = directory.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? directory.FullName;
        if (depth > MaxDepth || !visited.Add(real))
            return;
        if (real != directory.FullName)
            linked.Add(real);
        foreach (var entry in directory.EnumerateFileSystemInfos())
        {
            if (entry.Name[0] == '.' || files.Count >= MaxFiles)
                continue;
            if (entry is DirectoryInfo sub)
                Walk(sub, depth + 1, files, linked, visited);
            else if (IsManifest(entry.Name) && Stamp(entry) is { } stamp)
                files.Add(entry.FullName, stamp);
        }
    }

    /// <summary>Of one path; null when nothing is there.</summary>
    public static FileStamp? Stamp(string path) => Stamp(new FileInfo(path));

    /// <summary>Null for a link that leads nowhere or a file that vanished meanwhile.</summary>
    private static FileStamp? Stamp(FileSystemInfo entry)
    {
        var target = entry.LinkTarget is null ? entry : entry.ResolveLinkTarget(returnFinalTarget: true);
        if (target is not FileInfo { Exists: true } file)
            return null;

        return new FileStamp(file.FullName, file.LastWriteTimeUtc.Ticks, file.CreationTimeUtc.Ticks, file.Length);
    }
}
