using NodeMesh.Plan;

namespace NodeMesh.Proxy.Upstream;

/// <summary>What one worker knows of an endpoint; survives plans.</summary>
internal sealed class EndpointState(EndpointAddress address)
{
    public EndpointAddress Address { get; } = address;

    /// <summary>Requests and tunnels under way.</summary>
    public int Active;

    /// <summary>Idle pooled connections, for deciding when the state may go.</summary>
    public int Idle;
}

/// <summary>A cluster of a plan with its endpoints' states, in the same order.</summary>
internal sealed class ClusterState(ClusterPlan plan, EndpointState[] endpoints)
{
    public ClusterPlan Plan { get; } = plan;

    public EndpointState[] Endpoints { get; } = endpoints;

    /// <summary>The plan revision that used it last.</summary>
    public ulong Revision;
}
