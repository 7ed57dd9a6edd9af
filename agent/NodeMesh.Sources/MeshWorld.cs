using System.Runtime.CompilerServices;
using System.Threading.Channels;
using NodeMesh.Model;
using NodeMesh.Sources.World;

namespace NodeMesh.Sources;

/// <summary>The one place where what the sources say becomes the mesh: one channel in, snapshots out, one task in between.</summary>
/// <param name="sources">How many sources there are; no snapshot comes out before each of them is synced, so that none looks like a removal.</param>
/// <param name="time">Null: the system's clock.</param>
public sealed class MeshWorld(int sources, TimeProvider? time = null)
{
    /// <summary>Says nothing but that time has passed. Where there is no room for it, other events wait and do the same.</summary>
    private static readonly SourceEvent Tick = new("clock", [], isSynced: false);

    /// <summary>A source that is far ahead waits; what it holds back it can read again.</summary>
    private const int Backlog = 256;

    private readonly Channel<SourceEvent> _events = Channel.CreateBounded<SourceEvent>(new BoundedChannelOptions(Backlog) { SingleReader = true });
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly ModelBuilder _builder = new(time ?? TimeProvider.System);
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Where sources write. Completing it ends the snapshots.</summary>
    public ChannelWriter<SourceEvent> Events => _events.Writer;

    /// <summary>Done when every source is synced, which is when the first snapshot comes out.</summary>
    public Task Synced => _synced.Task;

    /// <summary>
    /// The snapshots, each newer than the one before; what came meanwhile is taken together. To be read once, by one reader.
    /// </summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async IAsyncEnumerable<MeshSnapshot> SnapshotsAsync([EnumeratorCancellation] CancellationToken stop)
    {
        var waiting = sources;
        var synced = new HashSet<string>(StringComparer.Ordinal);
        var last = MeshSnapshot.Empty;
        var built = 0UL;
        using var clock = _time.CreateTimer(_ => _events.Writer.TryWrite(Tick), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        do
        {
            while (_events.Reader.TryRead(out var e))
            {
                foreach (var change in e.Changes)
                    _builder.Apply(change);
                if (e.IsSynced && synced.Add(e.Source))
                    waiting--;
            }
            if (waiting > 0)
                continue;
            var now = _time.GetUtcNow();
            var snapshot = _builder.Build();
            var marked = CertificateExpiry.Mark(snapshot, now);
            clock.Change(CertificateExpiry.Next(snapshot, now) ?? Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            if (snapshot.Revision == built && marked.Diagnostics.AsSpan().SequenceEqual(last.Diagnostics.AsSpan()))
                continue;
            built = snapshot.Revision;
            last = marked with { Revision = last.Revision + 1 };
            _synced.TrySetResult();
            yield return last;
        }
        while (await _events.Reader.WaitToReadAsync(stop).ConfigureAwait(false));
    }
}
