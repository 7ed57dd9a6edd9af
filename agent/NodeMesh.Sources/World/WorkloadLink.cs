using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Translate;

namespace NodeMesh.Sources.World;

/// <summary>Pods that are part of the mesh; an address belongs to one of them. Only changed pods are looked at, unless one shares an address.</summary>
internal sealed class WorkloadLink
{
    private readonly Dictionary<ObjectName, Workload> _pods = [];

    // How many pods say that they have an address.
    private readonly Dictionary<IpAddr, int> _claims = [];
    private ImmutableArray<Workload> _last = [];
    private bool _hasClash;

    public Findings<ObjectName> Findings { get; } = new();

    public ImmutableArray<Workload> Run(Gathered gathered)
    {
        var changed = gathered.Changed(Kinds.Pod);
        if (changed.Count == 0)
            return _last;

        // A pod alone on its addresses, before and now, makes no difference to any other.
        var isAlone = !_hasClash;
        var changes = new SortedDictionary<ObjectName, Workload?>();
        foreach (var name in changed)
            if (_pods.Remove(name, out var old))
                isAlone &= Count(old, -1);
        foreach (var name in changed)
        {
            var pod = gathered.Find<PodDraft>(Kinds.Pod, name)?.Value.Workload;
            changes.Add(name, pod);
            if (pod is null)
                continue;
            _pods.Add(name, pod);
            isAlone &= Count(pod, 1);
        }

        return _last = isAlone ? Merge.Into(_last, changes, w => w.Name) : Everything(gathered);
    }

    /// <returns>Whether no other pod has one of its addresses.</returns>
    private bool Count(Workload pod, int difference)
    {
        var isAlone = true;
        foreach (var address in pod.HostNetwork ? [] : pod.Addresses)
        {
            var count = _claims.GetValueOrDefault(address) + difference;
            isAlone &= count == (difference > 0 ? 1 : 0);
            if (count == 0)
                _claims.Remove(address);
            else
                _claims[address] = count;
        }

        return isAlone;
    }

    private ImmutableArray<Workload> Everything(Gathered gathered)
    {
        var owners = new Dictionary<IpAddr, Workload>();
        var result = new List<Workload>();
        _hasClash = false;

        // A pod that is going gives its address up to one that stays, and an old one, whose end was not heard yet, to a new one.
        foreach (var entry in gathered.Of<PodDraft>(Kinds.Pod).OrderBy(e => e.Value.Workload?.Terminating).ThenByDescending(e => e.Value.Workload?.CreatedAt ?? DateTimeOffset.MinValue))
        {
            if (entry.Value.Workload is not { } pod)
                continue;
            var clash = pod.HostNetwork ? default : pod.Addresses.FirstOrDefault(owners.ContainsKey);
            if (clash != default)
            {
                _hasClash = true;
                Findings.Set(pod.Name, [new Diagnostic("address-clash", Severity.Error, entry.Source.Ref, "status.podIPs",
                    $"{clash} is the address of Pod {owners[clash].Name} already; give each pod its own", Diagnostics.LeftOut, entry.Source.Location)]);
                continue;
            }

            Findings.Set(pod.Name, []);
            if (!pod.HostNetwork)
                foreach (var address in pod.Addresses)
                    owners.Add(address, pod);
            result.Add(pod);
        }

        foreach (var name in gathered.Changed(Kinds.Pod).Where(n => !_pods.ContainsKey(n)))
            Findings.Set(name, []);
        result.Sort((a, b) => a.Name.CompareTo(b.Name));
        return [.. result];
    }
}
