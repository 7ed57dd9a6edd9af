using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>discovery.k8s.io/v1 EndpointSlice: ready endpoints only.</summary>
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

        var endpoints = new List<SliceEndpoint>();
        foreach (var item in root.Items("endpoints"))
            Endpoint(item, type, endpoints);
        return new SliceDraft(service, [.. ports], [.. endpoints]);
    }

    private static void Endpoint(Value item, string? type, List<SliceEndpoint> endpoints)
    {
        using var e = item.Map();
        if (e is null)
            return;
        e.Ignore("hostname", "targetRef", "zone", "hints", "deprecatedTopology");
        var node = e.Text("nodeName") ?? "";
        using var conditions = e.Map("conditions");
        conditions?.Ignore("serving", "terminating");

        // A missing condition is to be read as true (discovery/v1, EndpointConditions).
        var isReady = conditions?.Get("ready")?.Flag() ?? true;
        var addresses = e.Require("addresses")?.Items() ?? [];
        if (type == "FQDN")
            return;
        foreach (var a in addresses)
        {
            if (Ports.Address(a) is not { } address)
                continue;
            if (type is not null && address.IsIPv4 != (type == "IPv4"))
                a.Error("bad-address", $"{address} does not fit addressType {type}");
            if (isReady)
                endpoints.Add(new SliceEndpoint(address, node));
        }
    }
}
