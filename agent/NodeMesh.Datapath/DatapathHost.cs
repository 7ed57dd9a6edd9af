using NodeMesh.Native;
using NodeMesh.Native.Netlink;
using NodeMesh.Plan;

namespace NodeMesh.Datapath;

/// <summary>Runs the reconciler on a thread of its own: when a plan comes, when an interface comes or goes, when something failed, and to audit.</summary>
public sealed class DatapathHost : IDisposable
{
    private static readonly TimeSpan s_shortest = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(30);

    // A pod's interface may come without a notice that names it (its namespace is made after the veth), so what is missing is looked for this often.
    private static readonly TimeSpan s_missingPod = TimeSpan.FromSeconds(1);

    // The runtime makes a pod's interface first and starts its processes soon after, of which nothing tells. So they are looked for often after every notice of an
    // interface and every plan, and seldom later: a pod may wait for its volumes for hours.
    private static readonly TimeSpan s_arrival = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan s_arrivalLate = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_arrivalSoon = TimeSpan.FromSeconds(30);

    // Nothing tells that another program was put before ours or took ours off, so it is looked for this often.
    private static readonly TimeSpan s_disturbance = TimeSpan.FromSeconds(5);

    private readonly DatapathReconciler _reconciler;
    private readonly Action<ReconcileReport> _onReport;
    private readonly Action<Exception> _onFailure;
    private readonly TimeSpan _auditInterval;
    private readonly LinkWatch _watch = new();
    private readonly PollWaker _waker = new();
    private readonly Thread _thread;
    private volatile bool _stopping;
    private Work? _next;

    private sealed record Work(MeshPlan Plan, bool Removals);

    /// <param name="onReport">After each round, on the host's thread.</param>
    /// <param name="onFailure">When a round could not be carried out at all; it is tried again.</param>
    public DatapathHost(DatapathReconciler reconciler, TimeSpan auditInterval, Action<ReconcileReport> onReport, Action<Exception> onFailure)
    {
        _reconciler = reconciler;
        _auditInterval = auditInterval;
        _onReport = onReport;
        _onFailure = onFailure;
        _thread = new Thread(Run) { IsBackground = true, Name = "datapath" };
        _thread.Start();
    }

    /// <summary>The plan to be in force from now on. Never blocks; a plan that was not yet begun is passed over.</summary>
    /// <param name="removals">Whether what the plan does not name is removed: not before every source said it is synced.</param>
    public void Publish(MeshPlan plan, bool removals)
    {
        Volatile.Write(ref _next, new Work(plan, removals));
        _waker.Wake();
    }

    /// <summary>Ends after the round that is running. What is in the kernel stays in force.</summary>
    public void Dispose()
    {
        _stopping = true;
        _waker.Wake();
        _thread.Join();
        _watch.Dispose();
        _waker.Dispose();
    }

    private void Run()
    {
        Work? current = null;
        var backOff = TimeSpan.Zero;
        var audited = Environment.TickCount64;
        var delay = _auditInterval;
        var due = 0L;
        var lookedAt = 0L;
        var newsAt = Environment.TickCount64;

        // What the next round, whenever it comes, is not to take for granted.
        var look = true;
        while (!_stopping)
        {
            var interval = !_reconciler.AwaitsPods ? s_disturbance : Since(newsAt) < s_arrivalSoon ? s_arrival : s_arrivalLate;
            var woken = _waker.Wait(_watch.Fd, delay < interval ? delay : interval);
            var changed = _watch.Drain().Any;
            if (_stopping)
                return;

            var next = Interlocked.Exchange(ref _next, null);
            look |= next is not null && next.Removals != current?.Removals;
            current = next ?? current;
            if (woken)
                newsAt = Environment.TickCount64;
            if (current is null)
                continue;

            // A round for a plan alone trusts what the last one left, unless plans come so fast that nobody asks any more.
            if (next is null || Since(lookedAt) >= s_disturbance)
                changed |= Environment.TickCount64 >= due || _reconciler.HasPodArrived() || IsDisturbed(ref lookedAt);
            if (next is null && !changed)
                continue;
            look |= changed;

            var audit = Since(audited) >= _auditInterval;
            if (audit)
                audited = Environment.TickCount64;
            try
            {
                var report = _reconciler.Reconcile(current.Plan, current.Removals, look, audit);
                _onReport(report);
                look = report.WantsRetry;
                backOff = report.IsConverged ? TimeSpan.Zero : Longer(backOff);
                delay = backOff > TimeSpan.Zero ? backOff : report.WantsRetry ? s_missingPod : _auditInterval;
            }
            catch (SyscallException e)
            {
                _onFailure(e);
                look = true;
                delay = backOff = Longer(backOff);
            }

            due = Environment.TickCount64 + (long)delay.TotalMilliseconds;
        }
    }

    private static TimeSpan Since(long ticks) => TimeSpan.FromMilliseconds(Environment.TickCount64 - ticks);

    private bool IsDisturbed(ref long lookedAt)
    {
        // Half: a wait may end a moment early, and must not make it twice as long.
        if (Since(lookedAt) < s_disturbance / 2)
            return false;
        lookedAt = Environment.TickCount64;
        try
        {
            return _reconciler.IsDisturbed();
        }
        catch (SyscallException)
        {
            return true;
        }
    }

    private static TimeSpan Longer(TimeSpan backOff) =>
        backOff == TimeSpan.Zero ? s_shortest : backOff * 2 > s_longest ? s_longest : backOff * 2;
}
