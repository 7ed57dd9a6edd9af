using System.Collections.Immutable;
using NodeMesh.Compiler.Identities;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Policies;

/// <summary>A pod of this node and what policies say to it.</summary>
/// <param name="Selecting">In the order of judging.</param>
/// <param name="Set">Null when no policy selects it.</param>
internal sealed record PodPolicies(Workload Pod, ImmutableArray<Policy> Selecting, PolicySet? Set);

/// <summary>Which policies select each of this node's pods, and what they say to it together.</summary>
/// <param name="Sets">What is said to any of the pods, by content.</param>
internal sealed record Selections(ImmutableArray<PodPolicies> Pods, IReadOnlyDictionary<ContentHash, PolicySet> Sets)
{
    public static readonly Selections None = new([], new Dictionary<ContentHash, PolicySet>());

    /// <param name="areAudited">Every policy only counts.</param>
    /// <param name="old">What was compiled before; the result is the same without it, and the very object of it when nothing differs.</param>
    public static Selections Run(ImmutableArray<Workload> pods, ImmutableArray<Policy> policies, bool areAudited, IdentityTable identities, PolicyTables old)
    {
        if (pods == old.Local.Pods && policies == old.Policies && areAudited == old.AreAudited && ReferenceEquals(identities.Namespaces, old.Identities.Namespaces))
            return old.Selections;
        var changes = SortedLists.Difference(old.Policies, policies, p => p.Name).ToList();
        var gone = changes.Select(c => c.Old).OfType<Policy>().ToHashSet<Policy>(ReferenceEqualityComparer.Instance);
        var come = changes.Select(c => c.New).OfType<Policy>().ToList();
        var before = old.Selections.Pods.ToDictionary(p => p.Pod.Name);
        ImmutableArray<PodPolicies> selected = [.. pods.Select(Of)];
        if (selected.AsSpan().SequenceEqual(old.Selections.Pods.AsSpan(), ReferenceEqualityComparer.Instance))
            return old.Selections;
        return new Selections(selected, selected.Where(p => p.Set is not null).GroupBy(p => p.Set!.Hash).ToDictionary(g => g.Key, g => g.First().Set!));

        PodPolicies Of(Workload pod)
        {
            var ns = identities.Namespaces[pod.Name.Namespace];
            bool Selects(Policy policy) => policy.Namespaces.Matches(ns) && policy.Subject.Matches(pod.Labels);

            var was = before.GetValueOrDefault(pod.Name);
            var isSameToSelectors = was is not null && (ReferenceEquals(was.Pod, pod) || was.Pod.Labels.SequenceEqual(pod.Labels)) && IsSame(old.Identities.Namespaces[ns.Name], ns);
            if (!isSameToSelectors)
                return Made(pod, policies.Where(Selects), areAudited);

            var isSame = was!.Pod.Ports.AsSpan().SequenceEqual(pod.Ports.AsSpan()) && old.AreAudited == areAudited;
            var added = come.Where(Selects).ToList();
            if (isSame && added.Count == 0 && !was.Selecting.Any(gone.Contains))
                return ReferenceEquals(was.Pod, pod) ? was : was with { Pod = pod };
            return Made(pod, was.Selecting.Where(p => !gone.Contains(p)).Concat(added), areAudited);
        }
    }

    private static PodPolicies Made(Workload pod, IEnumerable<Policy> selecting, bool areAudited)
    {
        ImmutableArray<Policy> ordered = [.. selecting.OrderBy(p => p.Tier).ThenBy(p => p.Priority).ThenBy(p => p.Name).ThenBy(p => p.Kind)];
        return new PodPolicies(pod, ordered, PolicySets.Of(pod, ordered, areAudited));
    }

    private static bool IsSame(MeshNamespace a, MeshNamespace b) => ReferenceEquals(a, b) || a.Labels.SequenceEqual(b.Labels);
}
