using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

internal static class ServiceTranslator
{
    public static ServiceDraft Translate(ApiObject obj, Fields root)
    {
        var meta = Metadata.Read(root, obj);
        _ = meta;
        root.Ignore("status");
        using var spec = root.Require("spec")?.Map();
        if (spec is null)
            return new ServiceDraft(obj.Name, [], [], null, false, false, obj.Location);

        spec.Ignore("ipFamilies", "ipFamilyPolicy", "externalName", "externalIPs", "loadBalancerIP", "loadBalancerSourceRanges", "loadBalancerClass",
            "externalTrafficPolicy", "healthCheckNodePort", "allocateLoadBalancerNodePorts", "sessionAffinityConfig", "trafficDistribution");
        var type = spec.Get("type")?.OneOf("ClusterIP", "NodePort", "LoadBalancer", "ExternalName") ?? "ClusterIP";
        var isExternalName = type == "ExternalName";
        if (type is not "ClusterIP")
            spec.Get("type")?.Warning("unsupported", $"type {type} is not supported",
                isExternalName ? "the service is left to DNS" : "the service is reachable at its cluster IP only");
        if (spec.Get("sessionAffinity") is { } affinity && affinity.OneOf("None", "ClientIP") == "ClientIP")
            affinity.Warning("unsupported", "sessionAffinity ClientIP is not supported", "each connection goes to any backend");
        if (spec.Get("internalTrafficPolicy") is { } policy && policy.OneOf("Cluster", "Local") == "Local")
            policy.Warning("unsupported", "internalTrafficPolicy Local is not supported", "connections go to backends on every node");

        var ips = ClusterIps(spec, isExternalName);
        var ports = PortList(spec);
        var isPublic = spec.Flag("publishNotReadyAddresses");
        LabelSelector? selector = null;
        if (spec.Map("selector") is { } labels)
        {
            var read = Metadata.ReadLabels(labels);
            selector = read.Count > 0 ? Selectors.FromLabels(read) : null;
        }
        return new ServiceDraft(obj.Name, ips, ports, selector, isPublic, isExternalName, obj.Location);
    }

    private static ImmutableArray<IpAddr> ClusterIps(Fields spec, bool isExternalName)
    {
        var single = spec.Get("clusterIP");
        var list = spec.Items("clusterIPs");
        if (list.Length > 2)
            spec.Get("clusterIPs")?.Error("bad-value", "at most two cluster IPs, one of each family");
        var items = list.Length > 0 ? list.AsEnumerable() : single is { } s ? [s] : [];
        var ips = new List<IpAddr>();
        var isHeadless = false;
        foreach (var item in items)
        {
            if (item.Node is ApiScalar { Text: "None" })
            {
                isHeadless = true;
                continue;
            }
            if (item.Node is ApiScalar { Kind: ScalarKind.Text, Text: "" } || Ports.Address(item) is not { } ip)
                continue;
            if (ip.IsUnspecified)
                item.Error("bad-address", $"{ip} cannot be a cluster IP");
            ips.Add(ip);
        }
        if (ips.Count == 2 && ips[0].IsIPv4 == ips[1].IsIPv4)
            spec.Get("clusterIPs")?.Error("bad-value", "two cluster IPs must be of two families");
        if (isHeadless && ips.Count > 0)
            spec.Get("clusterIPs")?.Error("bad-value", "'None' cannot stand beside a cluster IP");
        if (list.Length > 0 && single is { } first && first.Node is ApiScalar a && list[0].Node is ApiScalar b && a.Text != b.Text)
            first.Error("bad-value", "clusterIP must be the first of clusterIPs");
        if (ips.Count == 0 && !isHeadless && !isExternalName && !spec.Report.Failed)
            spec.Report.Warning("no-cluster-ip", spec.Path, spec.At, "the service has no cluster IP and nothing here gives it one; set clusterIP, or 'None' for a headless service",
                "the service has no virtual address");
        return [.. ips];
    }

    private static ImmutableArray<ServicePortDraft> PortList(Fields spec)
    {
        var items = spec.Items("ports");
        var ports = new List<ServicePortDraft>();
        foreach (var item in items)
        {
            using var p = item.Map();
            if (p is null)
                continue;
            p.Ignore("nodePort");
            var name = p.Text("name") ?? "";
            if (name.Length > 0 && !Names.IsLabel(name))
                p.Get("name")?.Error("bad-name", $"'{name}' is not a service port's name: {Names.LabelForm}");
            if (name.Length == 0 && items.Length > 1)
                p.Error("missing-field", "a service with several ports must name each; add 'name'");
            var protocol = Ports.ReadProtocol(p.Get("protocol"));
            var appProtocol = p.Text("appProtocol") ?? "";
            var number = Ports.Number(p.Require("port"));
            var (target, targetName) = Target(p.Get("targetPort"), number ?? 0);
            if (number is not { } port)
                continue;
            if (ports.Exists(o => o.Port == port && o.Protocol == protocol))
                p.Error("port-clash", $"port {port} stands twice for {protocol.ToString().ToUpperInvariant()}; remove one");
            if (name.Length > 0 && ports.Exists(o => o.Name == name))
                p.Error("duplicate", $"the port name '{name}' stands twice; rename one");
            ports.Add(new ServicePortDraft(name, protocol, port, appProtocol, target, targetName));
        }
        return [.. ports.OrderBy(p => p.Port).ThenBy(p => p.Protocol)];
    }

    private static (ushort Number, string? Name) Target(Value? value, ushort port)
    {
        if (value is not { } v)
            return (port, null);
        if (v.Node is ApiScalar { Kind: ScalarKind.Text })
            return (0, Ports.Name(v) ?? "");

        // The API defaults 0 to the port itself.
        var number = (ushort)(v.Integer(0, 65535) ?? 0);
        return (number == 0 ? port : number, null);
    }
}
