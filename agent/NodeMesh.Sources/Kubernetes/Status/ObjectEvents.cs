using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace NodeMesh.Sources.Kubernetes.Status;

/// <summary>A v1 Event for what is wrong with an object. Its name comes from what it says: said again, by whichever agent, it is the same one.</summary>
internal static class ObjectEvents
{
    private const int MaxMessage = 1024;

    /// <exception cref="ApiServerException">It refused.</exception>
    /// <exception cref="HttpRequestException">No answer.</exception>
    public static async Task WarnAsync(ApiServer server, StatusObject about, string reason, string message, DateTimeOffset now, CancellationToken stop)
    {
        var ns = about.Name.Namespace.Length == 0 ? "default" : about.Name.Namespace;
        var text = message.Length > MaxMessage ? message[..MaxMessage] : message;
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{about.Uid} {about.Generation} {reason} {text}")))[..16];
        var at = now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        var body = new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Event",
            ["metadata"] = new JsonObject { ["name"] = $"{about.Name.Name}.{hash}", ["namespace"] = ns },
            ["involvedObject"] = new JsonObject
            {
                ["apiVersion"] = about.ApiVersion,
                ["kind"] = about.Resource.Kind.Kind,
                ["name"] = about.Name.Name,
                ["namespace"] = about.Name.Namespace,
                ["uid"] = about.Uid,
                ["resourceVersion"] = about.ResourceVersion,
            },
            ["type"] = "Warning",
            ["reason"] = reason,
            ["message"] = text,
            ["source"] = new JsonObject { ["component"] = "nodemesh" },
            ["reportingComponent"] = "nodemesh",
            ["firstTimestamp"] = at,
            ["lastTimestamp"] = at,
            ["count"] = 1,
        };
        try
        {
            await server.SendAsync(HttpMethod.Post, $"/api/v1/namespaces/{ns}/events", Encoding.UTF8.GetBytes(body.ToJsonString()), "application/json", stop).ConfigureAwait(false);
        }
        catch (ApiServerException e) when (e.IsConflict)
        {
            // It was said.
        }
    }
}
