using NodeMesh.Model;

namespace NodeMesh.Compiler.Policies;

/// <summary>A set that the kernel has no room for is refused as a whole: half of one would be another policy.</summary>
internal static class PolicyFit
{
    /// <summary>Smallest first, so that one that is too large costs as few pods their policy as can be.</summary>
    public static IEnumerable<SetRows> Choose(IEnumerable<SetRows> sets, PolicyRoom room)
    {
        var (verdicts, classes) = (0L, 0L);
        foreach (var rows in sets.OrderBy(r => r.Verdicts.Count + r.Classes.Count).ThenBy(r => r.Id))
        {
            if (verdicts + rows.Verdicts.Count > room.Verdicts || classes + rows.Classes.Count > room.Classes)
                continue;
            verdicts += rows.Verdicts.Count;
            classes += rows.Classes.Count;
            yield return rows;
        }
    }

    public static Diagnostic Finding(Workload pod, SetRows rows, string policies, PolicyRoom room) => new(
        "policy-too-large", Severity.Error, new ObjectRef("Pod", pod.Name), "",
        $"{policies}: together {rows.Verdicts.Count} rows of verdicts and {rows.Classes.Count} of classes for this pod, "
        + $"and with the pods of smaller policies more than the {room.Verdicts} and {room.Classes} that the node has room for; "
        + "write fewer or wider rules, or raise --map-size verdicts=N and classes=N",
        "the last policy of the pod that did fit stays in force; without one the pod is closed", pod.Location);
}
