using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using NodeMesh.Testing;

namespace NodeMesh.Bench;

/// <summary>
/// iptables rules in the form that kube-proxy (1.29 and later, iptables mode, ClusterCIDR known, traffic policy Cluster) writes them: the same chains, in
/// the same order, with its comments, in the nat table and in the filter table. Connection tracking is as the kernel has it: closed connections stay for two
/// minutes, so that more than some 200,000 of them within that time fill its table (nf_conntrack_max), as they would on a node.
/// </summary>
internal static class KubeProxyRules
{
    private const string PodBlock = "10.244.0.0/16";
    private const string Base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    /// <summary>Debian's program takes the square of the number of chains for the time it needs: so they come in parts, which changes nothing of the result.</summary>
    private const int PerPart = 500;

    /// <summary>Puts the rules in force in a box's node.</summary>
    /// <param name="restore"><c>iptables-restore</c> (Debian's, by nf_tables) or <c>iptables-legacy-restore</c>.</param>
    public static void Install(NodeBox box, IReadOnlyList<BenchService> services, string restore)
    {
        Restore(box, restore, Filter + NatBegin);
        foreach (var part in services.Chunk(PerPart))
            Restore(box, restore, Nat(part));
        Restore(box, restore, NatEnd);
    }

    private static void Restore(NodeBox box, string restore, string rules)
    {
        var file = Path.Combine(box.WorkDir, "rules");
        File.WriteAllText(file, rules);
        box.Node.Run(["/bin/sh", "-ec", $"{restore} --noflush < {file}"], TimeSpan.FromMinutes(1)).MustSucceed(restore);
    }

    private const string Filter = """
        *filter
        :KUBE-NODEPORTS - [0:0]
        :KUBE-SERVICES - [0:0]
        :KUBE-EXTERNAL-SERVICES - [0:0]
        :KUBE-FIREWALL - [0:0]
        :KUBE-FORWARD - [0:0]
        :KUBE-PROXY-FIREWALL - [0:0]
        -A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
        -A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
        -A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
        -A INPUT -j KUBE-FIREWALL
        -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
        -A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
        -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
        -A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
        -A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A OUTPUT -j KUBE-FIREWALL
        -A KUBE-FIREWALL -m comment --comment "block incoming localnet connections" -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
        -A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
        -A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
        -A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        COMMIT

        """;

    private const string NatBegin = """
        *nat
        :KUBE-NODEPORTS - [0:0]
        :KUBE-SERVICES - [0:0]
        :KUBE-MARK-MASQ - [0:0]
        :KUBE-POSTROUTING - [0:0]
        -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
        -A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
        -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
        -A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
        -A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
        -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
        COMMIT

        """;

    private const string NatEnd = """
        *nat
        -A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
        COMMIT

        """;

    private static string Nat(IEnumerable<BenchService> services)
    {
        var chains = new StringBuilder("*nat\n");
        var rules = new StringBuilder();
        foreach (var service in services)
            Write(chains, rules, service);
        return $"{chains}{rules}COMMIT\n";
    }

    private static void Write(StringBuilder chains, StringBuilder rules, BenchService service)
    {
        var said = $"default/{service.Name}";
        var svc = Chain("KUBE-SVC-", said);
        chains.Append(CultureInfo.InvariantCulture, $":{svc} - [0:0]\n");
        rules.Append(CultureInfo.InvariantCulture, $"-A KUBE-SERVICES -m comment --comment \"{said} cluster IP\" -m tcp -p tcp -d {service.Vip} --dport {BenchService.Port} -j {svc}\n");
        rules.Append(CultureInfo.InvariantCulture, $"-A {svc} -m comment --comment \"{said} cluster IP\" -m tcp -p tcp -d {service.Vip} --dport {BenchService.Port} ! -s {PodBlock} -j KUBE-MARK-MASQ\n");
        if (service.NodePort != 0)
        {
            var ext = Chain("KUBE-EXT-", said);
            chains.Append(CultureInfo.InvariantCulture, $":{ext} - [0:0]\n");
            rules.Append(CultureInfo.InvariantCulture, $"-A KUBE-NODEPORTS -m comment --comment {said} -m tcp -p tcp --dport {service.NodePort} -j {ext}\n");
            rules.Append(CultureInfo.InvariantCulture, $"-A {ext} -m comment --comment \"masquerade traffic for {said} external destinations\" -j KUBE-MARK-MASQ\n");
            rules.Append(CultureInfo.InvariantCulture, $"-A {ext} -j {svc}\n");
        }

        for (var i = 0; i < service.Backends.Count; i++)
        {
            var backend = service.Backends[i];
            var sep = Chain("KUBE-SEP-", $"{said}->{backend}");
            var left = service.Backends.Count - i;
            var chance = left == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $" -m statistic --mode random --probability {1.0 / left:0.0000000000}");
            chains.Append(CultureInfo.InvariantCulture, $":{sep} - [0:0]\n");
            rules.Append(CultureInfo.InvariantCulture, $"-A {svc} -m comment --comment \"{said} -> {backend}:{BenchService.Port}\"{chance} -j {sep}\n");
            rules.Append(CultureInfo.InvariantCulture, $"-A {sep} -m comment --comment {said} -s {backend} -j KUBE-MARK-MASQ\n");
            rules.Append(CultureInfo.InvariantCulture, $"-A {sep} -m comment --comment {said} -m tcp -p tcp -j DNAT --to-destination {backend}:{BenchService.Port}\n");
        }
    }

    /// <summary>The prefix and the beginning of a hash, as kube-proxy names its chains.</summary>
    private static string Chain(string prefix, string of)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(of));
        var name = new StringBuilder(prefix);
        for (var i = 0; i < 16; i++)
            name.Append(Base32[hash[i] & 31]);
        return name.ToString();
    }
}
