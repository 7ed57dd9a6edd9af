using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Compiler;

/// <summary>
/// Pods that are on this node, or may be since they name none. Of ten thousand in a cluster they are a hundred: what is about them alone does not look at the others with every change.
/// </summary>
/// <param name="All">The cluster's, sorted, that they were chosen from.</param>
internal sealed record NodePods(ImmutableArray<Workload> All, string NodeName, ImmutableArray<Workload> Pods)
{
    public static readonly NodePods None = new([], "", []);

    /// <param name="old">What was chosen before; the result is the same without it, and its list the very same when none of the pods is another.</param>
    public static NodePods Of(ImmutableArray<Workload> all, string nodeName, NodePods old) =>
        old.NodeName == nodeName && !SortedLists.Difference(old.All, all, w => w.Name).Any(d => MayBeHere(d.Old, nodeName) || MayBeHere(d.New, nodeName))
            ? old with { All = all }
            : new NodePods(all, nodeName, [.. all.Where(pod => MayBeHere(pod, nodeName))]);

    private static bool MayBeHere(Workload? pod, string nodeName) => pod is not null && (pod.NodeName.Length == 0 || pod.NodeName == nodeName);
}
