using NodeMesh.Plan;

namespace NodeMesh.Proxy.Routing;

/// <summary>A weighted backend of a rule with its own header changes.</summary>
internal sealed class CompiledTarget(RouteTargetPlan plan)
{
    public RouteTargetPlan Plan { get; } = plan;

    public HeaderMutation RequestHeaders { get; } = HeaderMutation.From(plan.RequestHeaders);

    public HeaderMutation ResponseHeaders { get; } = HeaderMutation.From(plan.ResponseHeaders);
}
