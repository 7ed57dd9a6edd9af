using System.Collections.Immutable;
using NodeMesh.Datapath;
using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Agent.Hosting;

/// <summary>What those who only look may see: the newest snapshot with its plan, and the last round of the data path.</summary>
internal sealed class ObservedState
{
    private Seen _seen = new(MeshSnapshot.Empty, MeshPlan.Empty);
    private ReconcileReport? _report;
    private Totals _totals = new(0, 0, 0, 0, 0, "");
    private ImmutableDictionary<DisturbanceKind, long> _disturbances = ImmutableDictionary<DisturbanceKind, long>.Empty;

    public sealed record Seen(MeshSnapshot Snapshot, MeshPlan Plan);

    /// <param name="Rounds">Since the agent's start, as are the others.</param>
    public sealed record Totals(long Rounds, long Writes, long Attachments, long Drift, long Errors, string LastError);

    public Seen Mesh
    {
        get => Volatile.Read(ref _seen);
        set => Volatile.Write(ref _seen, value);
    }

    /// <summary>Null before the first round.</summary>
    public ReconcileReport? Report => Volatile.Read(ref _report);

    public Totals Work => Volatile.Read(ref _totals);

    /// <summary>Revision of the last plan that the kernel took whole; 0 before.</summary>
    public ulong Enforced { get; private set; }

    /// <summary>How often others did so since the agent's start.</summary>
    public long Disturbances(DisturbanceKind kind) => Volatile.Read(ref _disturbances).GetValueOrDefault(kind);

    /// <summary>The last one, in words; empty when there was none.</summary>
    public string LastDisturbance { get; private set; } = "";

    /// <summary>From the data path's thread only.</summary>
    public void Add(ReconcileReport report)
    {
        var problem = report.Failures.Length > 0 ? report.Failures[0].Message : report.Problems.Length > 0 ? report.Problems[0] : _totals.LastError;
        Volatile.Write(ref _totals, new Totals(
            _totals.Rounds + 1, _totals.Writes + report.Writes + report.Removals, _totals.Attachments + report.LinkChanges,
            _totals.Drift + report.Drift, _totals.Errors + report.Failures.Length, problem));
        foreach (var disturbance in report.Disturbances)
        {
            Volatile.Write(ref _disturbances, _disturbances.SetItem(disturbance.Kind, _disturbances.GetValueOrDefault(disturbance.Kind) + 1));
            LastDisturbance = disturbance.What;
        }

        if (report.IsConverged)
            Enforced = report.Revision;
        Volatile.Write(ref _report, report);
    }
}
