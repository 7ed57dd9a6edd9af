using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Proxy.Upstream;

namespace NodeMesh.Proxy.Engine;

/// <summary>An endpoint chosen for a client, with the source address to reach it from and what policy says.</summary>
internal readonly record struct Pick(EndpointState? Endpoint, IpAddr Source, PolicyDecision Policy);

/// <summary>From what a client dialled to the endpoint that serves it.</summary>
internal static class Destinations
{
    /// <summary>The service's backends, or the address itself as a cluster of one.</summary>
    public static ClusterPlan ClusterOf(Worker worker, ProxyPlan plan, ServiceAddress destination) =>
        plan.Services.TryGetValue(destination, out var service) ? service.Cluster : worker.Direct.Of(destination);

    public static Pick Pick(Worker worker, ProxyPlan plan, DownstreamConnection client, ClusterPlan cluster, out CloseReason reason)
    {
        // Only a pod of this node can be impersonated, and only within its family; a gateway's clients and other nodes' are not ours to be.
        var keeps = worker.Options.KeepSource && client.GatewayListener is null && plan.LocalPods.ContainsKey(client.Client);
        var endpoint = worker.Balancer.PickEndpoint(plan, cluster, keeps ? client.Client.IsIPv4 : null);
        reason = endpoint is null ? CloseReason.NoHealthyUpstream : CloseReason.None;
        if (endpoint is null)
            return new Pick(null, default, PolicyDecision.Deny);

        // A pod cannot answer its own address over the wire: the node stands in (DATAPATH-FACTS: hairpin).
        var source = keeps && endpoint.Address.Address != client.Client ? client.Client : default;
        return new Pick(endpoint, source, worker.Policy.Judge(plan, client.Client, endpoint.Address));
    }
}
