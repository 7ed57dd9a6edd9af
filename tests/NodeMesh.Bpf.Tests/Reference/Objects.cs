using System.Net;
using System.Text.Json.Nodes;

namespace NodeMesh.Bpf.Tests.Reference;

/// <summary>The cluster as its objects say it, read plainly: nothing of the agent's own reading of them is used here.</summary>
internal sealed class Objects(IReadOnlyList<JsonObject> documents)
{
    public const string ThisNode = "here";

    public IEnumerable<JsonObject> OfKind(string kind) => documents.Where(d => d.Text("kind") == kind);

    /// <summary>Pods with addresses of their own that have not ended.</summary>
    public IEnumerable<JsonObject> Pods => LivePods.Where(p => !p.Flag("spec", "hostNetwork"));

    private IEnumerable<JsonObject> LivePods => OfKind("Pod").Where(p => p.Text("status", "phase") is not ("Succeeded" or "Failed"));

    public JsonObject? PodAt(string address) => Pods.FirstOrDefault(p => Addresses(p).Contains(address));

    public static IEnumerable<string> Addresses(JsonObject pod) => pod.List("status", "podIPs").Select(a => a.Text("ip"));

    public bool IsThisNode(string address) => NodesAddresses(here: true).Contains(address);

    public bool IsOtherNode(string address) => NodesAddresses(here: false).Contains(address);

    /// <summary>Of the nodes themselves, and of pods that use their network.</summary>
    private IEnumerable<string> NodesAddresses(bool here) =>
        OfKind("Node").Where(n => n.Text("metadata", "name") == ThisNode == here).SelectMany(NodeAddresses)
            .Concat(LivePods.Where(p => p.Flag("spec", "hostNetwork") && (p.Text("spec", "nodeName") is ThisNode or "") == here).SelectMany(Addresses));

    public static IEnumerable<string> NodeAddresses(JsonObject node) => node.List("status", "addresses").Select(a => a.Text("address"));

    /// <summary>Where a service leads: to the endpoints that are written down, or to the pods that it selects.</summary>
    public IEnumerable<(string Address, string Protocol, int Port)> Backends(string ns, string name)
    {
        bool IsIt(JsonObject of, string called) => NamespaceOf(of) == ns && called == name;
        var service = OfKind("Service").FirstOrDefault(s => IsIt(s, s.Text("metadata", "name")));
        if (service is null)
            return [];
        if (service["spec"]?["selector"] is not JsonObject selector)
            return from slice in OfKind("EndpointSlice")
                   where IsIt(slice, slice["metadata"]?["labels"].Text("kubernetes.io/service-name") ?? "")
                   from port in slice.List("ports")
                   from endpoint in slice.List("endpoints")
                   from address in endpoint.List("addresses")
                   select ((string)address!, "TCP", (int)port["port"]!);
        return from pod in LivePods
               where NamespaceOf(pod) == ns && Selects(new JsonObject { ["matchLabels"] = selector.DeepClone() }, Labels(pod))
               from port in service.List("spec", "ports")
               let protocol = port.Text("protocol") is { Length: > 0 } given ? given : "TCP"
               from number in port["targetPort"] is JsonValue target
                   ? target.TryGetValue<int>(out var n) ? [n] : NamedPorts(pod).Where(p => p.Name == (string)target! && p.Protocol == protocol).Select(p => p.Number).Take(1)
                   : [(int)port["port"]!]
               from address in Addresses(pod)
               select (address, protocol, number);
    }

    /// <summary>Every container port of a pod that has a name.</summary>
    public static IEnumerable<(string Name, string Protocol, int Number)> NamedPorts(JsonObject pod) =>
        from container in pod.List("spec", "containers")
        from port in container.List("ports")
        where port.Text("name").Length > 0
        select (port.Text("name"), port.Text("protocol") is { Length: > 0 } given ? given : "TCP", (int)port["containerPort"]!);

    public static Dictionary<string, string> Labels(JsonObject of) =>
        of["metadata"]?["labels"] is JsonObject labels ? labels.ToDictionary(l => l.Key, l => (string)l.Value!) : [];

    /// <summary>Namespaces have their name as a label, as the API server sees to.</summary>
    public Dictionary<string, string> NamespaceLabels(string name)
    {
        var labels = OfKind("Namespace").FirstOrDefault(n => n.Text("metadata", "name") == name) is { } found ? Labels(found) : [];
        labels["kubernetes.io/metadata.name"] = name;
        return labels;
    }

    public static string NamespaceOf(JsonObject of) => of.Text("metadata", "namespace");

    /// <summary>A LabelSelector: all that it says must hold, and an empty one, or none, says nothing.</summary>
    public static bool Selects(JsonNode? selector, Dictionary<string, string> labels)
    {
        if (selector is not JsonObject given)
            return true;
        if (given["matchLabels"] is JsonObject equal && equal.Any(l => labels.GetValueOrDefault(l.Key) != (string)l.Value!))
            return false;
        return given.List("matchExpressions").All(e =>
        {
            var has = labels.TryGetValue(e.Text("key"), out var value);
            var among = e["values"] is JsonArray values && values.Any(v => (string)v! == value);
            return e.Text("operator") switch
            {
                "In" => has && among,
                "NotIn" => !has || !among,
                "Exists" => has,
                "DoesNotExist" => !has,
                _ => throw new InvalidOperationException(e.ToJsonString()),
            };
        });
    }

    public static bool InBlock(string cidr, string address) => IPNetwork.Parse(cidr) is var block && IPAddress.Parse(address) is var ip
        && block.BaseAddress.AddressFamily == ip.AddressFamily && block.Contains(ip);
}

internal static class Reading
{
    /// <summary>Empty when it is not there.</summary>
    public static string Text(this JsonNode? from, params string[] path) => At(from, path)?.ToString() ?? "";

    public static bool Flag(this JsonNode? from, params string[] path) => At(from, path) is { } flag && (bool)flag;

    public static IEnumerable<JsonNode> List(this JsonNode? from, params string[] path) => At(from, path) is JsonArray list ? list.OfType<JsonNode>() : [];

    private static JsonNode? At(JsonNode? from, string[] path)
    {
        foreach (var name in path)
            from = (from as JsonObject)?[name];
        return from;
    }
}
