using NodeMesh.Model;
using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Translate;

namespace NodeMesh.Sources.World;

/// <summary>Pods that are part of the mesh; an address belongs to one of them.</summary>
internal static class WorkloadLink
{
    public static List<Workload> Run(Gathered gathered)
    {
        var owners = new Dictionary<IpAddr, Workload>();
        var result = new List<Workload>();

        // A pod that is going gives its address up to one that stays.
        foreach (var entry in gathered.Of<PodDraft>(Kinds.Pod).OrderBy(e => e.Value.Workload?.Terminating))
        {
            if (entry.Value.Workload is not { } pod)
                continue;
            var clash = pod.HostNetwork ? default : pod.Addresses.FirstOrDefault(owners.ContainsKey);
            if (clash != default)
            {
                gathered.Diagnostics.Add(new Diagnostic("address-clash", Severity.Error, entry.Source.Ref, "status.podIPs",
                    $"{clash} is the address of Pod {owners[clash].Name} already; give each pod its own", Diagnostics.LeftOut, entry.Source.Location));
                continue;
            }
            if (!pod.HostNetwork)
                foreach (var address in pod.Addresses)
                    owners.Add(address, pod);
            result.Add(pod);
        }
        result.Sort((a, b) => a.Name.CompareTo(b.Name));
        return result;
    }
}
