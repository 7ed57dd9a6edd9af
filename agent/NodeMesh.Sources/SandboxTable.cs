using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Sources;

/// <summary>
/// What the container runtime told of pods' networks, laid over what the API says of the pods: the runtime knows an address before the API does, and a namespace
/// before there is a process in it. And a pod may run on when the API has it no more (deleted by force, or over but for its sandbox): it stays as it was until its
/// network is taken away. Any thread may write.
/// </summary>
public sealed class SandboxTable
{
    private readonly Action _changed;

    // In the order of telling: of two sandboxes of one pod the later is the pod's.
    private ImmutableList<Sandbox> _told = [];
    private Overlay _last = new([], [], []);

    private sealed record Overlay(ImmutableList<Sandbox> Told, ImmutableArray<Workload> From, ImmutableArray<Workload> To);

    internal SandboxTable(Action changed) => _changed = changed;

    /// <summary>Also forgets what is gone without a word: sandboxes whose namespace is no more.</summary>
    public void Add(Sandbox sandbox) => Update(told => told.RemoveAll(s => s.ContainerId == sandbox.ContainerId || !File.Exists(s.Netns)).Add(sandbox));

    /// <summary>What was told before the agent began; of the same sandbox, what is told since comes before.</summary>
    public void Recall(IReadOnlyCollection<Sandbox> sandboxes) => Update(told => told.InsertRange(0, sandboxes.Where(s => !told.Exists(t => t.ContainerId == s.ContainerId))));

    /// <summary>More than once is the same as once.</summary>
    public void Remove(string containerId) => Update(told => told.RemoveAll(s => s.ContainerId == containerId));

    /// <summary>Whether the runtime told of it, and not only an earlier agent's.</summary>
    public bool Knows(string containerId) => Volatile.Read(ref _told).Exists(s => s.ContainerId == containerId && !s.IsRecalled);

    /// <summary>Forgets all others.</summary>
    public void Keep(IReadOnlySet<string> containerIds) => Update(told => told.RemoveAll(s => !containerIds.Contains(s.ContainerId)));

    /// <summary>Changes whenever something was told.</summary>
    internal object Version => Volatile.Read(ref _told);

    /// <summary>The same array as before when nothing changed. From the world's task only.</summary>
    internal ImmutableArray<Workload> Apply(ImmutableArray<Workload> workloads)
    {
        var told = Volatile.Read(ref _told);
        if (_last.From == workloads && ReferenceEquals(_last.Told, told))
            return _last.To;
        var result = workloads;
        if (told.Count > 0)
        {
            var before = _last.To.IsDefaultOrEmpty ? [] : _last.To;
            var next = workloads.ToBuilder();
            var left = new SortedDictionary<ObjectName, Workload>();
            foreach (var sandbox in told)
            {
                if (Find(workloads, sandbox.Pod) is var at and >= 0)
                {
                    if (IsOf(sandbox, workloads[at]))
                        next[at] = Same(before, With(workloads[at], sandbox));
                }
                else if (Find(before, sandbox.Pod) is var then and >= 0 && IsOf(sandbox, before[then]))
                {
                    left[sandbox.Pod] = Same(before, With(before[then], sandbox) with { Ready = false, Terminating = true });
                }
            }

            result = left.Count == 0 ? next.ToImmutable() : [.. next.Concat(left.Values).OrderBy(w => w.Name)];
        }

        _last = new Overlay(told, workloads, result);
        return result;
    }

    private void Update(Func<ImmutableList<Sandbox>, ImmutableList<Sandbox>> change)
    {
        if (ImmutableInterlocked.Update(ref _told, change))
            _changed();
    }

    // Of what was recalled it must be certain.
    private static bool IsOf(Sandbox sandbox, Workload pod) =>
        !pod.HostNetwork && (pod.Attachment.Uid == sandbox.Uid || (!sandbox.IsRecalled && (sandbox.Uid.Length == 0 || string.IsNullOrEmpty(pod.Attachment.Uid))));

    // The API repeats later what the runtime said first, and until then may say what was so before the pod started again. What it says beside something recalled is newer.
    private static Workload With(Workload pod, Sandbox sandbox) => pod with
    {
        Attachment = pod.Attachment with { Sandbox = sandbox.Netns },
        Addresses = sandbox.Addresses.IsEmpty || (sandbox.IsRecalled && !pod.Addresses.IsEmpty) || pod.Addresses.Order().SequenceEqual(sandbox.Addresses.Order()) ? pod.Addresses : sandbox.Addresses,
    };

    /// <summary>The object of the last overlay when it is the same: what is compiled from it is kept.</summary>
    private static Workload Same(ImmutableArray<Workload> before, Workload pod) => Find(before, pod.Name) is var at and >= 0 && before[at] == pod ? before[at] : pod;

    private static int Find(ImmutableArray<Workload> workloads, ObjectName name)
    {
        var (low, high) = (0, workloads.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            switch (workloads[middle].Name.CompareTo(name))
            {
                case 0: return middle;
                case < 0: low = middle + 1; break;
                default: high = middle - 1; break;
            }
        }

        return -1;
    }
}
