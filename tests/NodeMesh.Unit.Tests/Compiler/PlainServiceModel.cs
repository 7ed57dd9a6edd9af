using NodeMesh.Model;

namespace NodeMesh.Unit.Tests.Compiler;

internal enum Caller
{
    /// <summary>A pod of this node or the node itself.</summary>
    Inside,

    /// <summary>By a device of the node.</summary>
    Outside,
}

/// <summary>What happens to a new connection.</summary>
/// <param name="Backends">"10.0.0.1:80", any of them; empty: none.</param>
/// <param name="Dropped">None, and the caller is not told.</param>
internal sealed record Fate(SortedSet<string> Backends, bool Dropped, bool KeepsSource)
{
    public override string ToString() =>
        (Backends.Count > 0 ? string.Join(" ", Backends) : Dropped ? "dropped" : "refused") + (KeepsSource ? " as itself" : "");
}

/// <summary>
/// Service selection written down from the API's documentation alone (core/v1 ServiceSpec, discovery/v1 Endpoint), one sentence at a time and without care for
/// speed; it shares no code with the compiler.
/// </summary>
internal static class PlainServiceModel
{
    /// <param name="isClusterIp">The address is one of spec.clusterIPs; else a node's port, an external or a load balancer address.</param>
    public static Fate Of(Service service, ServicePort port, bool ipv4, bool isClusterIp, Caller caller, string node, string zone)
    {
        var endpoints = port.Backends.Where(b => b.Address.IsIPv4 == ipv4).ToList();

        // internalTrafficPolicy: "how nodes distribute service traffic they receive on the ClusterIP".
        // externalTrafficPolicy: "... on one of the Service's externally-facing addresses (NodePorts, ExternalIPs, and LoadBalancer IPs)"; "traffic sent to
        // an External IP or LoadBalancer IP from within the cluster will always get 'Cluster' semantics".
        var local = isClusterIp
            ? service.InternalPolicy == TrafficPolicy.Local
            : service.ExternalPolicy == TrafficPolicy.Local && caller == Caller.Outside;
        var keepsSource = !isClusterIp && local;

        if (local)
        {
            var here = endpoints.Where(e => e.NodeName == node).ToList();
            var chosen = here.Where(IsReady).ToList();
            if (chosen.Count == 0)
                chosen = here.Where(IsServingTerminating).ToList();

            // "the proxy will ... drop the traffic if there are no local endpoints", which is so only where others exist.
            return new Fate(Names(chosen), chosen.Count == 0 && endpoints.Any(e => IsReady(e) || IsServingTerminating(e)), keepsSource);
        }

        var ready = endpoints.Where(IsReady).ToList();
        if (ready.Count == 0)
            return new Fate(Names(endpoints.Where(IsServingTerminating)), false, keepsSource);
        return new Fate(Names(Near(ready, node, zone)), false, keepsSource);
    }

    /// <summary>"unset should be interpreted as true"; the translators have done so.</summary>
    private static bool IsReady(Backend endpoint) => !endpoint.NotReady;

    private static bool IsServingTerminating(Backend endpoint) => !endpoint.NotServing && endpoint.Terminating;

    /// <summary>Hints count when every ready endpoint has them and one is meant for us; a hint for the node goes before one for the zone.</summary>
    private static List<Backend> Near(List<Backend> ready, string node, string zone)
    {
        var forNode = new List<Backend>();
        var allNode = true;
        var forZone = new List<Backend>();
        var allZone = true;
        foreach (var endpoint in ready)
        {
            if (endpoint.ForNodes == null)
                allNode = false;
            else if (("," + endpoint.ForNodes + ",").Contains("," + node + ","))
                forNode.Add(endpoint);
            if (endpoint.ForZones == null)
                allZone = false;
            else if (zone != "" && ("," + endpoint.ForZones + ",").Contains("," + zone + ","))
                forZone.Add(endpoint);
        }

        return allNode && forNode.Count > 0 ? forNode : allZone && forZone.Count > 0 ? forZone : ready;
    }

    private static SortedSet<string> Names(IEnumerable<Backend> backends) => new(backends.Select(b => b.Address + ":" + b.Port), StringComparer.Ordinal);
}
