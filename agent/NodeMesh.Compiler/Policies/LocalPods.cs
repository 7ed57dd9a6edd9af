using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Policies;

/// <summary>The pods whose policy this node enforces. Of ten thousand in a cluster they are a hundred, so the others are not looked at again with every change.</summary>
/// <param name="All">The cluster's, sorted, that they were chosen from.</param>
internal sealed record LocalPods(ImmutableArray<Workload> All, string NodeName, ImmutableArray<Workload> Pods, ImmutableArray<Diagnostic> Findings)
{
    public static readonly LocalPods None = new([], "", [], []);

    /// <param name="old">What was chosen before; the result is the same without it.</param>
    public static LocalPods Run(ImmutableArray<Workload> all, string nodeName, LocalPods old)
    {
        if (old.NodeName == nodeName && !SortedLists.Difference(old.All, all, w => w.Name).Any(d => MayBeHere(d.Old, nodeName) || MayBeHere(d.New, nodeName)))
            return old with { All = all };
        var (pods, findings) = (ImmutableArray.CreateBuilder<Workload>(), ImmutableArray.CreateBuilder<Diagnostic>());
        foreach (var pod in all)
        {
            var isHere = pod.NodeName == nodeName && nodeName.Length > 0;
            if (pod.HostNetwork || (!isHere && pod.NodeName.Length > 0))
                continue;
            if (isHere ? pod.Attachment.IsKnown : pod.Attachment.IsNamed)
                pods.Add(pod);
            else if (isHere)
                findings.Add(new Diagnostic("not-attached", Severity.Warning, new ObjectRef("Pod", pod.Name), "metadata.annotations",
                    "the pod is of this node, but nothing says where its interface is; annotate it with nodemesh.io/netns or nodemesh.io/host-interface",
                    "no policy is enforced for it here", pod.Location));
        }

        return new LocalPods(all, nodeName, pods.ToImmutable(), findings.ToImmutable());
    }

    /// <summary>A pod that names no node is anywhere.</summary>
    private static bool MayBeHere(Workload? pod, string nodeName) => pod is not null && (pod.NodeName.Length == 0 || pod.NodeName == nodeName);
}
