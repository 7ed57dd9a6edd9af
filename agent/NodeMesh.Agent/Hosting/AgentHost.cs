using Microsoft.Extensions.Logging;
using NodeMesh.Agent.Api;
using NodeMesh.Agent.Cni;
using NodeMesh.Agent.Cri;
using NodeMesh.Agent.Options;
using NodeMesh.Datapath;
using NodeMesh.Flows.Metrics;
using NodeMesh.Native;
using NodeMesh.Native.Bpf;
using NodeMesh.Plan;
using NodeMesh.Proxy;
using NodeMesh.Proxy.Tls;
using NodeMesh.Sources;

namespace NodeMesh.Agent.Hosting;

/// <summary>The agent from start to end: sources -> compiler -> proxy, then kernel; counts -> metrics and API.</summary>
internal static class AgentHost
{
    /// <exception cref="CommandFailure">This node or these options cannot run it; nothing was set up.</exception>
    /// <exception cref="NodeFaultException">The same, found by the data path.</exception>
    /// <exception cref="ProxyStartException">The same, found by the proxy.</exception>
    public static async Task<ExitCode> RunAsync(AgentOptions options)
    {
        NodeChecks.Require(options);
        var images = BpfImageSource.Get(options.Bpf);
        var surfaceOptions = options.Surface;
        using var lines = new LineLoggerProvider(Console.Error, surfaceOptions.LogLevel, surfaceOptions.LogFormat, TimeProvider.System);
        var log = lines.CreateLogger("agent");
        using var sources = new MeshSources(options.Source, options.RunDir, log);
        LibbpfLog.SendTo(LibbpfTo(lines.CreateLogger("libbpf")));
        using var signals = new StopSignals();

        // What is looked at.
        var readiness = new Readiness();
        using var gate = new EnforcementGate(readiness);
        var state = new ObservedState();
        var changes = new ChangeLog(log);
        var metrics = new MetricPage();

        // What the container runtime says, by its plugins and when it is asked.
        var podGate = new PodGate(sources.World.Sandboxes);
        if (options.CniGate.Mode != CniGateMode.Off)
            Recall(sources.World.Sandboxes, options.RunDir, log);
        using var runtime = options.CriSocket.Length > 0 ? new SandboxWatch(options.CriSocket, sources.World.Sandboxes, log) : null;

        // What runs.
        using var reconciler = DatapathReconciler.Start(options.Datapath, images);
        foreach (var note in reconciler.StartNotes)
            log.LogInformation("Data path: {Note}", note);
        var proxyState = new ProxyState(ProxyPlan.Empty);
        var proxyOptions = ProxyOptionsOf(options) with { SharedListener = !reconciler.UsesTcx };
        var accessLog = surfaceOptions.AccessLog == AccessLogMode.Off ? null : new AccessLogWriter(Console.OpenStandardOutput(), surfaceOptions.AccessLog == AccessLogMode.Json);
        using var proxy = new ProxyServer(proxyOptions, proxyState, lines.CreateLogger("proxy"), TimeProvider.System, new TlsContextStore(TlsOptions.Default, TimeProvider.System), accessLog);
        using var connections = reconciler.SweepConnections(e => log.LogError("Connection tracking: {Problem}", e.Message));
        PlanPublisher? publisher = null;
        var startMemory = new StartMemory();
        using var datapath = new DatapathHost(reconciler, options.Datapath.AuditInterval, report =>
        {
            state.Add(report);
            metrics.Observe(MetricCatalog.ReconcileDuration, report.Duration);
            changes.Reconciled(report);
            gate.Reconciled(report);
            podGate.Reconciled(report);
            if (report.LinkChanges > 0)
                connections.Wake();
            if (!report.IsConverged)
                return;
            publisher?.Enforced(report.Revision);
            startMemory.GiveBack();
        }, e => log.LogError("Data path: {Problem}", e.Message));
        publisher = new PlanPublisher(proxy, datapath);

        PlanPump? pump = null;
        using var facts = new NodeFactsSource(options.Node, f => pump?.Take(f), e => log.LogError("Node addresses: {Problem}", e.Message));
        using var healthChecks = new HealthCheckPorts(() => readiness.IsReady, log);
        pump = new PlanPump(facts.Current, (snapshot, plan, duration) =>
        {
            if (options.Node.ReplacesKubeProxy)
                healthChecks.Take(snapshot, options.Node.Name);
            state.Mesh = new ObservedState.Seen(snapshot, plan);
            metrics.Observe(MetricCatalog.PlanDuration, duration);
            changes.Compiled(snapshot, plan.Diagnostics, duration);
            podGate.Compiled(plan);
            publisher.Publish(plan, removals: !snapshot.IsRecalled);
        }, signals.Fail);
        using var pumpEnd = pump;
        facts.Start();

        // Who asks.
        var view = new AgentView(state, readiness, reconciler, proxy, proxyState, () => facts.Current, proxyOptions.Workers, Path.Combine(options.Datapath.BpffsPath, "nodemesh"), connections, () => sources.Cluster?.State, () => runtime?.State);
        MetricFill.Connect(metrics, view, podGate, () => accessLog?.Written ?? 0, surfaceOptions.PolicyMetrics);
        await using var surface = await AgentSurface.StartAsync(surfaceOptions.MetricsAddress, options.RunDir, view, podGate, metrics, lines).ConfigureAwait(false);

        // What makes it go.
        using var stop = new CancellationTokenSource();
        var heard = sources.RunAsync(stop.Token);
        runtime?.Start();
        var statuses = sources.WriteStatusesAsync(options.Node.Name, state, lines.CreateLogger("status"), stop.Token);
        var snapshots = PumpAsync(sources.World, pump, stop.Token);
        var cni = new CniInstaller(options.CniGate, options.RunDir, readiness, log).RunAsync(stop.Token);
        var unguarded = new UnguardedPods(options.RunDir, podGate, sources.WarnOfUnguarded, log).RunAsync(stop.Token);
        log.LogInformation("NodeMesh {Version} on node {Node} serves {Sources}", ApiMapping.Version, options.Node.Name, sources.Names);

        await (await Task.WhenAny(signals.Asked, heard, statuses, snapshots, cni, unguarded).ConfigureAwait(false)).ConfigureAwait(false);
        using var leaving = readiness.Block("the agent is shutting down");
        log.LogInformation("Ending: requests under way get {Seconds} s; the kernel side stays in force", options.Proxy.DrainTimeout.TotalSeconds);
        await proxy.DrainAsync(options.Proxy.DrainTimeout).ConfigureAwait(false);
        await stop.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(heard, statuses, snapshots, cni, unguarded).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return ExitCode.Ok;
    }

    private static void Recall(SandboxTable sandboxes, string runDir, ILogger log)
    {
        try
        {
            sandboxes.Recall(KeptSandboxes.Read(runDir, FileSystems.IsNamespace));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            log.LogWarning("CNI gate: the networks of running pods cannot be read from {Directory}: {Problem}. Their addresses are those that the API says", runDir, e.Message);
        }
    }

    private static async Task PumpAsync(MeshWorld world, PlanPump pump, CancellationToken stop)
    {
        await foreach (var snapshot in world.SnapshotsAsync(stop).ConfigureAwait(false))
            pump.Take(snapshot);
    }

    private static ProxyOptions ProxyOptionsOf(AgentOptions options)
    {
        var standard = new ProxyOptions();
        return standard with
        {
            Port = options.Datapath.ProxyPort,
            MarkShift = options.Datapath.MarkShift,
            Workers = options.Proxy.Workers > 0 ? options.Proxy.Workers : standard.Workers,
        };
    }

    private static Action<LibbpfLevel, string> LibbpfTo(ILogger log) => (level, text) => log.Log(
        level switch { LibbpfLevel.Warning => LogLevel.Warning, LibbpfLevel.Information => LogLevel.Information, _ => LogLevel.Debug }, "{Message}", text);
}
