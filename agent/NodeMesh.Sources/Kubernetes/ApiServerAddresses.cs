using System.Globalization;
using System.Net;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Kubernetes;

/// <summary>What the API server says of itself: the addresses in EndpointSlice default/kubernetes. Pure.</summary>
internal static class ApiServerAddresses
{
    /// <summary>A control plane has a few servers.</summary>
    private const int Most = 16;

    /// <summary>The slice that the servers keep; there is one.</summary>
    public static readonly string Origin = new ObjectRef(Kinds.EndpointSlice.Kind, new ObjectName("default", "kubernetes")).ToString();

    public static IReadOnlyList<IPEndPoint> Of(ApiMap slice)
    {
        var port = Maps(slice["ports"]).Select(p => Text(p["port"])).FirstOrDefault();
        if (!ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number == 0)
            return [];
        var addresses = Maps(slice["endpoints"]).Where(e => Text((e["conditions"] as ApiMap)?["ready"]) != "false").SelectMany(e => (e["addresses"] as ApiList)?.Items ?? []);
        return [.. addresses.Select(a => IPAddress.TryParse(Text(a), out var address) ? new IPEndPoint(address, number) : null).OfType<IPEndPoint>().Distinct().Take(Most)];
    }

    private static IEnumerable<ApiMap> Maps(ApiNode? list) => (list as ApiList)?.Items.OfType<ApiMap>() ?? [];

    private static string? Text(ApiNode? value) => (value as ApiScalar)?.Text;
}
