using System.Security;
using System.Threading.Channels;

namespace NodeMesh.Sources.Files;

/// <summary>
/// Watches a directory of manifests and says what changes in it. The kernel's notices make it quick; a scan now and then finds what they
/// missed, so a lost notice costs time and nothing else.
/// </summary>
/// <param name="directory">Read with its subdirectories.</param>
/// <param name="events">Of the world that takes the changes.</param>
/// <param name="time">Null: the system's clock.</param>
public sealed class FileSource(string directory, ChannelWriter<SourceEvent> events, TimeProvider? time = null)
{
    private static readonly TimeSpan ScanInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);

    /// <summary>A scan may take this part of the time at most: of ten thousand files it takes long.</summary>
    private const int ScanShare = 50;

    private readonly string _directory = Path.GetFullPath(directory);
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly FileTracker _tracker = new();
    private readonly HashSet<string> _filled = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TimeSpan _scanInterval = ScanInterval;
    private long _scanned;
    private bool _hasScanned;
    private bool _isTroubled;

    /// <summary>Done when all that the directory held at the beginning has been said.</summary>
    public Task Synced => _synced.Task;

    /// <summary>Runs until it is cancelled. A directory that is missing or unreadable is a diagnostic, and what it held stays in force.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task RunAsync(CancellationToken stop)
    {
        while (true)
        {
            try
            {
                await WatchAsync(stop).ConfigureAwait(false);
            }
            catch (Exception e) when (e is not (OperationCanceledException or ChannelClosedException))
            {
                _isTroubled = true;
                var trouble = ManifestFile.Broken(_directory, "unreadable-directory",
                    $"the directory cannot be read: {e.Message}; it is tried again every {RetryInterval.TotalSeconds:0} s");
                trouble = trouble with { Problem = trouble.Problem! with { Consequence = "what it held before stays in force" } };
                await SayAsync([trouble], stop).ConfigureAwait(false);
            }
            await Task.Delay(RetryInterval, _time, stop).ConfigureAwait(false);
        }
    }

    private async Task WatchAsync(CancellationToken stop)
    {
        using var watch = new DirectoryWatch(_directory);
        var isNew = true; // of what happened before it was there it knows nothing
        while (true)
        {
            // Notices first, looking second: what changes after the look makes a new notice.
            var touched = watch.TakeTouched();
            if (!isNew && _time.GetElapsedTime(_scanned) < _scanInterval && _tracker.Knows(touched))
                Look(touched);
            else
                Scan(watch);
            isNew = false;
            var now = _time.GetUtcNow();
            foreach (var path in touched)
                _tracker.Touch(path, now);
            _hasScanned = true;

            var changes = ReadDue(now);
            if (_isTroubled)
                changes.Add(new OriginChange(_directory, null, null));
            _isTroubled = false;
            await SayAsync(changes, stop).ConfigureAwait(false);
            await WaitAsync(watch, stop).ConfigureAwait(false);
        }
    }

    private void Scan(DirectoryWatch watch)
    {
        _scanned = _time.GetTimestamp();
        var listing = DirectoryListing.Scan(_directory);
        watch.Follow(listing.Linked);
        _tracker.Observe(listing.Files, _time.GetUtcNow(), isFirst: !_hasScanned);
        var share = _time.GetElapsedTime(_scanned) * ScanShare;
        _scanInterval = share > ScanInterval ? share : ScanInterval;
    }

    /// <summary>Where only known files were written to, the others need not be looked at.</summary>
    private void Look(List<string> touched)
    {
        foreach (var path in touched)
            _tracker.Observe(path, DirectoryListing.Stamp(path), _time.GetUtcNow());
    }

    private async Task SayAsync(List<OriginChange> changes, CancellationToken stop)
    {
        var isSynced = _hasScanned && _tracker.IsIdle && !_synced.Task.IsCompleted;
        if (changes.Count > 0 || isSynced)
            await events.WriteAsync(new SourceEvent(_directory, [.. changes], isSynced), stop).ConfigureAwait(false);
        if (isSynced)
            _synced.TrySetResult();
    }

    private async Task WaitAsync(DirectoryWatch watch, CancellationToken stop)
    {
        var wait = _scanInterval - _time.GetElapsedTime(_scanned);
        if (_tracker.NextDue is { } due && due - _time.GetUtcNow() < wait)
            wait = due - _time.GetUtcNow();
        if (wait > TimeSpan.Zero)
            await watch.WaitAsync(wait, _time, stop).ConfigureAwait(false);
    }

    private List<OriginChange> ReadDue(DateTimeOffset now)
    {
        var changes = new List<OriginChange>();
        foreach (var (path, isGone) in _tracker.TakeDue(now))
        {
            if (isGone)
            {
                _filled.Remove(path);
                changes.Add(new OriginChange(path, null, null));
                continue;
            }
            var change = Read(path);
            var isSuspect = change.Problem is not null || (change.Content is { Objects.Count: 0, Problems.Count: 0 } && _filled.Contains(path));
            if (isSuspect && _tracker.Retry(path, now))
                continue;
            if (change.Content is { Objects.Count: > 0 })
                _filled.Add(path);
            changes.Add(change);
        }
        return changes;
    }

    private static OriginChange Read(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            if (stream.Length > YamlReader.MaxCharacters * 4L)
                return ManifestFile.Broken(path, "too-large", $"the file has more than {YamlReader.MaxCharacters} characters; split it");
            using var reader = new StreamReader(stream);
            return ManifestFile.Read(path, reader.ReadToEnd());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SecurityException)
        {
            return ManifestFile.Broken(path, "unreadable-file", $"the file cannot be read: {e.Message}");
        }
    }
}
