using System.Text.Json.Nodes;
using NodeMesh.Model;
using NodeMesh.Sources.Translate;

namespace NodeMesh.Sources.Kubernetes.Status;

/// <summary>The status of a GatewayClass: whether it is accepted. Pure.</summary>
internal static class ClassStatus
{
    /// <param name="found">What is wrong with it.</param>
    /// <returns>Null: it is another controller's.</returns>
    public static JsonObject? Of(StatusObject gatewayClass, IReadOnlyList<Diagnostic> found, DateTimeOffset now)
    {
        if (gatewayClass.Controller != GatewayClassTranslator.ControllerName)
            return null;
        var status = (JsonObject?)gatewayClass.Status?.DeepClone() ?? [];
        var before = status["conditions"] as JsonArray ?? [];
        var problem = found.FirstOrDefault(d => d.Severity == Severity.Error);
        var accepted = problem is null
            ? Conditions.Of("Accepted", true, "Accepted", "Gateways of this class are served on every node with an agent", gatewayClass.Generation, before, now)
            : Conditions.Of("Accepted", false, "InvalidParameters", $"{problem.FieldPath}: {problem.Message}", gatewayClass.Generation, before, now);

        // Conditions of other types are not ours.
        var others = before.Where(c => (string?)c?["type"] != "Accepted").Select(c => c?.DeepClone());
        status["conditions"] = new JsonArray([accepted, .. others]);
        return status;
    }
}
