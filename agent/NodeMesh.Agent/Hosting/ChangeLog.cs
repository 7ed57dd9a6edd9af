using System.Diagnostics;
using Microsoft.Extensions.Logging;
using NodeMesh.Datapath;
using NodeMesh.Model;

namespace NodeMesh.Agent.Hosting;

/// <summary>A line in the log for what changed, and none for what stayed. Of plans, which follow each other closely in a busy cluster, one a second is told of; all at debug.</summary>
internal sealed class ChangeLog(ILogger log)
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    private HashSet<Diagnostic> _diagnostics = [];
    private string _problem = "";
    private long _compiled;
    private long _reconciled;

    /// <summary>From the compiler's thread.</summary>
    public void Compiled(MeshSnapshot snapshot, IReadOnlyCollection<Diagnostic> diagnostics, TimeSpan duration)
    {
        foreach (var d in diagnostics.Where(d => !_diagnostics.Contains(d)))
            log.Log(d.Severity == Severity.Error ? LogLevel.Error : LogLevel.Warning, "{Diagnostic}", d.ToString());
        var now = diagnostics.ToHashSet();
        foreach (var d in _diagnostics.Where(d => !now.Contains(d)))
            log.LogInformation("Mended: {Object} [{Code}]", d.Object.ToString(), d.Code);
        _diagnostics = now;
        log.Log(
            LevelOf(ref _compiled), "Plan {Revision}: {Workloads} pods, {Services} services, {Policies} policies, {Routes} routes, compiled in {Milliseconds:0.0} ms",
            snapshot.Revision, snapshot.Workloads.Length, snapshot.Services.Length, snapshot.Policies.Length, snapshot.Routes.Length, duration.TotalMilliseconds);
    }

    /// <summary>From the data path's thread.</summary>
    public void Reconciled(ReconcileReport report)
    {
        var problem = report.Failures.Length > 0 ? string.Join("; ", report.Failures.Take(3).Select(f => f.Message)) : "";
        if (problem.Length > 0 && problem != _problem)
            log.LogError("The kernel does not take plan {Revision}: {Problem}. What was in force stays in force", report.Revision, problem);
        else if (problem.Length == 0 && _problem.Length > 0)
            log.LogInformation("The kernel took plan {Revision}", report.Revision);
        _problem = problem;
        foreach (var text in report.Problems)
            log.LogWarning("Data path: {Problem}", text);
        if (report.Drift > 0)
            log.LogWarning("{Drift} rows in the kernel were not as written; they are again", report.Drift);
        if (report.Writes + report.Removals + report.LinkChanges > 0)
        {
            log.Log(
                LevelOf(ref _reconciled), "Plan {Revision} is in the kernel: {Writes} rows written, {Removals} removed, {Links} attachments changed in {Milliseconds:0.0} ms",
                report.Revision, report.Writes, report.Removals, report.LinkChanges, report.Duration.TotalMilliseconds);
        }
    }

    private static LogLevel LevelOf(ref long last)
    {
        if (last != 0 && Stopwatch.GetElapsedTime(last) < s_pause)
            return LogLevel.Debug;
        last = Stopwatch.GetTimestamp();
        return LogLevel.Information;
    }
}
