using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>The addresses of a Service.</summary>
internal static class ServiceAddresses
{
    public static (ImmutableArray<IpAddr> Ips, bool IsHeadless) OfCluster(Fields spec, bool isExternalName)
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
        return ([.. ips], isHeadless);
    }

    public static ImmutableArray<string> Families(Fields spec)
    {
        spec.Get("ipFamilyPolicy")?.OneOf("SingleStack", "PreferDualStack", "RequireDualStack");
        return [.. spec.Items("ipFamilies").Select(f => f.OneOf("IPv4", "IPv6")).OfType<string>()];
    }

    public static ImmutableArray<IpAddr> External(Fields spec)
    {
        var ips = new List<IpAddr>();
        foreach (var item in spec.Items("externalIPs"))
        {
            if (Ports.Address(item) is not { } ip)
                continue;
            if (ip.IsUnspecified || System.Net.IPAddress.IsLoopback(ip.ToIPAddress()))
                item.Error("bad-address", $"{ip} cannot be an external IP");
            ips.Add(ip);
        }
        return [.. ips.Distinct()];
    }

    public static ImmutableArray<IpPrefix> SourceRanges(Fields spec) =>
        [.. spec.Items("loadBalancerSourceRanges").Select(Ports.Block).OfType<IpPrefix>().Distinct().Order()];

    /// <summary>status.loadBalancer: addresses of a balancer that passes packets on as they are (ipMode VIP, the default).</summary>
    public static ImmutableArray<IpAddr> OfLoadBalancer(Fields root)
    {
        using var status = root.Map("status");
        status?.Ignore("conditions");
        using var balancer = status?.Map("loadBalancer");
        var ips = new List<IpAddr>();
        foreach (var item in balancer?.Items("ingress") ?? [])
        {
            using var ingress = item.Map();
            if (ingress is null)
                continue;
            ingress.Ignore("hostname", "ports");
            var isVip = ingress.Get("ipMode")?.OneOf("VIP", "Proxy") != "Proxy";
            if (ingress.Get("ip") is { } ip && Ports.Address(ip) is { } address && isVip)
                ips.Add(address);
        }
        return [.. ips.Distinct()];
    }
}
