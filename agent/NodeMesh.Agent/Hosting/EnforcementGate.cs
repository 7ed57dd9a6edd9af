using NodeMesh.Datapath;

namespace NodeMesh.Agent.Hosting;

/// <summary>Ready while the kernel enforces the newest plan it was given, not before and not when it refuses one.</summary>
internal sealed class EnforcementGate(Readiness readiness) : IDisposable
{
    private Readiness.Blocker? _blocker = readiness.Block("the data path does not enforce a plan yet");

    /// <summary>From the data path's thread.</summary>
    public void Reconciled(ReconcileReport report)
    {
        if (report.IsConverged)
        {
            _blocker?.Dispose();
            _blocker = null;
            return;
        }

        _blocker ??= readiness.Block("");
        _blocker.Because(report.Failures is [var failure, ..]
            ? $"the kernel does not take plan {report.Revision}: {failure.Message}"
            : $"plan {report.Revision} is not enforced at every pod: {report.Endpoints.First(e => e.Ifindex != 0 && !e.Attached).Name} has no program on its interface");
    }

    public void Dispose() => _blocker?.Dispose();
}
