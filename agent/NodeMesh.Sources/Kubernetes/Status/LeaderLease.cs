using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace NodeMesh.Sources.Kubernetes.Status;

/// <summary>
/// Which one of all agents writes statuses: who holds the Lease (coordination.k8s.io/v1). Nobody's clock is compared with another's: a holder counts as gone when
/// its Lease has not changed for the whole of its time, by our own clock.
/// </summary>
internal sealed class LeaderLease(ApiServer server, string ns, string identity, TimeProvider time)
{
    private const string Name = "nodemesh-status";
    private const int Seconds = 30;
    private static readonly TimeSpan s_renewal = TimeSpan.FromSeconds(10);

    private string _seen = "";
    private long _seenAt;
    private long _askedAt;
    private bool _holds;

    private string Folder => $"/apis/coordination.k8s.io/v1/namespaces/{ns}/leases";

    /// <summary>Whether it is us now; asks the server every 10 s.</summary>
    /// <exception cref="ApiServerException">It refused.</exception>
    /// <exception cref="HttpRequestException">No answer.</exception>
    public async Task<bool> HoldsAsync(CancellationToken stop)
    {
        if (_askedAt != 0 && time.GetElapsedTime(_askedAt) < s_renewal)
            return _holds;
        _askedAt = time.GetTimestamp();
        _holds = false; // whatever goes wrong below
        return _holds = await TryAsync(stop).ConfigureAwait(false);
    }

    private async Task<bool> TryAsync(CancellationToken stop)
    {
        try
        {
            JsonObject lease;
            try
            {
                using var response = await server.GetAsync($"{Folder}/{Name}", stop).ConfigureAwait(false);
                lease = (JsonObject)JsonNode.Parse(await ApiServer.BodyAsync(response, stop).ConfigureAwait(false))!;
            }
            catch (ApiServerException e) when (e.IsMissing)
            {
                await SendAsync(HttpMethod.Post, Folder, New(), stop).ConfigureAwait(false);
                return true;
            }

            var spec = lease["spec"] as JsonObject ?? [];
            var holder = (string?)spec["holderIdentity"] ?? "";
            var version = (string?)lease["metadata"]?["resourceVersion"] ?? "";
            if (version != _seen)
                (_seen, _seenAt) = (version, time.GetTimestamp());
            if (holder.Length > 0 && holder != identity && time.GetElapsedTime(_seenAt) < TimeSpan.FromSeconds((int?)spec["leaseDurationSeconds"] ?? Seconds))
                return false;
            lease["spec"] = Spec((int?)spec["leaseTransitions"] ?? 0, isNew: holder != identity);
            await SendAsync(HttpMethod.Put, $"{Folder}/{Name}", lease, stop).ConfigureAwait(false);
            return true;
        }
        catch (ApiServerException e) when (e.IsConflict)
        {
            return false; // somebody else was first
        }
    }

    private JsonObject New() => new()
    {
        ["apiVersion"] = "coordination.k8s.io/v1",
        ["kind"] = "Lease",
        ["metadata"] = new JsonObject { ["name"] = Name, ["namespace"] = ns },
        ["spec"] = Spec(0, isNew: true),
    };

    private JsonObject Spec(int transitions, bool isNew) => new()
    {
        ["holderIdentity"] = identity,
        ["leaseDurationSeconds"] = Seconds,
        ["renewTime"] = MicroTime(time.GetUtcNow()),
        ["leaseTransitions"] = isNew ? transitions + 1 : transitions,
    };

    public static string MicroTime(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);

    private Task<byte[]> SendAsync(HttpMethod method, string path, JsonObject body, CancellationToken stop) =>
        server.SendAsync(method, path, Encoding.UTF8.GetBytes(body.ToJsonString()), "application/json", stop);
}
