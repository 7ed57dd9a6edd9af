using System.Collections.Concurrent;
using k8s;
using NodeMesh.Model;
using NodeMesh.Sources;
using NodeMesh.Sources.Kubernetes;
using NodeMesh.Sources.Kubernetes.Status;

namespace NodeMesh.Testing.ApiServer;

/// <summary>What an agent is to an API server: its source and its writer of statuses, with a compiler and a kernel that are quick.</summary>
internal sealed class ApiAgent : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly MeshWorld _world = new(1);
    private readonly KubernetesSource _source;
    private readonly Task _running;
    private MeshSnapshot _mesh = MeshSnapshot.Empty;

    /// <param name="writesStatuses">As a node of this name; empty: it only reads.</param>
    public ApiAgent(KubernetesClientConfiguration configuration, string writesStatuses = "", TimeProvider? time = null)
    {
        _source = new KubernetesSource(new ApiServerAccess(configuration), _world.Events, time: time);
        Task[] runs = [_source.RunAsync(_stop.Token), FollowAsync()];
        _running = Task.WhenAll(writesStatuses.Length > 0 ? [.. runs, _source.WriteStatusesAsync(writesStatuses, Input, Problems.Enqueue, _stop.Token)] : runs);
    }

    public ConcurrentQueue<string> Problems { get; } = new();

    public MeshSnapshot Mesh => Volatile.Read(ref _mesh);

    /// <summary>False: the kernel does not take what comes.</summary>
    public bool Enforces { get; set; } = true;

    /// <summary>Each snapshot, as it comes.</summary>
    public Action<MeshSnapshot>? Each { get; set; }

    public KubernetesState State => _source.State;

    public void Dispose()
    {
        _stop.Cancel();
        _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing).GetAwaiter().GetResult();
        _source.Dispose();
        _stop.Dispose();
    }

    /// <summary>Until the mesh is as it should be; else what the agent has to say.</summary>
    public void Until(Func<MeshSnapshot, bool> fits, string what)
    {
        try
        {
            Eventually.True(() => fits(Mesh), what, TimeSpan.FromMinutes(3));
        }
        catch (TimeoutException e)
        {
            throw new InvalidOperationException($"{e.Message}; revision {Mesh.Revision}, synced {State.IsSynced}, {string.Join("; ", State.Troubles.Concat(Mesh.Diagnostics.Select(d => d.ToString())))}", e);
        }
    }

    private StatusInput Input()
    {
        var heard = _world.Progress;
        var mesh = Mesh;
        var known = mesh.Revision >= heard.Revision ? heard : SourceProgress.None;
        return new StatusInput(mesh, mesh.Diagnostics, known, Enforces ? heard : SourceProgress.None);
    }

    private async Task FollowAsync()
    {
        await foreach (var mesh in _world.SnapshotsAsync(_stop.Token))
        {
            Each?.Invoke(mesh);
            Volatile.Write(ref _mesh, mesh);
        }
    }
}
