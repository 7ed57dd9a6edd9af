using NodeMesh.Datapath;
using NodeMesh.Native.Netlink;

namespace NodeMesh.Unit.Tests.Datapath;

public sealed class KubeProxyRulesTests
{
    [Test]
    public void Each_mode_is_known_by_what_it_leaves()
    {
        NetfilterChain[] others = [new("nat", "PREROUTING"), new("filter", "KUBE-FIREWALL"), new("mine", "kube-proxy")];
        Assert.That(KubeProxyRules.Describe(others, false, ["eth0"]), Is.Empty, "the kubelet itself makes KUBE-FIREWALL");
        Assert.That(KubeProxyRules.Describe([.. others, new("nat", "KUBE-SERVICES"), new("nat", "KUBE-SVC-X")], false, []), Is.EqualTo(new[] { "chains KUBE-* of iptables (3)" }));
        Assert.That(KubeProxyRules.Describe([new("kube-proxy", "services")], false, []), Is.EqualTo(new[] { "table kube-proxy of nftables" }));
        Assert.That(KubeProxyRules.Describe([], true, ["kube-ipvs0"]), Is.EqualTo(new[] { "chains KUBE-* of legacy iptables", "device kube-ipvs0" }));
    }
}
