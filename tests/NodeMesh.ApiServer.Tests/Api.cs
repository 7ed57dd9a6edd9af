using System.Text;
using System.Text.Json.Nodes;
using k8s;
using NodeMesh.Sources.Kubernetes;
using NodeMesh.Testing;

namespace NodeMesh.ApiServer.Tests;

internal readonly record struct Answer(int Code, JsonObject Body)
{
    public bool IsGood => Code is >= 200 and < 300;

    public string Message => (string?)Body["message"] ?? "";

    /// <exception cref="InvalidOperationException">Any status but 2xx.</exception>
    public JsonObject Good(string what) => IsGood ? Body : throw new InvalidOperationException($"{what}: {Code} {Message}");
}

/// <summary>The API as any client has it.</summary>
internal sealed class Api(KubernetesClientConfiguration configuration) : IDisposable
{
    public const string MergePatch = "application/merge-patch+json";
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly HttpClient _client = Client(configuration);

    /// <summary>"/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies", with "/NAME" unless it is for a new one.</summary>
    public static string Path(JsonObject obj, bool isNew = false)
    {
        var version = (string)obj["apiVersion"]!;
        var kind = ((string)obj["kind"]!).ToLowerInvariant();
        var plural = kind.EndsWith("cy", StringComparison.Ordinal) ? kind[..^1] + "ies" : kind.EndsWith('s') ? kind + "es" : kind + "s";
        var ns = (string?)obj["metadata"]!["namespace"] is { } home ? $"/namespaces/{home}" : "";
        return $"/{(version.Contains('/', StringComparison.Ordinal) ? "apis" : "api")}/{version}{ns}/{plural}{(isNew ? "" : $"/{obj["metadata"]!["name"]}")}";
    }

    /// <summary>Asks again while the server has too much to do, or is not quite there yet.</summary>
    public Answer Send(HttpMethod method, string path, JsonObject? body = null, string type = "application/json", string accept = "application/json")
    {
        Answer answer = default;
        Eventually.True(
            () =>
            {
                answer = SendOnce(method, path, body, type, accept);
                return answer.Code is not (429 or 500 or 503 or 504);
            },
            $"{method} {path} is answered, after {answer.Code}", s_patience);
        return answer;
    }

    public Answer Get(string path) => Send(HttpMethod.Get, path);

    public Answer Create(JsonObject obj, string query = "") => Send(HttpMethod.Post, Path(obj, isNew: true) + query, obj);

    /// <summary>Of YAML or JSON: one object or several; what is there already stays as it is.</summary>
    public void Apply(string text)
    {
        foreach (var obj in Yaml.Objects(text))
            if (Create(obj) is var answer && answer.Code != 409)
                answer.Good($"create {Path(obj)}");
    }

    public JsonObject Patch(string path, string json) => Send(HttpMethod.Patch, path, (JsonObject)JsonNode.Parse(json)!, MergePatch).Good($"patch {path}");

    /// <summary>At once, without waiting for any kubelet.</summary>
    public void Delete(string path) => Send(HttpMethod.Delete, path + "?gracePeriodSeconds=0").Good($"delete {path}");

    /// <summary>The events of a watch until the server ends it, each with its type.</summary>
    /// <param name="isLast">Nothing after this one is waited for.</param>
    public List<(string Type, JsonObject Object)> Watch(string path, Func<JsonObject, bool>? isLast = null)
    {
        using var response = _client.Send(new HttpRequestMessage(HttpMethod.Get, path), HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(response.Content.ReadAsStream());
        var events = new List<(string, JsonObject)>();
        if (!response.IsSuccessStatusCode)
            return [("ERROR", (JsonObject)JsonNode.Parse(reader.ReadToEnd())!)];
        while (reader.ReadLine() is { } line)
            if (JsonNode.Parse(line) is JsonObject e)
            {
                events.Add(((string)e["type"]!, (JsonObject)e["object"]!));
                if (isLast?.Invoke(events[^1].Item2) == true)
                    break;
            }

        return events;
    }

    public void Dispose() => _client.Dispose();

    private static HttpClient Client(KubernetesClientConfiguration configuration)
    {
        var client = ApiServerHttp.Client(configuration, configuration.SslCaCerts);
        client.BaseAddress = new Uri(configuration.Host);
        client.Timeout = s_patience;
        if (configuration.AccessToken is { } token)
            client.DefaultRequestHeaders.Authorization = new("Bearer", token);
        return client;
    }

    private Answer SendOnce(HttpMethod method, string path, JsonObject? body, string type, string accept)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.TryAddWithoutValidation("Accept", accept);
        if (body is not null)
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, type);
        string text;
        int code;
        try
        {
            using var response = _client.Send(request);
            using var reader = new StreamReader(response.Content.ReadAsStream());
            text = reader.ReadToEnd();
            code = (int)response.StatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return new Answer(503, new JsonObject { ["message"] = e.Message });
        }

        JsonObject? said = null;
        try
        {
            said = JsonNode.Parse(text) as JsonObject;
        }
        catch (System.Text.Json.JsonException)
        {
            // Some refusals are plain text.
        }

        return new Answer(code, said ?? new JsonObject { ["message"] = text });
    }
}
