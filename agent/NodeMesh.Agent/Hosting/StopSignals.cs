using System.Runtime.InteropServices;

namespace NodeMesh.Agent.Hosting;

/// <summary>SIGTERM and SIGINT: the first asks for an orderly end, the second ends the process at once. The kernel side goes on enforcing either way.</summary>
internal sealed class StopSignals : IDisposable
{
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PosixSignalRegistration[] _registrations;

    public StopSignals() => _registrations = [PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal), PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal)];

    /// <summary>Done at the first signal; faulted when the agent cannot go on.</summary>
    public Task Asked => _asked.Task;

    /// <summary>Ends the agent for a defect.</summary>
    public void Fail(Exception why) => _asked.TrySetException(why);

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        if (!_asked.TrySetResult())
            Environment.Exit((int)ExitCode.Failed);
    }
}
