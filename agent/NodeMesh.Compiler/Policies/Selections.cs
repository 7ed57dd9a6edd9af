using System.Collections.Immutable;
using NodeMesh.Compiler.Identities;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Policies;

/// <summary>Which policies select each of this node's pods, and what they say to it together.</summary>
internal static class Selections
{
    /// <param name="areAudited">Every policy only counts.</param>
    /// <param name="old">What was compiled before; the result is the same without it.</param>
    public static List<PodPolicies> Run(ImmutableArray<Workload> pods, ImmutableArray<Policy> policies, bool areAudited, IdentityTable identities, PolicyTables old)
    {
        var changes = SortedLists.Difference(old.Policies, policies, p => p.Name).ToList();
        var gone = changes.Select(c => c.Old).OfType<Policy>().ToHashSet<Policy>(ReferenceEqualityComparer.Instance);
        var come = changes.Select(c => c.New).OfType<Policy>().ToList();
        return [.. pods.Select(Of)];

        PodPolicies Of(Workload pod)
        {
            var ns = identities.Namespaces[pod.Name.Namespace];
            bool Selects(Policy policy) => policy.Namespaces.Matches(ns) && policy.Subject.Matches(pod.Labels);

            var was = old.Pods.GetValueOrDefault(pod.Name);
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
