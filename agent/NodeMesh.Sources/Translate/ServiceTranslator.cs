using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>v1 Service: everything but its ports and addresses; those are in <see cref="ServicePorts"/> and <see cref="ServiceAddresses"/>.</summary>
internal static class ServiceTranslator
{
    public const string BalancingAnnotation = "nodemesh.io/lb-algorithm";

    /// <summary>Names another program that serves the service (kube-proxy leaves it alone for the same label).</summary>
    private const string ForeignProxyLabel = "service.kubernetes.io/service-proxy-name";

    /// <summary>Kubernetes' own mark of what no proxy serves. A service with a cluster IP can have it, too.</summary>
    private const string HeadlessLabel = "service.kubernetes.io/headless";
    private const int LongestAffinity = 86400;
    private static readonly TimeSpan DefaultAffinity = TimeSpan.FromSeconds(10800);

    public static ServiceDraft Translate(ApiObject obj, Fields root)
    {
        var meta = Metadata.Read(root, obj);
        var loadBalancerIps = ServiceAddresses.OfLoadBalancer(root);
        using var spec = root.Require("spec")?.Map();
        if (spec is null)
            return new ServiceDraft(new Service(obj.Name, [], [], obj.Location), [], null, false, true);

        spec.Ignore("externalName", "loadBalancerIP", "loadBalancerClass", "allocateLoadBalancerNodePorts");
        var type = spec.Get("type")?.OneOf("ClusterIP", "NodePort", "LoadBalancer", "ExternalName") ?? "ClusterIP";
        var families = ServiceAddresses.Families(spec);
        var (ips, isHeadless) = ServiceAddresses.OfCluster(spec, type == "ExternalName");
        var externalIps = ServiceAddresses.External(spec);
        var external = Policy(spec, "externalTrafficPolicy");
        var isReachable = type is "NodePort" or "LoadBalancer" || externalIps.Length > 0;
        var isLocal = external == TrafficPolicy.Local && isReachable;
        var healthPort = Ports.NodePort(spec.Get("healthCheckNodePort"));
        var ports = ServicePorts.Read(spec, type);
        var selector = spec.Map("selector") is { } labels && Metadata.ReadLabels(labels) is { Count: > 0 } read ? Selectors.FromLabels(read) : null;
        var service = new Service(obj.Name, ips, [], obj.Location)
        {
            Type = type switch { "NodePort" => ServiceType.NodePort, "LoadBalancer" => ServiceType.LoadBalancer, _ => ServiceType.ClusterIP },
            CreatedAt = meta.CreatedAt,
            HasIPv4 = ips.Length > 0 ? ips.Any(a => a.IsIPv4) : !isHeadless && (families.Length == 0 || families.Contains("IPv4")),
            HasIPv6 = ips.Length > 0 ? ips.Any(a => !a.IsIPv4) : !isHeadless && families.Contains("IPv6"),
            ExternalIps = externalIps,
            LoadBalancerIps = loadBalancerIps,
            SourceRanges = ServiceAddresses.SourceRanges(spec),
            InternalPolicy = Policy(spec, "internalTrafficPolicy"),
            ExternalPolicy = isLocal ? TrafficPolicy.Local : TrafficPolicy.Cluster,
            Affinity = Affinity(spec),
            HealthCheckNodePort = type == "LoadBalancer" && isLocal ? healthPort : (ushort)0,
            TrafficDistribution = Distribution(spec),
            Balancing = Algorithm(meta, root),
        };
        var isLeftAlone = type == "ExternalName" || meta.Labels.ContainsKey(ForeignProxyLabel) || meta.Labels.ContainsKey(HeadlessLabel);
        return new ServiceDraft(service, ports, selector, spec.Flag("publishNotReadyAddresses"), isLeftAlone);
    }

    private static TrafficPolicy Policy(Fields spec, string name) =>
        spec.Get(name)?.OneOf("Cluster", "Local") == "Local" ? TrafficPolicy.Local : TrafficPolicy.Cluster;

    private static TimeSpan? Affinity(Fields spec)
    {
        var kind = spec.Get("sessionAffinity")?.OneOf("None", "ClientIP");
        using var config = spec.Map("sessionAffinityConfig");
        using var client = config?.Map("clientIP");
        var seconds = client?.Get("timeoutSeconds")?.Integer(1, LongestAffinity);
        if (kind != "ClientIP")
            return null;
        return seconds is { } s ? TimeSpan.FromSeconds(s) : DefaultAffinity;
    }

    private static string Distribution(Fields spec)
    {
        if (spec.Get("trafficDistribution") is not { } value || value.Text() is not { } text)
            return "";
        if (text is "PreferClose" or "PreferSameZone" or "PreferSameNode")
            return text;
        value.Warning("unsupported", $"trafficDistribution '{text}' is not known; it may be PreferSameZone, PreferSameNode or PreferClose",
            "connections go to backends anywhere");
        return "";
    }

    private static Balancing? Algorithm(Metadata meta, Fields root)
    {
        if (!meta.Annotations.TryGetValue(BalancingAnnotation, out var text))
            return null;
        if (text is "random" or "maglev")
            return text == "maglev" ? Balancing.Maglev : Balancing.Random;
        root.Report.Partly("bad-annotation", $"metadata.annotations[{BalancingAnnotation}]", root.At, $"'{text}' is neither random nor maglev",
            "backends are chosen as the agent's --lb-algorithm says");
        return null;
    }
}
