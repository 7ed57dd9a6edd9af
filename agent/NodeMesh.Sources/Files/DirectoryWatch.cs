using System.Collections.Concurrent;
using System.Threading.Channels;

namespace NodeMesh.Sources.Files;

/// <summary>The kernel's notices about a directory, and about those it links to.</summary>
internal sealed class DirectoryWatch : IDisposable
{
    private readonly Channel<byte> _bell = Channel.CreateBounded<byte>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly ConcurrentDictionary<string, byte> _touched = new(StringComparer.Ordinal);
    private readonly Dictionary<string, FileSystemWatcher> _watchers = new(StringComparer.Ordinal);
    private readonly string _root;

    /// <exception cref="ArgumentException">The directory is not there.</exception>
    /// <exception cref="IOException">The kernel gives no more watches.</exception>
    public DirectoryWatch(string root)
    {
        _root = root;
        Add(root);
    }

    /// <summary>Watches exactly the root and these directories from now on.</summary>
    public void Follow(IReadOnlySet<string> linked)
    {
        foreach (var path in linked)
            if (!_watchers.ContainsKey(path))
                Add(path);
        foreach (var path in _watchers.Keys.Where(p => p != _root && !linked.Contains(p)).ToList())
        {
            _watchers[path].Dispose();
            _watchers.Remove(path);
        }
    }

    /// <summary>Paths that were written to since the last call.</summary>
    public List<string> TakeTouched()
    {
        _bell.Reader.TryRead(out _);
        var taken = _touched.Keys.ToList();
        foreach (var path in taken)
            _touched.TryRemove(path, out _);
        return taken;
    }

    /// <summary>Returns when something happened or the time is over.</summary>
    public async Task WaitAsync(TimeSpan limit, TimeProvider time, CancellationToken stop)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var rung = _bell.Reader.WaitToReadAsync(ended.Token).AsTask();
        await Task.WhenAny(rung, Task.Delay(limit, time, ended.Token)).ConfigureAwait(false);
        await ended.CancelAsync().ConfigureAwait(false);
        stop.ThrowIfCancellationRequested();
    }

    public void Dispose()
    {
        foreach (var watcher in _watchers.Values)
            watcher.Dispose();
    }

    private void Add(string path)
    {
        var watcher = new FileSystemWatcher(path)
        {
            IncludeSubdirectories = true,
            NotifyFilter = NotifyFilters.FileName | NotifyFilters.DirectoryName | NotifyFilters.LastWrite | NotifyFilters.Size,
        };
        watcher.Changed += (_, e) => Ring(e.FullPath);
        watcher.Created += (_, e) => Ring(e.FullPath);
        watcher.Deleted += (_, e) => Ring(e.FullPath);
        watcher.Renamed += (_, e) => Ring(e.FullPath);

        // Lost notices: the scan that the bell leads to finds what they were about.
        watcher.Error += (_, _) => Ring("");
        watcher.EnableRaisingEvents = true;
        _watchers.Add(path, watcher);
    }

    private void Ring(string path)
    {
        _touched.TryAdd(path, 0);
        _bell.Writer.TryWrite(0);
    }
}
