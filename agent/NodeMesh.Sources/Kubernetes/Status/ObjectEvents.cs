using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using NodeMesh.Model;

namespace NodeMesh.Sources.Kubernetes.Status;

/// <summary>What an Event is about.</summary>
/// <param name="ResourceVersion">Empty when it is not known.</param>
/// <param name="Occasion">On another one, the same words are another Event.</param>
internal sealed record EventObject(string ApiVersion, string Kind, ObjectName Name, string Uid, string ResourceVersion, string Occasion);

/// <summary>A v1 Event for what is wrong with an object. Its name comes from what it says: said again, by whichever agent, it is the same one.</summary>
internal static class ObjectEvents
{
    private const int MaxMessage = 1024;
    private const int MaxName = 253;
    private const int HashLength = 16;

    /// <exception cref="ApiServerException">It refused.</exception>
    /// <exception cref="HttpRequestException">No answer.</exception>
    public static async Task WarnAsync(ApiServer server, EventObject about, string reason, string message, DateTimeOffset now, CancellationToken stop)
    {
        var ns = about.Name.Namespace.Length == 0 ? "default" : about.Name.Namespace;
        var text = message.Length > MaxMessage ? message[..MaxMessage] : message;
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{about.Uid} {about.Occasion} {reason} {text}")))[..HashLength];
        var at = now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        var body = new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Event",
            ["metadata"] = new JsonObject { ["name"] = NameOf(about.Name.Name, hash), ["namespace"] = ns },
            ["involvedObject"] = new JsonObject
            {
                ["apiVersion"] = about.ApiVersion,
                ["kind"] = about.Kind,
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

    // An object's name may be as long as an Event's.
    private static string NameOf(string name, string hash) => (name.Length + 1 + HashLength > MaxName ? name[..(MaxName - 1 - HashLength)].TrimEnd('.', '-') : name) + "." + hash;
}
