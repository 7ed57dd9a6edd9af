using Microsoft.Extensions.Logging;
using NodeMesh.Agent.Hosting;
using NodeMesh.Model;

namespace NodeMesh.Agent.Cni;

/// <summary>
/// Tells of pods that started without their policy in force: in the log, by a metric, and by an Event on the pod. The plugin leaves word in the run directory, where
/// it stays until the API server has taken the Event, whichever agent is then there.
/// </summary>
/// <param name="warn">Writes the Event and says why it could not; null where there is no cluster.</param>
internal sealed class UnguardedPods(string runDir, PodGate gate, Func<OpenedPod, CancellationToken, Task<string>>? warn, ILogger log)
{
    public const string EventReason = "PolicyNotInForce";

    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(5);

    private readonly HashSet<string> _told = new(StringComparer.Ordinal);
    private string _problem = "";

    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task RunAsync(CancellationToken stop)
    {
        while (true)
        {
            await LookAsync(stop).ConfigureAwait(false);
            await Task.Delay(s_look, stop).ConfigureAwait(false);
        }
    }

    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    internal async Task LookAsync(CancellationToken stop)
    {
        var problem = "";
        try
        {
            var left = OpenedPods.Read(runDir);
            _told.IntersectWith(left.Select(l => l.File));
            foreach (var (file, pod) in left)
            {
                if (_told.Add(file))
                {
                    gate.StartedUnguarded();
                    log.LogError("CNI gate: pod {Pod} started WITHOUT its policy in force (--cni-gate=fail-open): {Reason}", new ObjectName(pod.Namespace, pod.Name), pod.Reason);
                }

                problem = warn is null ? "" : await warn(pod, stop).ConfigureAwait(false);
                if (problem.Length > 0)
                    break;
                OpenedPods.Forget(file);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problem = e.Message;
        }

        if (problem.Length > 0 && problem != _problem)
            log.LogWarning("CNI gate: Events of pods that started without their policy cannot be written: {Problem}; it is tried again", problem);
        _problem = problem;
    }

    /// <summary>For a person who looks at the pod.</summary>
    public static string Message(OpenedPod pod) => $"The pod started before its policy was in force, as --cni-gate=fail-open has it: {pod.Reason}";
}
