using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace NodeMesh.Sources.Kubernetes.Status;

/// <summary>
/// What this node enforces, told to whoever writes statuses: for each resource the version up to which it does, as an annotation of a Lease of the node's own,
/// "meshpolicies=1000,clustermeshpolicies=900". One small write when policies changed, and one every 30 s.
/// </summary>
internal sealed class NodeReport(ApiServer server, string ns, string node, TimeProvider time)
{
    private const string Label = "nodemesh.io/agent";
    private const string Annotation = "nodemesh.io/enforced";
    private const int Seconds = 90;
    private static readonly TimeSpan s_renewal = TimeSpan.FromSeconds(30);

    private readonly Dictionary<string, (string Renewed, long At)> _seen = new(StringComparer.Ordinal);
    private IReadOnlyDictionary<string, ulong> _said = SourceProgress.None.Marks;
    private long _saidAt;

    private string Folder => $"/apis/coordination.k8s.io/v1/namespaces/{ns}/leases";

    private string Name => $"nodemesh-node-{node}";

    /// <param name="enforced">Up to here.</param>
    /// <param name="newest">The newest change that there is: having come so far is worth a write at once.</param>
    /// <exception cref="ApiServerException">It refused.</exception>
    /// <exception cref="HttpRequestException">No answer.</exception>
    public async Task SayAsync(IReadOnlyDictionary<string, ulong> enforced, IReadOnlyDictionary<string, ulong> newest, CancellationToken stop)
    {
        var isNews = newest.Any(n => _said.GetValueOrDefault(n.Key) < n.Value && n.Value <= enforced.GetValueOrDefault(n.Key));
        if (_saidAt != 0 && !isNews && time.GetElapsedTime(_saidAt) < s_renewal)
            return;
        _saidAt = time.GetTimestamp();
        var change = new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["labels"] = new JsonObject { [Label] = "node" },
                ["annotations"] = new JsonObject { [Annotation] = Text(enforced) },
            },
            ["spec"] = new JsonObject { ["holderIdentity"] = node, ["leaseDurationSeconds"] = Seconds, ["renewTime"] = LeaderLease.MicroTime(time.GetUtcNow()) },
        };
        try
        {
            await server.SendAsync(HttpMethod.Patch, $"{Folder}/{Name}", Bytes(change), "application/merge-patch+json", stop).ConfigureAwait(false);
        }
        catch (ApiServerException e) when (e.IsMissing)
        {
            change["apiVersion"] = "coordination.k8s.io/v1";
            change["kind"] = "Lease";
            change["metadata"]!["name"] = Name;
            change["metadata"]!["namespace"] = ns;
            await server.SendAsync(HttpMethod.Post, Folder, Bytes(change), "application/json", stop).ConfigureAwait(false);
        }

        _said = enforced;
    }

    /// <summary>How far each node with an agent has come; those whose Lease has not changed for its time, by our own clock, are left out.</summary>
    /// <exception cref="ApiServerException">It refused.</exception>
    /// <exception cref="HttpRequestException">No answer.</exception>
    public async Task<IReadOnlyList<IReadOnlyDictionary<string, ulong>>> AllAsync(CancellationToken stop)
    {
        // From the server's cache: a moment old is new enough.
        using var response = await server.GetAsync($"{Folder}?labelSelector={Uri.EscapeDataString($"{Label}=node")}&resourceVersion=0", stop).ConfigureAwait(false);
        var list = JsonNode.Parse(await ApiServer.BodyAsync(response, stop).ConfigureAwait(false))?["items"] as JsonArray ?? [];
        var nodes = new List<IReadOnlyDictionary<string, ulong>>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var lease in list.OfType<JsonObject>())
        {
            if (lease["metadata"] is not JsonObject metadata || (string?)metadata["labels"]?[Label] != "node" || (string?)metadata["name"] is not { } name)
                continue;
            names.Add(name);
            var renewed = (string?)lease["spec"]?["renewTime"] ?? "";
            if (!_seen.TryGetValue(name, out var seen) || seen.Renewed != renewed)
                _seen[name] = seen = (renewed, time.GetTimestamp());
            if (time.GetElapsedTime(seen.At) < TimeSpan.FromSeconds(Seconds))
                nodes.Add(Read((string?)metadata["annotations"]?[Annotation] ?? ""));
        }

        foreach (var gone in _seen.Keys.Where(n => !names.Contains(n)).ToList())
            _seen.Remove(gone);
        return nodes;
    }

    private static string Text(IReadOnlyDictionary<string, ulong> marks) =>
        string.Join(',', marks.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => string.Create(CultureInfo.InvariantCulture, $"{m.Key}={m.Value}")));

    private static Dictionary<string, ulong> Read(string text)
    {
        var marks = new Dictionary<string, ulong>(StringComparer.Ordinal);
        foreach (var part in text.Split(','))
            if (part.Split('=') is [var resource, var number] && ulong.TryParse(number, CultureInfo.InvariantCulture, out var mark))
                marks[resource] = mark;
        return marks;
    }

    private static byte[] Bytes(JsonObject body) => Encoding.UTF8.GetBytes(body.ToJsonString());
}
