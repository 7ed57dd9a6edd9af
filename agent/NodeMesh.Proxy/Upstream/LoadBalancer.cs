using System.Runtime.CompilerServices;
using NodeMesh.Plan;

namespace NodeMesh.Proxy.Upstream;

/// <summary>Chooses endpoints by the power of two choices: two at random, the one with fewer requests under way. One per worker.</summary>
internal sealed class LoadBalancer(int seed)
{
    private const int PruneAbove = 4096;
    private readonly Dictionary<ClusterPlan, ClusterState> _clusters = new(ReferenceComparer.Instance);
    private readonly Dictionary<EndpointAddress, EndpointState> _endpoints = new();
    private readonly Random _random = new(seed);

    /// <param name="ipv4">Only endpoints of this family, when set.</param>
    /// <returns>Null when no endpoint fits.</returns>
    public EndpointState? PickEndpoint(ProxyPlan plan, ClusterPlan cluster, bool? ipv4)
    {
        var endpoints = StateOf(plan, cluster).Endpoints;
        if (endpoints.Length == 0)
            return null;
        if (endpoints.Length == 1)
            return Fits(endpoints[0], ipv4) ? endpoints[0] : null;

        var i = _random.Next(endpoints.Length);
        var j = _random.Next(endpoints.Length - 1);
        if (j >= i)
            j++;
        EndpointState a = endpoints[i], b = endpoints[j];
        if (Fits(a, ipv4) && Fits(b, ipv4))
            return b.Active < a.Active ? b : a;
        if (Fits(a, ipv4))
            return a;
        return Fits(b, ipv4) ? b : Scan(endpoints, i, ipv4);
    }

    public EndpointState StateOf(EndpointAddress address)
    {
        if (!_endpoints.TryGetValue(address, out var state))
        {
            if (_endpoints.Count >= PruneAbove)
                Prune();
            _endpoints[address] = state = new EndpointState(address);
        }

        return state;
    }

    private static bool Fits(EndpointState endpoint, bool? ipv4) => ipv4 is null || endpoint.Address.Address.IsIPv4 == ipv4;

    private static EndpointState? Scan(EndpointState[] endpoints, int from, bool? ipv4)
    {
        for (var n = 0; n < endpoints.Length; n++)
        {
            var endpoint = endpoints[(from + n) % endpoints.Length];
            if (Fits(endpoint, ipv4))
                return endpoint;
        }

        return null;
    }

    private ClusterState StateOf(ProxyPlan plan, ClusterPlan cluster)
    {
        if (!_clusters.TryGetValue(cluster, out var state))
        {
            if (_clusters.Count >= PruneAbove)
                _clusters.Clear();
            var endpoints = new EndpointState[cluster.Endpoints.Length];
            for (var i = 0; i < endpoints.Length; i++)
                endpoints[i] = StateOf(cluster.Endpoints[i]);
            _clusters[cluster] = state = new ClusterState(cluster, endpoints);
        }

        if (plan.Revision > state.Revision)
            state.Revision = plan.Revision;
        return state;
    }

    /// <summary>Clusters hold references to the states they use, so a pruned state that is still in use lives on with them.</summary>
    private void Prune()
    {
        _clusters.Clear();
        foreach (var (address, state) in _endpoints)
        {
            if (state.Active == 0 && state.Idle == 0)
                _endpoints.Remove(address);
        }
    }

    /// <summary>Forgets clusters of plans that are gone; called when a new plan is seen.</summary>
    public void Forget() => _clusters.Clear();

    private sealed class ReferenceComparer : IEqualityComparer<ClusterPlan>
    {
        public static readonly ReferenceComparer Instance = new();

        public bool Equals(ClusterPlan? x, ClusterPlan? y) => ReferenceEquals(x, y);

        public int GetHashCode(ClusterPlan obj) => RuntimeHelpers.GetHashCode(obj);
    }
}
