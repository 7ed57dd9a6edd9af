using NodeMesh.Plan;

namespace NodeMesh.Proxy.Upstream;

/// <summary>Addresses that are no service, each as a cluster of one. A client may dial as many as it likes: beyond the bound all are forgotten and made
/// again when dialled. They depend on no plan. One per worker.</summary>
internal sealed class DirectClusters
{
    /// <summary>Metric label of addresses that are no service: bounded, whatever is dialled.</summary>
    public const string Name = "direct";

    internal const int Bound = 1024;

    private readonly Dictionary<ServiceAddress, ClusterPlan> _clusters = new();

    internal int Count => _clusters.Count;

    public ClusterPlan Of(ServiceAddress destination)
    {
        if (_clusters.TryGetValue(destination, out var cluster))
            return cluster;
        if (_clusters.Count >= Bound)
            _clusters.Clear();
        return _clusters[destination] = new ClusterPlan(Name, [new EndpointAddress(destination.Address, destination.Port)]);
    }
}
