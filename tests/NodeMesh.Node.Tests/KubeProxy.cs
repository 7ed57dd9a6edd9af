using System.Text;
using System.Text.Json.Nodes;

namespace NodeMesh.Node.Tests;

/// <summary>
/// What a kube-proxy beside the agent does, in the form of its iptables mode: cluster addresses, node ports and external IPs of a cluster's services, policy Cluster,
/// to ready endpoints; refusal where there are none. And the host ports of IPv4, as the network plugin's portmap serves them. All anew at each change.
/// </summary>
internal sealed class KubeProxy(Cluster cluster)
{
    private const string Jumps = """
        -A PREROUTING -j KUBE-SERVICES
        -A OUTPUT -j KUBE-SERVICES
        -A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
        -A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
        -A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE
        -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000

        """;

    public void Sync()
    {
        // What comes back to 127.0.0.1 comes in by a pod's interface.
        cluster.Box.Node.Run("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1").MustSucceed("route_localnet");
        Sync("iptables-nft-restore", "IPv4", "10.244.0.0/16");
        Sync("ip6tables-nft-restore", "IPv6", "fd00:244::/56");
    }

    private void Sync(string restore, string family, string pods)
    {
        var chains = new StringBuilder();
        var nat = new StringBuilder(Jumps);
        var filter = new StringBuilder();
        var count = 0;
        foreach (var service in cluster.Api.Store.List("services", "", "").Objects)
            foreach (var port in service["spec"]!["ports"]!.AsArray())
                Write(service, port!, family, pods, ++count, chains, nat, filter);
        if (family == "IPv4")
            foreach (var pod in cluster.Api.Store.List("pods", "", "").Objects)
                WriteHostPorts(pod, nat);
        var file = Path.Combine(cluster.Box.WorkDir, restore);
        File.WriteAllText(file, $"""
            *filter
            :KUBE-SERVICES - [0:0]
            -A FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES
            -A OUTPUT -m conntrack --ctstate NEW -j KUBE-SERVICES
            -A INPUT -m conntrack --ctstate NEW -j KUBE-SERVICES
            {filter}COMMIT
            *nat
            :KUBE-SERVICES - [0:0]
            :KUBE-NODEPORTS - [0:0]
            :KUBE-MARK-MASQ - [0:0]
            :CNI-HOSTPORT-DNAT - [0:0]
            {chains}{nat}-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
            COMMIT

            """);
        cluster.Box.Node.Run("sh", "-c", $"{restore} < {file}").MustSucceed(restore);
    }

    private void Write(JsonObject service, JsonNode port, string family, string pods, int number, StringBuilder chains, StringBuilder nat, StringBuilder filter)
    {
        var (ns, name, spec) = ((string)service["metadata"]!["namespace"]!, (string)service["metadata"]!["name"]!, service["spec"]!);
        if (service["metadata"]!["labels"] is JsonObject labels && (labels.ContainsKey("service.kubernetes.io/service-proxy-name") || labels.ContainsKey("service.kubernetes.io/headless")))
            return;
        var isSix = family == "IPv6";
        var addresses = new[] { "clusterIPs", "externalIPs" }.SelectMany(f => spec[f]?.AsArray() ?? []).Select(a => (string)a!).Where(a => a.Contains(':', StringComparison.Ordinal) == isSix);
        var protocol = ((string)port["protocol"]!).ToLowerInvariant();
        var endpoints = Endpoints(ns, name, (string)port["name"]!, family);
        var svc = $"KUBE-SVC-{number}";
        chains.Append($":{svc} - [0:0]\n");
        foreach (var at in addresses.Select(a => $"-d {a} -p {protocol} --dport {port["port"]}"))
        {
            nat.Append($"-A KUBE-SERVICES {at} ! -s {pods} -j KUBE-MARK-MASQ\n-A KUBE-SERVICES {at} -j {svc}\n");
            if (endpoints.Length == 0)
                filter.Append($"-A KUBE-SERVICES {at} -j REJECT\n");
        }

        if (port["nodePort"] is { } nodePort)
        {
            nat.Append($"-A KUBE-NODEPORTS -p {protocol} --dport {nodePort} -j KUBE-MARK-MASQ\n-A KUBE-NODEPORTS -p {protocol} --dport {nodePort} -j {svc}\n");
            if (endpoints.Length == 0)
                filter.Append($"-A KUBE-SERVICES -m addrtype --dst-type LOCAL -p {protocol} --dport {nodePort} -j REJECT\n");
        }

        for (var i = 0; i < endpoints.Length; i++)
        {
            var chance = i + 1 < endpoints.Length ? $"-m statistic --mode nth --every {endpoints.Length - i} --packet 0 " : "";
            var (address, target) = endpoints[i];
            var sep = $"KUBE-SEP-{number}-{i}";
            chains.Append($":{sep} - [0:0]\n");
            nat.Append($"-A {svc} {chance}-j {sep}\n-A {sep} -s {address} -j KUBE-MARK-MASQ\n");
            nat.Append($"-A {sep} -p {protocol} -j DNAT --to-destination {(isSix ? $"[{address}]" : address)}:{target}\n");
        }
    }

    private static void WriteHostPorts(JsonObject pod, StringBuilder nat)
    {
        if ((string?)pod["status"]!["podIP"] is not { } address)
            return;
        foreach (var port in pod["spec"]!["containers"]!.AsArray().SelectMany(c => c!["ports"]!.AsArray()).Where(p => p!["hostPort"] is not null))
        {
            var protocol = ((string)port!["protocol"]!).ToLowerInvariant();
            var at = $"{(port["hostIP"] is { } ip ? $"-d {ip} " : "")}-p {protocol} --dport {port["hostPort"]}";
            foreach (var masked in (string[])[address, "127.0.0.1"])
                nat.Append($"-A CNI-HOSTPORT-DNAT -s {masked} {at} -j KUBE-MARK-MASQ\n");
            nat.Append($"-A CNI-HOSTPORT-DNAT {at} -j DNAT --to-destination {address}:{port["containerPort"]}\n");
        }
    }

    private (string Address, int Port)[] Endpoints(string ns, string service, string port, string family) =>
    [
        .. from slice in cluster.Slices(ns, service)
           where (string?)slice["addressType"] == family
           from p in slice["ports"]?.AsArray() ?? []
           where (string?)p!["name"] == port
           from endpoint in slice["endpoints"]!.AsArray()
           where (bool?)endpoint!["conditions"]?["ready"] != false
           select ((string)endpoint["addresses"]![0]!, (int)p["port"]!),
    ];
}
