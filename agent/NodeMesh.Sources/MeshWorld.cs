using System.Runtime.CompilerServices;
using System.Threading.Channels;
using NodeMesh.Model;
using NodeMesh.Sources.World;

namespace NodeMesh.Sources;

/// <summary>The one place where what the sources say becomes the mesh: one channel in, snapshots out, one task in between.</summary>
public sealed class MeshWorld
{
    /// <summary>Says nothing but that something besides the sources may have changed. Where there is no room for it, other events wait and do the same.</summary>
    private static readonly SourceEvent Tick = new("clock", [], isSynced: false);

    /// <summary>A source that is far ahead waits; what it holds back it can read again.</summary>
    private const int Backlog = 256;

    private readonly int _sources;
    private readonly Channel<SourceEvent> _events = Channel.CreateBounded<SourceEvent>(new BoundedChannelOptions(Backlog) { SingleReader = true });
    private readonly TimeProvider _time;
    private readonly ModelBuilder _builder;
    private SourceProgress _progress = SourceProgress.None;
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="sources">How many sources there are; no snapshot comes out before each of them has said what there is, or was, so that none looks like a removal.</param>
    /// <param name="time">Null: the system's clock.</param>
    public MeshWorld(int sources, TimeProvider? time = null)
    {
        _sources = sources;
        _time = time ?? TimeProvider.System;
        _builder = new ModelBuilder(_time);
        Sandboxes = new SandboxTable(() => _events.Writer.TryWrite(Tick));
    }

    /// <summary>What the container runtime tells of pods.</summary>
    public SandboxTable Sandboxes { get; }

    /// <summary>Where sources write. Completing it ends the snapshots.</summary>
    public ChannelWriter<SourceEvent> Events => _events.Writer;

    /// <summary>What the newest snapshot knows of; written just before it comes out.</summary>
    public SourceProgress Progress => Volatile.Read(ref _progress);

    /// <summary>Done when every source is synced and a snapshot says so.</summary>
    public Task Synced => _synced.Task;

    /// <summary>
    /// The snapshots, each newer than the one before; what came meanwhile is taken together. To be read once, by one reader.
    /// </summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async IAsyncEnumerable<MeshSnapshot> SnapshotsAsync([EnumeratorCancellation] CancellationToken stop)
    {
        var heard = new HashSet<string>(StringComparer.Ordinal);
        var synced = new HashSet<string>(StringComparer.Ordinal);
        var last = MeshSnapshot.Empty;
        var built = 0UL;
        object? told = null;
        var marks = SourceProgress.None.Marks;
        using var clock = _time.CreateTimer(_ => _events.Writer.TryWrite(Tick), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        do
        {
            while (_events.Reader.TryRead(out var e))
            {
                foreach (var change in e.Changes)
                    _builder.Apply(change);
                if (e.IsSynced)
                    synced.Add(e.Source);
                if (e.IsSynced || e.IsRecalled)
                    heard.Add(e.Source);
                if (e.Mark > 0)
                    marks = marks.SetItem(e.Source, e.Mark);
            }
            if (heard.Count < _sources)
                continue;
            var now = _time.GetUtcNow();
            var version = Sandboxes.Version;
            var isRecalled = synced.Count < _sources;
            var snapshot = _builder.Build();
            var marked = CertificateExpiry.Mark(snapshot, now);
            clock.Change(CertificateExpiry.Next(snapshot, now) ?? Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            var isSame = snapshot.Revision == built && ReferenceEquals(version, told) && isRecalled == last.IsRecalled && marked.Diagnostics.AsSpan().SequenceEqual(last.Diagnostics.AsSpan());
            (built, told) = (snapshot.Revision, version);
            last = isSame ? last : marked with { Revision = last.Revision + 1, Workloads = Sandboxes.Apply(marked.Workloads), IsRecalled = isRecalled };
            Volatile.Write(ref _progress, new SourceProgress(last.Revision, marks));
            if (isSame)
                continue;
            if (!isRecalled)
                _synced.TrySetResult();
            yield return last;
        }
        while (await _events.Reader.WaitToReadAsync(stop).ConfigureAwait(false));
    }
}
