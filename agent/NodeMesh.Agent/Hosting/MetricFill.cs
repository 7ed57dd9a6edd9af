using System.Diagnostics;
using System.Globalization;
using NodeMesh.Agent.Api;
using NodeMesh.Datapath;
using NodeMesh.Flows.Metrics;
using NodeMesh.Model;
using NodeMesh.Plan.Abi;
using NodeMesh.Proxy;
using NodeMesh.Proxy.Stats;

namespace NodeMesh.Agent.Hosting;

/// <summary>Brings the metrics up to date when the page is read: counts are kept where things happen, not here.</summary>
internal sealed class MetricFill(MetricPage page, AgentView view)
{
    // Series are labelled with names of rules, of which a mesh may have any number.
    private const int MostRules = 1000;

    private readonly Dictionary<(string, string), (long[] Counts, long Sum)> _latencies = [];

    /// <param name="logWritten">Access-log records so far.</param>
    /// <param name="byRule">Whether policy rules have series of their own.</param>
    public static void Connect(MetricPage page, AgentView view, PodGate podGate, Func<long> logWritten, bool byRule)
    {
        var fill = new MetricFill(page, view);
        var gate = new Lock();
        page.Set(MetricCatalog.AgentInfo, 1, ApiMapping.Version, view.Facts.NodeName, view.UsesTcx ? "tcx" : "clsact");
        page.Set(MetricCatalog.AgentStarted, view.Started.ToUnixTimeMilliseconds() / 1000.0);
        page.BeforeReading(() =>
        {
            // Two readers at once would both count what came since the last reading.
            lock (gate)
            {
                fill.Agent();
                fill.Kernel(view.Counters());
                if (byRule)
                    fill.Rules();
                fill.Mesh();
                if (view.Cluster is { } cluster)
                    SourceMetrics.Fill(page, cluster, TimeProvider.System.GetUtcNow());
                fill.Proxy(view.Proxy());
                page.Set(MetricCatalog.ProxyRevision, view.ProxyRevision);
                page.Count(MetricCatalog.LogWritten, logWritten());
                page.Set(MetricCatalog.HeldPods, podGate.Waiting);
                page.Count(MetricCatalog.UnguardedPods, podGate.Unguarded);
                if (view.Runtime is { } runtime)
                {
                    page.Set(MetricCatalog.RuntimeConnected, runtime.Problem.Length == 0 ? 1 : 0);
                    page.Set(MetricCatalog.RuntimeSandboxes, runtime.Sandboxes);
                }
            }
        });
    }

    private void Agent()
    {
        using var process = Process.GetCurrentProcess();
        page.Set(MetricCatalog.AgentReady, view.Readiness.IsReady ? 1 : 0);
        page.Set(MetricCatalog.AgentResident, process.WorkingSet64);
        page.Count(MetricCatalog.AgentCpu, process.TotalProcessorTime.TotalSeconds);
    }

    private void Kernel(IReadOnlyList<CounterRow> rows)
    {
        foreach (var group in rows.GroupBy(r => (r.Reason, r.Direction)))
        {
            var (reason, direction) = (ReasonText.Label(group.Key.Reason), Word(group.Key.Direction));
            double packets = group.Sum(r => (double)r.Packets);
            page.Count(MetricCatalog.Packets, packets, reason, direction);
            page.Count(MetricCatalog.Bytes, group.Sum(r => (double)r.Bytes), reason, direction);
            if (ReasonText.IsDrop(group.Key.Reason))
                page.Count(MetricCatalog.Drops, packets, reason, direction);
        }

        if (view.State.Report is not { } report)
            return;
        Pods(rows, report);
        foreach (var map in view.Fill())
        {
            page.Set(MetricCatalog.MapEntries, map.Rows, map.Map);
            page.Set(MetricCatalog.MapCapacity, map.MaxRows, map.Map);
        }

        foreach (var load in view.ConnectionLoad)
        {
            page.Set(MetricCatalog.TrackedConnections, load.Live, load.Table);
            page.Set(MetricCatalog.TrackedPressure, (double)load.Live / load.PressureAt, load.Table);
        }

        var attached = report.Endpoints.Count(e => e.Attached);
        page.Set(MetricCatalog.Endpoints, attached, "enforced");
        page.Set(MetricCatalog.Endpoints, report.Endpoints.Length - attached, "waiting");
        page.Set(MetricCatalog.EnforcedRevision, view.State.Enforced);
        page.Count(MetricCatalog.Reconciles, view.State.Work.Rounds);
        page.Count(MetricCatalog.ReconcileWrites, view.State.Work.Writes);
        page.Count(MetricCatalog.ReconcileErrors, view.State.Work.Errors);
        page.Count(MetricCatalog.AttachChanges, view.State.Work.Attachments);
        page.Count(MetricCatalog.Drift, view.State.Work.Drift);
        foreach (var kind in Enum.GetValues<DisturbanceKind>())
            page.Count(MetricCatalog.Disturbances, view.State.Disturbances(kind), Word(kind));
    }

    private void Pods(IReadOnlyList<CounterRow> rows, ReconcileReport report)
    {
        var pods = report.Endpoints.Where(e => e.Ifindex > 0).ToDictionary(e => (uint)e.Ifindex, e => e.Name);
        var alive = new List<string[]>();
        foreach (var group in rows.Where(r => pods.ContainsKey(r.Ifindex)).GroupBy(r => (r.Ifindex, r.Direction)))
        {
            var name = pods[group.Key.Ifindex];
            string[] labels = [name.Namespace, name.Name, Word(group.Key.Direction)];
            alive.Add(labels);
            page.Count(MetricCatalog.PodPackets, group.Where(r => r.IsPassed).Sum(r => (double)r.Packets), labels);
            page.Count(MetricCatalog.PodBytes, group.Where(r => r.IsPassed).Sum(r => (double)r.Bytes), labels);
            page.Count(MetricCatalog.PodDrops, group.Where(r => ReasonText.IsDrop(r.Reason)).Sum(r => (double)r.Packets), labels);
        }

        page.Keep(MetricCatalog.PodPackets, alive);
        page.Keep(MetricCatalog.PodBytes, alive);
        page.Keep(MetricCatalog.PodDrops, alive);
    }

    private void Rules()
    {
        var alive = new List<string[]>();
        var plan = view.State.Mesh.Plan;
        foreach (var hit in view.RuleHits().OrderByDescending(h => h.Connections).ThenBy(h => h.Rule).Take(MostRules))
        {
            string[] labels = [ApiMapping.RuleName(plan, hit.Rule), ReasonText.Label(hit.Reason)];
            alive.Add(labels);
            page.Count(MetricCatalog.PolicyConnections, hit.Connections, labels);
        }

        page.Keep(MetricCatalog.PolicyConnections, alive);
    }

    private void Mesh()
    {
        var (snapshot, plan) = view.State.Mesh;
        page.Set(MetricCatalog.PlanRevision, plan.Revision);
        page.Set(MetricCatalog.PlanObjects, snapshot.Workloads.Length, "workload");
        page.Set(MetricCatalog.PlanObjects, snapshot.Services.Length, "service");
        page.Set(MetricCatalog.PlanObjects, snapshot.Policies.Length, "policy");
        page.Set(MetricCatalog.PlanObjects, snapshot.Routes.Length, "route");
        page.Set(MetricCatalog.PlanObjects, snapshot.Gateways.Length, "gateway");
        page.Set(MetricCatalog.Diagnostics, plan.Diagnostics.Count(d => d.Severity == Severity.Error), "error");
        page.Set(MetricCatalog.Diagnostics, plan.Diagnostics.Count(d => d.Severity == Severity.Warning), "warning");
    }

    private void Proxy(ProxySnapshot proxy)
    {
        foreach (var r in proxy.Requests)
            page.Count(MetricCatalog.Requests, r.Count, r.Route, r.Cluster, r.Code.ToString(CultureInfo.InvariantCulture), ResponseFlags.Of(r.Reason));
        foreach (var (rule, count) in proxy.Audited)
            page.Count(MetricCatalog.Audited, count, rule);
        foreach (var latency in proxy.Latencies)
            Latency(latency);
        foreach (var (kind, count) in proxy.Total)
            page.Count(MetricCatalog.Connections, count, kind.ToString().ToLowerInvariant());
        foreach (var (kind, count) in proxy.Active)
            page.Set(MetricCatalog.ConnectionsActive, count, kind.ToString().ToLowerInvariant());
        foreach (var (reason, count) in proxy.ConnectionErrors.Where(e => e.Value > 0))
            page.Count(MetricCatalog.ConnectionErrors, count, ResponseFlags.Of(reason));
        page.Count(MetricCatalog.AcceptErrors, proxy.AcceptErrors);
        page.Set(MetricCatalog.ListenersDown, proxy.Listeners.Count(l => !l.Listening));
        page.Count(MetricCatalog.ProxyBytes, proxy.BytesFromClients, "received");
        page.Count(MetricCatalog.ProxyBytes, proxy.BytesToClients, "sent");
        page.Count(MetricCatalog.UpstreamOpened, proxy.UpstreamOpened);
        page.Count(MetricCatalog.UpstreamReused, proxy.UpstreamReused);
        page.Count(MetricCatalog.UpstreamRetries, proxy.UpstreamRetries);
        page.Set(MetricCatalog.UpstreamConnections, proxy.UpstreamActive, "active");
        page.Set(MetricCatalog.UpstreamConnections, proxy.UpstreamIdle, "idle");
        page.Count(MetricCatalog.LogDropped, proxy.AccessLogDropped);
    }

    private void Latency(RouteLatency latency)
    {
        var key = (latency.Route, latency.Cluster);
        var now = latency.Histogram.Counts.ToArray();
        var before = _latencies.GetValueOrDefault(key, (new long[now.Length], 0));
        var more = now.Zip(before.Counts, (a, b) => a - b).ToArray();
        page.Observe(MetricCatalog.RequestDuration, more, (latency.Histogram.SumMicroseconds - before.Sum) / 1e6, latency.Route, latency.Cluster);
        _latencies[key] = (now, latency.Histogram.SumMicroseconds);
    }

    private static string Word(DisturbanceKind kind) => kind switch
    {
        DisturbanceKind.Overtaken => "overtaken",
        DisturbanceKind.Detached => "detached",
        DisturbanceKind.Unpinned => "unpinned",
        DisturbanceKind.SecondAgent => "second_agent",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    private static string Word(Direction direction) => direction.ToString().ToLowerInvariant();
}
