using NodeMesh.Native.Netlink;

namespace NodeMesh.Datapath;

/// <summary>What a kube-proxy made on this node, in each of its modes.</summary>
public static class KubeProxyRules
{
    private const string Chain = "KUBE-SERVICES";
    private const string Table = "kube-proxy";
    private const string Device = "kube-ipvs0";

    /// <summary>In words; empty when there is nothing.</summary>
    /// <exception cref="NodeMesh.Native.SyscallException">The kernel refused to tell.</exception>
    public static IReadOnlyList<string> Find()
    {
        using var netlink = new NetlinkSocket();
        return Describe(NetfilterChains.OfNftables(), NetfilterChains.HasLegacy(Chain, ipv6: false) || NetfilterChains.HasLegacy(Chain, ipv6: true), RtLinks.Dump(netlink).Select(l => l.Name));
    }

    internal static IReadOnlyList<string> Describe(IEnumerable<NetfilterChain> nftables, bool isLegacy, IEnumerable<string> devices)
    {
        var found = new List<string>();
        var chains = nftables.ToArray();
        if (chains.Any(c => c.Table != Table && c.Name == Chain))
            found.Add($"chains KUBE-* of iptables ({chains.Count(c => c.Table != Table && c.Name.StartsWith("KUBE-", StringComparison.Ordinal))})");
        if (isLegacy)
            found.Add("chains KUBE-* of legacy iptables");
        if (chains.Any(c => c.Table == Table))
            found.Add($"table {Table} of nftables");
        if (devices.Contains(Device))
            found.Add($"device {Device}");
        return found;
    }
}
