using Grpc.Core;
using NodeMesh.Plan;

namespace NodeMesh.Agent.Api;

/// <summary>Answers the CLI.</summary>
internal sealed class ObserverService(AgentView view) : Observer.ObserverBase
{
    public override Task<StatusReply> Status(StatusRequest request, ServerCallContext context)
    {
        var (snapshot, plan) = view.State.Mesh;
        var facts = view.Facts;
        var reply = new StatusReply
        {
            Version = ApiMapping.Version,
            NodeName = facts.NodeName,
            StartedUnixMs = view.Started.ToUnixTimeMilliseconds(),
            Pid = Environment.ProcessId,
            Ready = view.Readiness.IsReady,
            DataPath = ApiMapping.DataPath(view.State, view.Fill(), view.UsesTcx, view.PinPath),
            Proxy = ApiMapping.Proxy(view.Proxy(), view.ProxyRevision, view.Workers),
            Counts = ApiMapping.Counts(snapshot, plan),
            Cluster = view.Cluster is { } cluster ? ApiMapping.Cluster(cluster) : null,
            Runtime = view.Runtime is { } runtime ? ApiMapping.Runtime(runtime) : null,
        };
        reply.NodeAddresses.AddRange(facts.Addresses.Select(a => a.ToString()));
        reply.NotReadyBecause.AddRange(view.Readiness.Reasons);
        return Task.FromResult(reply);
    }

    public override Task<EndpointsReply> Endpoints(EndpointsRequest request, ServerCallContext context) =>
        Task.FromResult(ApiMapping.Endpoints(view.State.Mesh.Plan, view.State.Report, view.Counters()));

    public override Task<ServicesReply> Services(ServicesRequest request, ServerCallContext context) =>
        Task.FromResult(ServiceMapping.Services(view.State.Mesh.Snapshot, view.State.Mesh.Plan, view.Facts, view.Connections.ByDestination()));

    public override Task<PoliciesReply> Policies(PoliciesRequest request, ServerCallContext context) =>
        Task.FromResult(ApiMapping.Policies(view.State.Mesh.Snapshot, view.State.Mesh.Plan, view.RuleHits(), view.Facts.AuditsPolicies));

    public override Task<ExplainPolicyReply> ExplainPolicy(ExplainPolicyRequest request, ServerCallContext context) =>
        Task.FromResult(PolicyQuestions.Explain(view.State.Mesh.Snapshot, view.Facts, request));

    public override Task<DiffPoliciesReply> DiffPolicies(DiffPoliciesRequest request, ServerCallContext context) =>
        Task.FromResult(PolicyQuestions.Diff(view.State.Mesh.Snapshot, view.Facts, request));

    public override Task<DiagnosticsReply> Diagnostics(DiagnosticsRequest request, ServerCallContext context) =>
        Task.FromResult(ApiMapping.Diagnostics(view.State.Mesh.Plan.Diagnostics));

    public override Task<ConnectionsReply> Connections(ConnectionsRequest request, ServerCallContext context) =>
        Task.FromResult(ConnectionMapping.List(view.Connections, view.State.Report, request));

    public override Task<FlushConnectionsReply> FlushConnections(ConnectionsRequest request, ServerCallContext context) =>
        Task.FromResult(new FlushConnectionsReply { Flushed = view.Connections.Flush(ConnectionMapping.Filter(view.State.Report, request)) });

    public override Task<PlanReply> Plan(PlanRequest request, ServerCallContext context) =>
        Task.FromResult(new PlanReply { Revision = view.State.Mesh.Plan.Revision, Text = PlanText.Of(view.State.Mesh.Plan) });
}
