using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Translate;

namespace NodeMesh.Sources.World;

/// <summary>The endpoints of one service port. Pure.</summary>
internal static class EndpointDerivation
{
    public const string ZoneLabel = "topology.kubernetes.io/zone";

    /// <param name="slices">By name.</param>
    public static ImmutableArray<Backend> FromSlices(IEnumerable<SliceDraft> slices, ServicePortDraft port)
    {
        var backends = new Dictionary<(IpAddr, ushort), Backend>();
        foreach (var slice in slices)
            foreach (var p in slice.Ports)
                if (p.Name == port.Name && p.Protocol == port.Protocol)
                    foreach (var e in slice.Endpoints)
                    {
                        // Two slices may name one endpoint for a moment; the one that knows its node says more.
                        var key = (e.Address, p.Port);
                        if (!backends.TryGetValue(key, out var known) || (known.NodeName.Length == 0 && e.NodeName.Length > 0))
                            backends[key] = e with { Port = p.Port };
                    }
        return [.. backends.Values.Order()];
    }

    /// <summary>What the endpoint slice controller would write for these pods, its hints included.</summary>
    /// <param name="pods">By name.</param>
    /// <param name="zones">By node.</param>
    public static ImmutableArray<Backend> FromPods(
        IReadOnlyList<Workload> pods, ServicePortDraft port, ServiceDraft service, IReadOnlyDictionary<string, string> zones)
    {
        var backends = new Dictionary<(IpAddr, ushort), Backend>();
        foreach (var pod in pods)
        {
            if (Target(pod, port) is not { } target)
                continue;
            var zone = zones.GetValueOrDefault(pod.NodeName);
            foreach (var address in pod.Addresses)
            {
                // "ready" is never true of a pod that terminates, unless publishNotReadyAddresses is set (discovery/v1, EndpointConditions).
                var backend = new Backend(address, target, pod.NodeName)
                {
                    Zone = zone,
                    NotReady = !service.PublishNotReady && (pod.Terminating || !pod.Ready),
                    NotServing = !pod.Ready,
                    Terminating = pod.Terminating,
                    ForZones = service.Service.TrafficDistribution.Length > 0 ? zone : null,
                    ForNodes = service.Service.TrafficDistribution == "PreferSameNode" && pod.NodeName.Length > 0 ? pod.NodeName : null,
                };

                // Pods on the host's network may share an address and port; the one that serves counts.
                var key = (address, target);
                if (!backends.TryGetValue(key, out var known) || (known.NotReady && !backend.NotReady))
                    backends[key] = backend;
            }
        }

        return [.. backends.Values.Order()];
    }

    /// <summary>Null when the pod has no port of that name.</summary>
    public static ushort? Target(Workload pod, ServicePortDraft port)
    {
        if (port.TargetName is not { } name)
            return port.TargetPort;
        foreach (var p in pod.Ports)
            if (p.Name == name && p.Protocol == port.Protocol)
                return p.Number;
        return null;
    }
}
