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
        _blocker.Because($"the kernel does not take plan {report.Revision}: {report.Failures[0].Message}");
    }

    public void Dispose() => _blocker?.Dispose();
}
