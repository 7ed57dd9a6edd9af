using System.Globalization;
using System.Text.Json.Nodes;
using NodeMesh.Model;

namespace NodeMesh.Sources.Kubernetes.Status;

/// <summary>The status of a MeshPolicy or ClusterMeshPolicy. Pure.</summary>
internal static class PolicyStatus
{
    /// <param name="found">What is wrong with it.</param>
    /// <param name="enforcing">How many nodes enforce this generation.</param>
    /// <param name="nodes">Of how many.</param>
    public static JsonObject Of(StatusObject policy, IReadOnlyList<Diagnostic> found, int enforcing, int nodes, DateTimeOffset now)
    {
        var before = policy.Status?["conditions"] as JsonArray;
        var errors = found.Where(d => d.Severity == Severity.Error).ToList();
        var isAccepted = errors.Count == 0;
        var warnings = found.Count == 0 ? "The policy is used as written" : string.Join("; ", found.Select(Text));
        var accepted = isAccepted
            ? Conditions.Of("Accepted", true, "Accepted", warnings, policy.Generation, before, now)
            : Conditions.Of("Accepted", false, "Invalid", string.Join("; ", errors.Select(Text)), policy.Generation, before, now);

        // A policy that is in force everywhere stays so: a node that comes later is not ready before it enforces what there is.
        var wasProgrammed = Conditions.IsTrue(before, "Programmed", policy.Generation);
        var isProgrammed = isAccepted && (wasProgrammed || (nodes > 0 && enforcing == nodes));
        var count = wasProgrammed && isProgrammed ? (string?)policy.Status?["nodes"] ?? "" : string.Create(CultureInfo.InvariantCulture, $"{(isAccepted ? enforcing : 0)}/{nodes}");
        var programmed = !isAccepted ? Conditions.Of("Programmed", false, "Invalid", "This generation is not enforced", policy.Generation, before, now)
            : isProgrammed ? Conditions.Of("Programmed", true, "Programmed", "Every node enforces it", policy.Generation, before, now)
            : Conditions.Of("Programmed", false, "Pending", "Not every node enforces it yet", policy.Generation, before, now);
        return new JsonObject
        {
            ["observedGeneration"] = policy.Generation,
            ["nodes"] = count,
            ["conditions"] = new JsonArray(accepted, programmed),
        };
    }

    /// <summary>Only the count of nodes is another.</summary>
    public static bool IsProgress(JsonObject? before, JsonObject after)
    {
        if (before is null)
            return false;
        var counted = (JsonObject)before.DeepClone();
        counted["nodes"] = after["nodes"]?.DeepClone();
        return JsonNode.DeepEquals(counted, after);
    }

    private static string Text(Diagnostic d) => (d.FieldPath.Length == 0 ? "" : $"{d.FieldPath}: ") + d.Message + (d.Consequence.Length == 0 ? "" : $" ({d.Consequence})");
}
