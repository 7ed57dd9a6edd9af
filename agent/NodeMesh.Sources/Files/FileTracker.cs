namespace NodeMesh.Sources.Files;

/// <summary>What tells one content of a file from the next without reading it.</summary>
/// <param name="Target">Where a symbolic link leads. A linked directory on the way stays in it, so that a ConfigMap's update shows in the times only.</param>
/// <param name="Modified">Ticks.</param>
/// <param name="Created">Ticks; differs when one file took the place of another.</param>
internal readonly record struct FileStamp(string Target, long Modified, long Created, long Length);

/// <summary>
/// Decides when a file is to be read. A file counts once it has held still: a write in pieces is one change, an editor that moves the old file away
/// first has not deleted it, and a text that does not parse (or is suddenly empty) gets longer to become whole. Pure: no clock, no disk.
/// </summary>
internal sealed class FileTracker
{
    /// <summary>How long a file must hold still.</summary>
    public static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(40);

    /// <summary>How long a file that looks half-written must hold still before that is taken for its content.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(400);

    private readonly SortedDictionary<string, Tracked> _files = new(StringComparer.Ordinal);

    private sealed class Tracked
    {
        public FileStamp? Stamp { get; set; }
        public DateTimeOffset ChangedAt { get; set; }
        public DateTimeOffset? DueAt { get; set; }
    }

    public bool IsIdle => _files.Values.All(f => f.DueAt is null);

    /// <summary>The earliest moment at which <see cref="TakeDue"/> will have something.</summary>
    public DateTimeOffset? NextDue => _files.Values.Min(f => f.DueAt);

    /// <summary>What is on the disk now. Files seen for the first time in the first listing are due at once.</summary>
    public void Observe(IReadOnlyDictionary<string, FileStamp> listing, DateTimeOffset now, bool isFirst = false)
    {
        foreach (var (path, stamp) in listing)
        {
            if (!_files.TryGetValue(path, out var file))
                _files.Add(path, file = new Tracked());
            else if (file.Stamp == stamp)
                continue;
            (file.Stamp, file.ChangedAt, file.DueAt) = (stamp, now, isFirst ? now : now + Settle);
        }
        foreach (var (path, file) in _files)
            if (file.Stamp is not null && !listing.ContainsKey(path))
                (file.Stamp, file.ChangedAt, file.DueAt) = (null, now, now + Settle);
    }

    /// <summary>Whether all of them are files that were seen and are there.</summary>
    public bool Knows(IEnumerable<string> paths) => paths.All(p => _files.TryGetValue(p, out var file) && file.Stamp is not null);

    /// <summary>What is on the disk now at one path that is known; null when nothing is.</summary>
    public void Observe(string path, FileStamp? stamp, DateTimeOffset now)
    {
        if (_files[path] is var file && file.Stamp != stamp)
            (file.Stamp, file.ChangedAt, file.DueAt) = (stamp, now, now + Settle);
    }

    /// <summary>Something was written to the file, though its stamp may be the same (two writes within one tick of the file system's clock).</summary>
    public void Touch(string path, DateTimeOffset now)
    {
        if (_files.TryGetValue(path, out var file))
            (file.ChangedAt, file.DueAt) = (now, now + Settle);
    }

    /// <summary>Paths to read (or, when gone, to drop) now. A path whose content looks half-written goes back by <see cref="Retry"/>.</summary>
    public List<(string Path, bool IsGone)> TakeDue(DateTimeOffset now)
    {
        var due = _files.Where(f => f.Value.DueAt <= now).Select(f => (f.Key, f.Value.Stamp is null)).ToList();
        foreach (var (path, isGone) in due)
            if (isGone)
                _files.Remove(path);
            else
                _files[path].DueAt = null;
        return due;
    }

    /// <summary>True when there is still patience: the file will be due again a little later.</summary>
    public bool Retry(string path, DateTimeOffset now)
    {
        if (!_files.TryGetValue(path, out var file) || now - file.ChangedAt >= Patience)
            return false;
        file.DueAt = now + Settle;
        return true;
    }
}
