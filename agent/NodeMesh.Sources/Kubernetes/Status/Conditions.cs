using System.Globalization;
using System.Text.Json.Nodes;

namespace NodeMesh.Sources.Kubernetes.Status;

/// <summary>metav1.Condition. Pure.</summary>
internal static class Conditions
{
    private const int MaxMessage = 4096;

    /// <param name="before">The conditions so far: one whose status stays keeps its time.</param>
    public static JsonObject Of(string type, bool? holds, string reason, string message, long generation, JsonArray? before, DateTimeOffset now)
    {
        var status = holds switch { true => "True", false => "False", _ => "Unknown" };
        var old = Find(before, type);
        var time = (string?)old?["status"] == status && (string?)old?["lastTransitionTime"] is { } since ? since : now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        return new JsonObject
        {
            ["type"] = type,
            ["status"] = status,
            ["observedGeneration"] = generation,
            ["lastTransitionTime"] = time,
            ["reason"] = reason,
            ["message"] = message.Length > MaxMessage ? message[..MaxMessage] : message,
        };
    }

    public static JsonObject? Find(JsonArray? conditions, string type) => conditions?.OfType<JsonObject>().FirstOrDefault(c => (string?)c["type"] == type);

    public static bool IsTrue(JsonArray? conditions, string type, long generation) =>
        Find(conditions, type) is { } found && (string?)found["status"] == "True" && ((long?)found["observedGeneration"] ?? 0) == generation;
}
