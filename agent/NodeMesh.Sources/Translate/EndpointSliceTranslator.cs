using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>discovery.k8s.io/v1 EndpointSlice. Endpoints of every state: which of them serve is for the compiler to say.</summary>
internal static class EndpointSliceTranslator
{
    public const string ServiceLabel = "kubernetes.io/service-name";

    public static SliceDraft Translate(ApiObject obj, Fields root)
    {
        var meta = Metadata.Read(root, obj);
        var service = new ObjectName(obj.Name.Namespace, meta.Labels.GetValueOrDefault(ServiceLabel, ""));
        if (service.Name.Length == 0)
            root.Report.Warning("no-service", $"metadata.labels[{ServiceLabel}]", root.At, $"the slice has no label {ServiceLabel}; add it with the service's name",
                "the slice belongs to no service");

        var type = root.Require("addressType")?.OneOf("IPv4", "IPv6", "FQDN");
        if (type == "FQDN")
            root.Get("addressType")?.Warning("unsupported", "addressType FQDN is not supported", "the slice's endpoints are left out");
        var ports = new List<SlicePort>();
        foreach (var item in root.Items("ports"))
        {
            using var port = item.Map();
            if (port is null)
                continue;
            port.Ignore("appProtocol");
            var name = port.Text("name") ?? "";
            var protocol = Ports.ReadProtocol(port.Get("protocol"));
            if (Ports.Number(port.Get("port")) is { } number)
                ports.Add(new SlicePort(name, protocol, number));
        }

        var endpoints = ImmutableArray.CreateBuilder<Backend>();
        foreach (var item in root.Items("endpoints"))
            if (Endpoint(item, type) is { } endpoint)
                endpoints.Add(endpoint);
        return new SliceDraft(service, [.. ports], endpoints.DrainToImmutable());
    }

    private static Backend? Endpoint(Value item, string? type)
    {
        using var e = item.Map();
        if (e is null)
            return null;
        e.Ignore("hostname", "targetRef", "deprecatedTopology");
        var node = e.Text("nodeName") ?? "";
        var zone = e.Text("zone");
        using var hints = e.Map("hints");
        var zones = Hints(hints, "forZones");
        var nodes = Hints(hints, "forNodes");
        using var conditions = e.Map("conditions");

        // A missing condition is to be read as true, a missing 'terminating' as false (discovery/v1, EndpointConditions).
        var isReady = conditions?.Get("ready")?.Flag() ?? true;
        var isServing = conditions?.Get("serving")?.Flag() ?? true;
        var isTerminating = conditions?.Get("terminating")?.Flag() ?? false;
        var addresses = e.Require("addresses")?.Items() ?? [];
        IpAddr? first = null;
        foreach (var a in type == "FQDN" ? [] : addresses)
        {
            if (Ports.Address(a) is not { } address)
                continue;
            if (type is not null && address.IsIPv4 != (type == "IPv4"))
                a.Error("bad-address", $"{address} does not fit addressType {type}");

            // "No semantics are defined for additional addresses beyond the first" (discovery/v1, Endpoint.addresses).
            first ??= address;
        }
        return first is not { } ip ? null : new Backend(ip, 0, node)
        {
            Zone = zone,
            NotReady = !isReady,
            NotServing = !isServing,
            Terminating = isTerminating,
            ForZones = zones,
            ForNodes = nodes,
        };
    }

    private static string? Hints(Fields? hints, string name)
    {
        var names = new List<string>();
        foreach (var item in hints?.Items(name) ?? [])
        {
            using var hint = item.Map();
            if (hint?.Require("name")?.Text() is { } text)
                names.Add(text);
        }
        return names.Count == 0 ? null : string.Join(',', names.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
    }
}
