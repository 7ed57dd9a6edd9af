using NodeMesh.Model;

namespace NodeMesh.Sources.World;

/// <summary>Finds the pods of a selector, and the selectors of a pod, by one of their labels.</summary>
internal readonly record struct LabelKey(string Namespace, string Key, string Value);

/// <summary>Pods by label.</summary>
internal sealed class PodIndex
{
    private readonly Dictionary<LabelKey, List<Workload>> _byLabel = [];

    public void Add(Workload pod)
    {
        foreach (var (key, value) in pod.Labels)
        {
            var at = new LabelKey(pod.Name.Namespace, key, value);
            if (!_byLabel.TryGetValue(at, out var pods))
                _byLabel.Add(at, pods = new List<Workload>(1));
            pods.Add(pod);
        }
    }

    public void Remove(Workload pod)
    {
        foreach (var (key, value) in pod.Labels)
        {
            var at = new LabelKey(pod.Name.Namespace, key, value);
            var pods = _byLabel[at];
            pods.RemoveAt(pods.FindIndex(p => ReferenceEquals(p, pod)));
            if (pods.Count == 0)
                _byLabel.Remove(at);
        }
    }

    /// <param name="selector">Of a service: labels and their one value each, at least one.</param>
    /// <returns>By name.</returns>
    public List<Workload> Matching(string ns, LabelSelector selector)
    {
        List<Workload>? fewest = null;
        foreach (var requirement in selector.Requirements)
        {
            if (!_byLabel.TryGetValue(new LabelKey(ns, requirement.Key, requirement.Values[0]), out var pods))
                return [];
            if (fewest is null || pods.Count < fewest.Count)
                fewest = pods;
        }

        var matching = (fewest ?? []).Where(p => selector.Matches(p.Labels)).ToList();
        matching.Sort((a, b) => a.Name.CompareTo(b.Name));
        return matching;
    }
}

/// <summary>Services by the first label of their selector.</summary>
internal sealed class SelectorIndex
{
    private readonly Dictionary<LabelKey, List<(ObjectName Service, LabelSelector Selector)>> _byLabel = [];

    public void Add(ObjectName service, LabelSelector selector)
    {
        var at = First(service.Namespace, selector);
        if (!_byLabel.TryGetValue(at, out var services))
            _byLabel.Add(at, services = new List<(ObjectName, LabelSelector)>(1));
        services.Add((service, selector));
    }

    public void Remove(ObjectName service, LabelSelector selector)
    {
        var at = First(service.Namespace, selector);
        _byLabel[at].RemoveAll(s => s.Service == service);
        if (_byLabel[at].Count == 0)
            _byLabel.Remove(at);
    }

    public IEnumerable<ObjectName> Matching(Workload pod)
    {
        foreach (var (key, value) in pod.Labels)
            if (_byLabel.TryGetValue(new LabelKey(pod.Name.Namespace, key, value), out var services))
                foreach (var (service, selector) in services)
                    if (selector.Matches(pod.Labels))
                        yield return service;
    }

    private static LabelKey First(string ns, LabelSelector selector) => new(ns, selector.Requirements[0].Key, selector.Requirements[0].Values[0]);
}
