using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Kubernetes.Status;

/// <summary>What statuses are made from.</summary>
/// <param name="Heard">Of each resource, the version up to which the snapshot has it.</param>
/// <param name="Enforced">The same for what the kernel of this node enforces.</param>
public sealed record StatusInput(MeshSnapshot Mesh, IReadOnlyList<Diagnostic> Found, SourceProgress Heard, SourceProgress Enforced);

/// <summary>Tells what this node enforces; and, on the one node whose turn it is, writes statuses and events.</summary>
internal sealed class StatusHost(ApiServer server, StatusBook book, string ns, string node, Func<StatusInput> input, Action<string> problem, TimeProvider time)
{
    /// <summary>Bounds what a change of everything costs the server.</summary>
    private const int MostWrites = 20;
    private static readonly string[] s_policies = [.. Resource.All.Where(r => r.Kind == Kinds.MeshPolicy || r.Kind == Kinds.ClusterMeshPolicy).Select(r => r.Plural)];
    private static readonly TimeSpan s_round = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_progress = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_longestWait = TimeSpan.FromMinutes(1);

    private readonly LeaderLease _leader = new(server, ns, node, time);
    private readonly NodeReport _report = new(server, ns, node, time);
    private readonly Dictionary<ObjectRef, long> _written = [];
    private string _problem = "";

    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task RunAsync(CancellationToken stop)
    {
        var backoff = new Backoff(TimeSpan.FromSeconds(2), s_longestWait);
        while (true)
        {
            var wait = s_round;
            try
            {
                var now = input();
                if (now.Mesh.Revision > 0)
                    await RoundAsync(now, stop).ConfigureAwait(false);
                backoff.Reset();
                Tell("");
            }
            catch (Exception e) when (e is ApiServerException or HttpRequestException or IOException or JsonException or TimeoutException or InvalidOperationException
                || (e is OperationCanceledException && !stop.IsCancellationRequested))
            {
                // Statuses tell; they decide nothing. The next try has everything to say that this one had.
                wait = backoff.Next((e as ApiServerException)?.RetryAfter);
                Tell(e.Message);
            }

            await Task.Delay(wait, time, stop).ConfigureAwait(false);
        }
    }

    private async Task RoundAsync(StatusInput now, CancellationToken stop)
    {
        await _report.SayAsync(Policies(now.Enforced.Marks), Policies(book.Newest), stop).ConfigureAwait(false);
        if (!await _leader.HoldsAsync(stop).ConfigureAwait(false))
            return;
        var found = now.Found.ToLookup(d => d.Object);
        var writes = 0;
        IReadOnlyList<IReadOnlyDictionary<string, ulong>>? nodes = null;
        foreach (var obj in book.All.Where(o => o.Changed <= now.Heard.Of(o.Resource.Plural)))
        {
            IReadOnlyList<Diagnostic> its = [.. found[obj.Ref]];
            JsonObject? status;
            if (obj.Resource.Kind == Kinds.HttpRoute)
            {
                status = RouteStatus.Of(obj, now.Mesh, its, time.GetUtcNow());
            }
            else if (obj.Resource.Kind == Kinds.GatewayClass)
            {
                status = ClassStatus.Of(obj, its, time.GetUtcNow());
            }
            else
            {
                // Who is in force everywhere needs no count of nodes.
                if (nodes is null && !Conditions.IsTrue(obj.Status?["conditions"] as JsonArray, "Programmed", obj.Generation))
                    nodes = await _report.AllAsync(stop).ConfigureAwait(false);
                status = PolicyStatus.Of(obj, its, nodes?.Count(n => n.GetValueOrDefault(obj.Resource.Plural) >= obj.Changed) ?? 0, nodes?.Count ?? 0, time.GetUtcNow());
            }

            if (status is null || JsonNode.DeepEquals(status, obj.Status) || IsTooSoon(obj, status))
                continue;
            if (writes++ == MostWrites)
                return;
            await WriteAsync(obj, status, its, stop).ConfigureAwait(false);
        }
    }

    /// <summary>Routes and classes have no condition that nodes have a part in.</summary>
    private static Dictionary<string, ulong> Policies(IReadOnlyDictionary<string, ulong> marks) =>
        marks.Where(m => s_policies.Contains(m.Key)).ToDictionary(m => m.Key, m => m.Value, StringComparer.Ordinal);

    /// <summary>Nodes come one by one; each is no reason to write.</summary>
    private bool IsTooSoon(StatusObject obj, JsonObject status) =>
        PolicyStatus.IsProgress(obj.Status, status) && _written.TryGetValue(obj.Ref, out var at) && time.GetElapsedTime(at) < s_progress;

    private async Task WriteAsync(StatusObject obj, JsonObject status, IReadOnlyList<Diagnostic> found, CancellationToken stop)
    {
        var patch = new JsonObject { ["metadata"] = new JsonObject { ["resourceVersion"] = obj.ResourceVersion }, ["status"] = status };
        try
        {
            await server.SendAsync(HttpMethod.Patch, $"{obj.Path}/status", Encoding.UTF8.GetBytes(patch.ToJsonString()), "application/merge-patch+json", stop).ConfigureAwait(false);
            _written[obj.Ref] = time.GetTimestamp();
        }
        catch (ApiServerException e) when (e.IsConflict || e.IsMissing)
        {
            return; // it has changed or gone; the next round looks at what it is then
        }

        if (_written.Count > 2 * book.All.Count)
            _written.Clear();
        foreach (var error in found.Where(d => d.Severity == Severity.Error))
            await ObjectEvents.WarnAsync(server, obj.ForEvents, "Invalid", error.FieldPath.Length == 0 ? error.Message : $"{error.FieldPath}: {error.Message}", time.GetUtcNow(), stop).ConfigureAwait(false);
    }

    private void Tell(string what)
    {
        if (what.Length > 0 && what != _problem)
            problem(what);
        _problem = what;
    }
}
