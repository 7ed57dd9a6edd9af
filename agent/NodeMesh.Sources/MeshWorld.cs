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
    /// <summary>A source that is far ahead waits; what it holds back it can read again.</summary>
    private const int Backlog = 256;

    private readonly Channel<SourceEvent> _events = Channel.CreateBounded<SourceEvent>(new BoundedChannelOptions(Backlog) { SingleReader = true });
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
        var revision = 0UL;
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
            var snapshot = _builder.Build();
            if (snapshot.Revision == revision)
                continue;
            revision = snapshot.Revision;
            _synced.TrySetResult();
            yield return snapshot;
        }
        while (await _events.Reader.WaitToReadAsync(stop).ConfigureAwait(false));
    }
}
