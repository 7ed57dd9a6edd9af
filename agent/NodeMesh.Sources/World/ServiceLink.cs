using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Translate;

namespace NodeMesh.Sources.World;

/// <summary>Services with their backends: from their slices, or, where none is given, from their selector as the endpoint controller would.</summary>
internal static class ServiceLink
{
    /// <param name="previous">Services of the snapshot before, reused where nothing about them changed.</param>
    public static List<Service> Run(Gathered gathered, IReadOnlyList<Workload> workloads, IReadOnlyDictionary<ObjectName, Service> previous)
    {
        var slices = gathered.Of<SliceDraft>(Kinds.EndpointSlice).ToLookup(e => e.Value.Service, e => e.Value);
        var byNamespace = workloads.ToLookup(w => w.Name.Namespace);
        var frontends = new Dictionary<(IpAddr, ushort, Protocol), ObjectName>();
        var result = new List<Service>();
        foreach (var entry in gathered.Of<ServiceDraft>(Kinds.Service))
        {
            var draft = entry.Value;
            if (draft.IsExternalName || Clashes(gathered, entry, frontends))
                continue;
            var own = slices[draft.Name].ToList();
            var pods = own.Count == 0 && draft.Selector is { } selector
                ? byNamespace[draft.Name.Namespace].Where(w => selector.Matches(w.Labels)).ToList()
                : [];
            var ports = ImmutableArray.CreateBuilder<ServicePort>(draft.Ports.Length);
            foreach (var p in draft.Ports)
            {
                var backends = own.Count > 0 ? FromSlices(own, p) : FromPods(pods, p, draft.PublishNotReady);
                WarnUnnamed(gathered, entry.Source, pods, p);
                ports.Add(new ServicePort(p.Name, p.Protocol, p.Port, p.AppProtocol, backends));
            }
            result.Add(Reuse(previous, new Service(draft.Name, draft.ClusterIps, ports.MoveToImmutable(), draft.Location)));
        }
        return result;
    }

    private static bool Clashes(Gathered gathered, Entry<ServiceDraft> entry, Dictionary<(IpAddr, ushort, Protocol), ObjectName> frontends)
    {
        var draft = entry.Value;
        foreach (var ip in draft.ClusterIps)
            foreach (var p in draft.Ports)
                if (frontends.TryGetValue((ip, p.Port, p.Protocol), out var other))
                {
                    gathered.Diagnostics.Add(new Diagnostic("port-clash", Severity.Error, entry.Source.Ref, "spec.clusterIPs",
                        $"{ip} port {p.Port} is Service {other}'s already; give each service its own cluster IP", Diagnostics.LeftOut, entry.Source.Location));
                    return true;
                }
        foreach (var ip in draft.ClusterIps)
            foreach (var p in draft.Ports)
                frontends.Add((ip, p.Port, p.Protocol), draft.Name);
        return false;
    }

    private static ImmutableArray<Backend> FromSlices(List<SliceDraft> slices, ServicePortDraft port)
    {
        var backends = new Dictionary<(IpAddr, ushort), Backend>();
        foreach (var slice in slices)
            foreach (var p in slice.Ports)
                if (p.Name == port.Name && p.Protocol == port.Protocol)
                    foreach (var e in slice.Endpoints)
                    {
                        // Two slices may name one endpoint for a moment; the one that knows its node says more.
                        var key = (e.Address, p.Port);
                        if (!backends.TryGetValue(key, out var known) || known.NodeName.Length == 0)
                            backends[key] = new Backend(e.Address, p.Port, e.NodeName);
                    }
        return [.. backends.Values.Order()];
    }

    private static ImmutableArray<Backend> FromPods(List<Workload> pods, ServicePortDraft port, bool publishNotReady)
    {
        var backends = new HashSet<Backend>();
        foreach (var pod in pods)
        {
            if (pod.Terminating || !(pod.Ready || publishNotReady) || Target(pod, port) is not { } target)
                continue;
            foreach (var address in pod.Addresses)
                backends.Add(new Backend(address, target, pod.NodeName));
        }
        return [.. backends.Order()];
    }

    private static ushort? Target(Workload pod, ServicePortDraft port)
    {
        if (port.TargetName is not { } name)
            return port.TargetPort;
        foreach (var p in pod.Ports)
            if (p.Name == name && p.Protocol == port.Protocol)
                return p.Number;
        return null;
    }

    private static void WarnUnnamed(Gathered gathered, ApiObject source, List<Workload> pods, ServicePortDraft port)
    {
        if (port.TargetName is { } name && pods.Count > 0 && pods.TrueForAll(p => Target(p, port) is null))
            gathered.Diagnostics.Add(new Diagnostic("unknown-target-port", Severity.Warning, source.Ref, "spec.ports",
                $"no selected pod has a {port.Protocol.ToString().ToUpperInvariant()} container port named '{name}', the target of port {port.Port}; name one so or give the number",
                "the port has no backend", source.Location));
    }

    private static Service Reuse(IReadOnlyDictionary<ObjectName, Service> previous, Service next)
    {
        if (!previous.TryGetValue(next.Name, out var old))
            return next;
        var ports = next.Ports;
        if (old.Ports.Length == ports.Length)
        {
            for (var i = 0; i < ports.Length; i++)
                if (SamePort(old.Ports[i], ports[i]))
                    ports = ports.SetItem(i, old.Ports[i]);
        }
        var isSame = old.Location == next.Location && old.ClusterIps.SequenceEqual(next.ClusterIps)
            && old.Ports.Length == ports.Length && old.Ports.Zip(ports).All(p => ReferenceEquals(p.First, p.Second));
        return isSame ? old : next with { Ports = ports };
    }

    private static bool SamePort(ServicePort a, ServicePort b) =>
        a.Name == b.Name && a.Protocol == b.Protocol && a.Port == b.Port && a.AppProtocol == b.AppProtocol && a.Backends.AsSpan().SequenceEqual(b.Backends.AsSpan());
}
