using System.Buffers;
using System.Text.Json;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Kubernetes.Cache;

/// <summary>An object as it was heard before this agent began.</summary>
internal readonly record struct KeptObject(string Origin, ApiMap Map);

/// <summary>
/// What was heard last from the API server, in a file of this node: for an agent that begins while the server is away. Changes are appended before anything is
/// done about them, so what the kernel enforces is in the file, too; what was overtaken is left out from time to time. Whatever is wrong with the file, the agent
/// goes on without it. Any thread.
/// </summary>
internal sealed class ObjectCache : IDisposable
{
    private const string FileName = "kubernetes.objects";
    private const string Format = "nodemesh objects 1";

    private readonly Lock _lock = new();
    private readonly string _directory;
    private readonly string _path;
    private readonly string _title;
    private readonly Action<string> _problem;
    private CacheFile? _file;
    private bool _keepsSecrets;
    private bool _isUsable;
    private Dictionary<string, List<(string Origin, ReadOnlyMemory<byte> Json)>>? _kept;
    private long _compactedTo;
    private Task _compaction = Task.CompletedTask;

    /// <param name="directory">For this alone; made when it is not there.</param>
    /// <param name="server">Objects of another one are not used.</param>
    /// <param name="problem">Told why something is not used or not kept.</param>
    public ObjectCache(string directory, string server, Action<string> problem)
    {
        _directory = directory;
        _path = Path.Combine(directory, FileName);

        // Objects that were trimmed by other rules may lack what is read now.
        _title = $"{Format} {JsonObjects.Rules} {server}";
        _problem = problem;
    }

    /// <summary>Whether a directory is in memory: what is in it is not on a disk that someone may find.</summary>
    public Func<string, bool> IsMemory { get; init; } = directory => new DriveInfo(directory).DriveFormat is "tmpfs" or "ramfs";

    /// <summary>Changes may take so much before what was overtaken is left out.</summary>
    public long RoomForChanges { get; init; } = 8 * 1024 * 1024;

    /// <summary>A larger file is given up.</summary>
    public long MostBytes { get; init; } = 128 * 1024 * 1024;

    /// <summary>When the last of it was heard; null: there is nothing to go by.</summary>
    public DateTimeOffset? HeardUntil { get; private set; }

    /// <summary>0: nothing is kept.</summary>
    public long Bytes
    {
        get
        {
            lock (_lock)
                return _file?.Length ?? 0;
        }
    }

    /// <summary>Takes off what an agent kept there.</summary>
    /// <returns>Null: there was nothing.</returns>
    public static string? Remove(string directory)
    {
        if (!Directory.Exists(directory))
            return null;
        Directory.Delete(directory, recursive: true);
        return directory;
    }

    /// <summary>Looks at what there is, and begins to keep. Once, and not while another agent runs.</summary>
    public void Open()
    {
        lock (_lock)
        {
            Attempt(() =>
            {
                Directory.CreateDirectory(_directory);
                File.SetUnixFileMode(_directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                _keepsSecrets = IsMemory(_directory);
                if (!OpenOld())
                    Begin();
            });
        }
    }

    /// <summary>Before they are said.</summary>
    public void Put(IReadOnlyCollection<OriginChange> changes) => Append([.. changes.Where(IsKept).Select(Record)]);

    /// <summary>All objects of the kind have been put.</summary>
    public void Complete(KindInfo kind) => Append([new CacheRecord(CacheRecordType.Complete, kind.Kind, default)]);

    /// <summary>The objects of a kind as they were when the agent began; null: there is nothing to go by. To be asked once for each kind, but for Secrets.</summary>
    public IReadOnlyList<KeptObject>? Kept(KindInfo kind)
    {
        lock (_lock)
        {
            List<KeptObject> kept = [];
            if (_isUsable && _file is not null)
            {
                Attempt(() =>
                {
                    _kept ??= Load();
                    foreach (var (origin, json) in _kept.GetValueOrDefault(kind.Kind) ?? [])
                        kept.Add(new KeptObject(origin, JsonObjects.ReadKept(kind.Kind, json.Span)));
                });
            }

            if (_kept is null)
                return null;
            if (kind != Kinds.Secret)
                _kept.Remove(kind.Kind);
            return kept;
        }
    }

    /// <summary>Whether <see cref="Kept"/> has something to say.</summary>
    public bool IsUsable
    {
        get
        {
            lock (_lock)
                return _isUsable && _file is not null;
        }
    }

    /// <summary>Nobody will ask for what was kept any more.</summary>
    public void Forget()
    {
        lock (_lock)
            (_kept, _isUsable) = (null, false);
    }

    public void Dispose()
    {
        Task compaction;
        lock (_lock)
        {
            _file?.Dispose();
            _file = null;
            compaction = _compaction;
        }

        compaction.Wait();
    }

    /// <returns>False: there is nothing that can be gone by.</returns>
    private bool OpenOld()
    {
        try
        {
            var complete = new HashSet<string>(StringComparer.Ordinal);
            var heard = File.GetLastWriteTimeUtc(_path);
            _file = CacheFile.Open(_path, _title, frame => complete.UnionWith(CacheRecord.ReadAll(frame).Where(r => r.Type == CacheRecordType.Complete).Select(r => r.Key)));
            _compactedTo = _file.Start;
            _isUsable = Resource.All.All(r => complete.Contains(r.Kind.Kind));
            HeardUntil = _isUsable ? heard : null;
            if (_isUsable)
                return true;

            // Its agent had not heard everything: with a policy missing, more would be let through than may be.
            _file.Dispose();
            return false;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
        catch (InvalidDataException e)
        {
            _problem($"the objects kept in {_path} are not used: {e.Message}");
            return false;
        }
    }

    private void Begin()
    {
        _file = CacheFile.Create(_path, _title);
        _compactedTo = _file.Length;
    }

    private bool IsKept(OriginChange change) =>
        change.IsGone || (change.Content?.Objects is [var one] && (_keepsSecrets || one.Kind != Kinds.Secret));

    private static CacheRecord Record(OriginChange change)
    {
        if (change.IsGone)
            return new CacheRecord(CacheRecordType.Gone, change.Origin, default);
        var json = new ArrayBufferWriter<byte>(512);
        JsonObjects.Write(change.Content!.Objects[0].Root, json);
        return new CacheRecord(CacheRecordType.Object, change.Origin, json.WrittenMemory);
    }

    private void Append(CacheRecord[] records)
    {
        if (records.Length == 0)
            return;
        var content = new ArrayBufferWriter<byte>(1024);
        foreach (var record in records)
            record.Write(content);
        lock (_lock)
        {
            if (_file is not { } file)
                return;
            if (file.Length + content.WrittenCount > MostBytes)
            {
                Stop($"they would take more than {MostBytes / (1024 * 1024)} MiB");
                return;
            }

            Attempt(() => file.Append(content.WrittenSpan));
            if (_file is not null && file.Length - _compactedTo > RoomForChanges && _compaction.IsCompleted)
                _compaction = Task.Run(() => Compact(file, file.Length));
        }
    }

    /// <summary>The last word about each object alone, in a new file that takes the old one's place. Others append meanwhile.</summary>
    private void Compact(CacheFile old, long end)
    {
        CacheFile? compact = null;
        try
        {
            compact = CacheFile.Create(_path + ".new", _title);
            CacheCompaction.Run(old, end, compact);
            var compacted = compact.Length;
            lock (_lock)
            {
                if (_file != old)
                    return;
                compact.AppendFrom(old, end);
                compact.Replace(_path);
                old.Dispose();
                (_file, _compactedTo) = (compact, compacted);
            }
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException or ObjectDisposedException)
        {
            lock (_lock)
                if (_file == old)
                    Stop(e.Message);
        }
        finally
        {
            lock (_lock)
                if (_file != compact)
                    compact?.Discard();
        }
    }

    /// <summary>The last word about each object, by kind.</summary>
    private Dictionary<string, List<(string Origin, ReadOnlyMemory<byte> Json)>> Load()
    {
        var last = new SortedDictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        _file!.Read(_file.Length, frame =>
        {
            foreach (var record in CacheRecord.ReadAll(frame))
            {
                if (record.Type == CacheRecordType.Object)
                    last[record.Key] = record.Json;
                else if (record.Type == CacheRecordType.Gone)
                    last.Remove(record.Key);
            }
        });
        return last.GroupBy(o => o.Key[..o.Key.IndexOf(' ', StringComparison.Ordinal)]).ToDictionary(g => g.Key, g => g.Select(o => (o.Key, o.Value)).ToList(), StringComparer.Ordinal);
    }

    // Under the lock.
    private void Attempt(Action step)
    {
        try
        {
            step();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException or JsonException)
        {
            Stop(e.Message);
        }
    }

    /// <summary>What cannot be kept whole is not kept at all.</summary>
    private void Stop(string why)
    {
        _file?.Dispose();
        (_file, _isUsable, _kept) = (null, false, null);
        _problem($"objects are not kept in {_path}: {why}. While the API server is away, an agent that starts will serve nothing by its proxy");
        try
        {
            File.Delete(_path);
            File.Delete(_path + ".new");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What is left is not whole, and the next agent will see that it is not.
        }
    }
}
