using NodeMesh.Agent.Cri;
using NodeMesh.Agent.Hosting;
using NodeMesh.Datapath;
using NodeMesh.Datapath.Tables;
using NodeMesh.Datapath.Tracking;
using NodeMesh.Model;
using NodeMesh.Proxy;
using NodeMesh.Proxy.Stats;
using NodeMesh.Sources.Kubernetes;

namespace NodeMesh.Agent.Api;

/// <summary>What those who ask may look at.</summary>
internal sealed class AgentView(
    ObservedState state, Readiness readiness, DatapathReconciler datapath, ProxyServer proxy, ProxyState proxyState, Func<NodeFacts> facts, int workers, string pinPath, ConnectionSweeper connections, Func<KubernetesState?> cluster, Func<RuntimeState?> runtime)
{
    public ObservedState State => state;

    /// <summary>Null: the objects come from files alone.</summary>
    public KubernetesState? Cluster => cluster();

    /// <summary>Null: it is not asked.</summary>
    public RuntimeState? Runtime => runtime();

    public Readiness Readiness => readiness;

    public NodeFacts Facts => facts();

    public DateTimeOffset Started { get; } = TimeProvider.System.GetUtcNow();

    public int Workers => workers;

    public string PinPath => pinPath;

    public bool UsesTcx => datapath.UsesTcx;

    /// <summary>Revision by which the proxy serves.</summary>
    public ulong ProxyRevision => proxyState.Current.Revision;

    /// <exception cref="NodeMesh.Native.Bpf.BpfException">The kernel refused.</exception>
    public IReadOnlyList<CounterRow> Counters() => datapath.Counters.Read();

    /// <exception cref="NodeMesh.Native.Bpf.BpfException">The kernel refused.</exception>
    public IReadOnlyList<RuleHit> RuleHits() => datapath.RuleHits.Read();

    /// <summary>Of all tables but the epoch's; empty before the first round.</summary>
    /// <exception cref="NodeMesh.Native.Bpf.BpfException">The kernel refused.</exception>
    public IReadOnlyList<MapFill> Fill() => state.Report is { } report ? [.. report.Fill, .. datapath.ProgramTables.Fill()] : [];

    public ConnectionTables Connections => datapath.Connections;

    /// <summary>Of each connection table, at the last count.</summary>
    public IReadOnlyList<ConnectionLoad> ConnectionLoad => connections.Load;

    public ProxySnapshot Proxy() => proxy.Snapshot();
}
