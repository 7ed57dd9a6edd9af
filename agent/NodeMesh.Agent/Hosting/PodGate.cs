using NodeMesh.Datapath;
using NodeMesh.Datapath.Tables;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Sources;

namespace NodeMesh.Agent.Hosting;

/// <summary>
/// Holds a pod's start until its policy is in force: the runtime tells the pod's network before any process of the pod runs, and waits. From the telling on the pod
/// goes the way of every other: snapshot, plan, kernel; here is only watched when it has arrived.
/// </summary>
/// <param name="time">Null: the system's clock.</param>
internal sealed class PodGate(SandboxTable sandboxes, TimeProvider? time = null)
{
    /// <summary>What is missing in these makes a service worse, and no policy.</summary>
    private static readonly string[] s_serviceTables = [MapCatalog.Backend, MapCatalog.Slot, MapCatalog.Member, MapCatalog.SourceRange, MapCatalog.Frontend];

    private readonly Lock _gate = new();
    private readonly List<Held> _held = [];
    private long _unguarded;

    private sealed class Held(Sandbox sandbox)
    {
        public Sandbox Sandbox => sandbox;

        public TaskCompletionSource Passed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Of the first plan with the pod at this sandbox; 0 before.</summary>
        public ulong Revision { get; set; }

        public string WaitsFor { get; set; } = "the agent has not heard of the pod from the API yet";
    }

    /// <summary>Pods that started without their policy in force, as far as this agent was told.</summary>
    public long Unguarded => Volatile.Read(ref _unguarded);

    /// <summary>Another one did.</summary>
    public void StartedUnguarded() => Interlocked.Increment(ref _unguarded);

    /// <summary>Pods held now.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate)
                return _held.Count;
        }
    }

    /// <returns>Empty when the pod's policy is in force; else what was waited for when the time was over.</returns>
    /// <exception cref="OperationCanceledException">The runtime does not wait any more.</exception>
    public async Task<string> HoldAsync(Sandbox sandbox, TimeSpan limit, CancellationToken stop)
    {
        var held = new Held(sandbox);
        lock (_gate)
            _held.Add(held);
        try
        {
            sandboxes.Add(sandbox);
            await held.Passed.Task.WaitAsync(limit, time ?? TimeProvider.System, stop).ConfigureAwait(false);
            return "";
        }
        catch (TimeoutException)
        {
            return held.WaitsFor;
        }
        finally
        {
            lock (_gate)
                _held.Remove(held);
        }
    }

    public void Release(string containerId) => sandboxes.Remove(containerId);

    public void Keep(IReadOnlySet<string> containerIds) => sandboxes.Keep(containerIds);

    /// <summary>A plan was made. From the compiler's thread, before the plan goes on to the kernel.</summary>
    public void Compiled(MeshPlan plan)
    {
        lock (_gate)
        {
            if (_held.Count == 0)
                return;
            var endpoints = plan.Kernel.Endpoints.ToDictionary(e => e.Name);
            foreach (var held in _held.Where(h => h.Revision == 0))
            {
                if (!endpoints.TryGetValue(held.Sandbox.Pod, out var endpoint) || endpoint.Attachment.Sandbox != held.Sandbox.Netns)
                    continue;
                if (held.Sandbox.Addresses.FirstOrDefault(a => !endpoint.Addresses.Contains(a)) is { } other && other != default)
                {
                    held.WaitsFor = $"{other} is the address of another pod still";
                    continue;
                }

                if (endpoint.IsHeld)
                {
                    held.WaitsFor = "its policies need more rows than there is room for, see nodemesh diagnostics";
                    continue;
                }

                held.Revision = plan.Revision;
                held.WaitsFor = $"plan {plan.Revision} is not in the kernel yet";
            }
        }
    }

    /// <summary>A round of the data path is over. From its thread.</summary>
    public void Reconciled(ReconcileReport report)
    {
        var failure = report.Failures.FirstOrDefault(f => !s_serviceTables.Contains(f.Map));
        lock (_gate)
        {
            foreach (var held in _held.Where(h => h.Revision != 0 && report.Revision >= h.Revision))
            {
                var status = report.Endpoints.FirstOrDefault(e => e.Name == held.Sandbox.Pod);
                if (status is { Attached: true } && failure is null)
                    held.Passed.TrySetResult();
                else if (failure is not null)
                    held.WaitsFor = $"the kernel does not take plan {report.Revision}: {failure.Message}";
                else if (status is { Problem.Length: > 0 })
                    held.WaitsFor = status.Problem;
            }
        }
    }
}
