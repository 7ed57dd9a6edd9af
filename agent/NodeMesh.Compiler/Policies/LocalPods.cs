using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Policies;

/// <summary>The pods whose policy this node enforces.</summary>
/// <param name="From">Those that they were chosen from.</param>
internal sealed record LocalPods(ImmutableArray<Workload> From, ImmutableArray<Workload> Pods, ImmutableArray<Diagnostic> Findings)
{
    public static readonly LocalPods None = new([], [], []);

    /// <param name="old">What was chosen before; the result is the same without it.</param>
    public static LocalPods Run(NodePods here, LocalPods old)
    {
        if (here.Pods == old.From)
            return old;
        var (pods, findings) = (ImmutableArray.CreateBuilder<Workload>(), ImmutableArray.CreateBuilder<Diagnostic>());
        foreach (var pod in here.Pods)
        {
            if (pod.HostNetwork)
                continue;
            var isHere = pod.NodeName.Length > 0;
            if (isHere ? pod.Attachment.IsKnown : pod.Attachment.IsNamed)
                pods.Add(pod);
            else if (isHere)
                findings.Add(new Diagnostic("not-attached", Severity.Warning, new ObjectRef("Pod", pod.Name), "metadata.annotations",
                    "the pod is of this node, but nothing says where its interface is; annotate it with nodemesh.io/netns or nodemesh.io/host-interface",
                    "no policy is enforced for it here", pod.Location));
        }

        return new LocalPods(here.Pods, pods.ToImmutable(), findings.ToImmutable());
    }
}
