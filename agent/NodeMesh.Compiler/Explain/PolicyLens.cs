using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Compiler.Explain;

/// <summary>Who an address is and what holds for pods, seen from one node, by the very rows that the kernel of that node would have.</summary>
internal sealed class PolicyLens
{
    // The rows of a pod are made whether or not its interface is found: this says that it need not be.
    private static readonly Attachment s_anywhere = new("", "any");

    private readonly Dictionary<ObjectName, uint> _sets;

    private PolicyLens(MeshPlan plan)
    {
        Plan = plan;
        _sets = plan.Kernel.Endpoints.ToDictionary(e => e.Name, e => e.PolicySet);
    }

    public MeshPlan Plan { get; }

    /// <param name="node">Whose pods <paramref name="subjects"/> are.</param>
    /// <param name="subjects">The pods to make rows for.</param>
    public static PolicyLens Of(MeshSnapshot mesh, NodeFacts node, Func<Workload, bool> subjects)
    {
        ImmutableArray<Workload> workloads =
        [
            .. mesh.Workloads.Select(w => w.HostNetwork ? w
                : subjects(w) ? w with { NodeName = node.NodeName, Attachment = s_anywhere }
                : w with { Attachment = default }),
        ];
        return new PolicyLens(MeshCompiler.CompilePolicies(mesh with { Workloads = workloads }, node));
    }

    /// <summary>0 when no policy selects the pod.</summary>
    public uint SetOf(ObjectName pod) => _sets[pod];
}
