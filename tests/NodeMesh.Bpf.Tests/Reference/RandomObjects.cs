using System.Text.Json.Nodes;

namespace NodeMesh.Bpf.Tests.Reference;

/// <summary>Small clusters in which much overlaps: few labels, nested blocks, touching port ranges, ports of one name and several numbers.</summary>
internal sealed class RandomObjects(Random random)
{
    public const int MaxPods = 8;

    public static readonly string[] NodeAddresses = ["192.168.0.1", "fd00:1::1"];

    public static readonly string[] Outside = ["192.168.0.2", "fd00:1::2", "192.168.0.3", "10.0.0.200", "10.0.1.9", "172.16.3.4", "8.8.8.8", "fd00:2::99", "2001:db8::1"];

    private static readonly int[] s_ports = [1, 53, 79, 80, 81, 443, 1023, 1024, 8000, 8079, 8080, 8081, 8100, 8101, 30000];

    private static readonly string[] s_blocks =
        ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.0/29", "10.0.0.3/32", "192.168.0.0/24", "172.16.0.0/12", "::/0", "fd00:2::/64", "fd00:2::2/127"];

    /// <summary>Questions, not answers or errors; neighbour and listener discovery is not policy's.</summary>
    private static readonly int[] s_types = [8, 13, 15], s_types6 = [128, 139, 144];

    private static readonly string[] s_namespaces = ["a", "b", "c"];

    public List<JsonObject> Next()
    {
        List<JsonObject> documents =
        [
            .. s_namespaces.Select(n => Named("v1", "Namespace", n, null, [("labels", Labels("team"))])),
            Named("v1", "Namespace", "default", null),
            Node(Objects.ThisNode, NodeAddresses),
            Node("there", Outside[..2]),
            Node("yonder", ["192.168.0.3"]),
            .. Enumerable.Range(1, random.Next(3, MaxPods + 1)).Select(Pod),
        ];
        documents.AddRange(Services());
        documents.AddRange(Enumerable.Range(0, random.Next(7)).Select(Policy));
        return documents;
    }

    private static JsonObject Named(string apiVersion, string kind, string name, string? ns, params (string, JsonNode)[] metadata)
    {
        var meta = new JsonObject { ["name"] = name };
        if (ns is not null)
            meta["namespace"] = ns;
        foreach (var (field, value) in metadata)
            meta[field] = value;
        return new JsonObject { ["apiVersion"] = apiVersion, ["kind"] = kind, ["metadata"] = meta };
    }

    private JsonObject Node(string name, string[] addresses)
    {
        var node = Named("v1", "Node", name, null, ("labels", Labels("zone")));
        node["status"] = new JsonObject { ["addresses"] = List(addresses.Select(a => new JsonObject { ["type"] = "InternalIP", ["address"] = a })) };
        return node;
    }

    private JsonObject Pod(int number)
    {
        // The first is always one to judge for.
        var here = number == 1 || random.Next(3) > 0;
        var hostNetwork = number > 1 && random.Next(12) == 0;
        string[] addresses = hostNetwork ? here ? NodeAddresses : Outside[..2]
            : random.Next(2) == 0 ? [$"10.0.0.{number}", $"fd00:2::{number}"] : [$"10.0.0.{number}"];
        var pod = Named("v1", "Pod", $"p{number}", Pick(s_namespaces), ("labels", Labels("app", "tier")));
        if (here)
            pod["metadata"]!["annotations"] = new JsonObject { ["nodemesh.io/host-interface"] = $"v{number}" };
        pod["spec"] = new JsonObject { ["nodeName"] = here ? Objects.ThisNode : "there", ["hostNetwork"] = hostNetwork, ["containers"] = Containers() };
        pod["status"] = new JsonObject { ["phase"] = number > 1 && random.Next(12) == 0 ? "Succeeded" : "Running", ["podIPs"] = List(addresses.Select(a => new JsonObject { ["ip"] = a })) };
        return pod;
    }

    private JsonArray Containers() => List(Enumerable.Range(0, random.Next(1, 3)).Select(n => new JsonObject
    {
        ["name"] = $"c{n}",
        ["ports"] = List(((string[])["web", "dns"]).Where(_ => random.Next(2) == 0).Select(name => new JsonObject
        {
            ["name"] = $"{name}{(n == 0 ? "" : "2")}",
            ["containerPort"] = Pick(80, 8080, 53),
            ["protocol"] = Pick("TCP", "UDP", "SCTP"),
        })),
    }));

    /// <summary>The API server's, with its endpoints, and one over pods.</summary>
    private IEnumerable<JsonObject> Services()
    {
        if (random.Next(2) == 0)
        {
            var server = Named("v1", "Service", "kubernetes", "default");
            server["spec"] = new JsonObject { ["clusterIP"] = "10.96.0.1", ["ports"] = new JsonArray(new JsonObject { ["port"] = 443 }) };
            yield return server;
            var slice = Named("discovery.k8s.io/v1", "EndpointSlice", "kubernetes", "default", ("labels", new JsonObject { ["kubernetes.io/service-name"] = "kubernetes" }));
            slice["addressType"] = "IPv4";
            slice["ports"] = new JsonArray(new JsonObject { ["port"] = 443 });
            slice["endpoints"] = new JsonArray(new JsonObject { ["addresses"] = new JsonArray(Pick("172.16.3.4", "192.168.0.2")) });
            yield return slice;
        }

        var service = Named("v1", "Service", "svc", Pick(s_namespaces));
        var port = new JsonObject { ["port"] = 80, ["protocol"] = Pick("TCP", "UDP") };
        if (random.Next(4) > 0)
            port["targetPort"] = random.Next(2) == 0 ? Pick("web", "dns") : Pick(80, 8080, 53);
        service["spec"] = new JsonObject { ["clusterIPs"] = new JsonArray("10.96.0.9", "fd96::9"), ["ipFamilyPolicy"] = "RequireDualStack", ["ports"] = new JsonArray(port) };
        service["spec"]!["clusterIP"] = "10.96.0.9";
        service["spec"]!["selector"] = new JsonObject { ["app"] = Pick("x", "y", "z") };
        yield return service;
    }

    private JsonObject Policy(int number) => random.Next(5) switch
    {
        0 => TierPolicy($"policy{number}", Pick("Admin", "Baseline")),
        1 => Policy("networking.k8s.io/v1", "NetworkPolicy", $"policy{number}", Pick(s_namespaces)),
        2 => Policy("nodemesh.io/v1alpha1", "MeshPolicy", $"policy{number}", Pick(s_namespaces)),
        _ => Policy("nodemesh.io/v1alpha1", "ClusterMeshPolicy", $"policy{number}", null),
    };

    private JsonObject Policy(string apiVersion, string kind, string name, string? ns)
    {
        var isMesh = kind != "NetworkPolicy";
        var policy = Named(apiVersion, kind, name, ns);
        var spec = new JsonObject { ["podSelector"] = Selector("app", "tier") };
        if (kind == "ClusterMeshPolicy" && random.Next(2) == 0)
            spec["namespaceSelector"] = NamespaceSelector();
        foreach (var direction in (string[])["ingress", "egress"])
            if (random.Next(4) > 0)
                spec[direction] = List(Enumerable.Range(0, random.Next(3)).Select(_ => Rule(isMesh, direction == "ingress" ? "from" : "to")));
        if (isMesh && random.Next(4) == 0)
            spec["action"] = Pick("Audit", "Audit", "Enforce");
        if (random.Next(isMesh ? 4 : 2) == 0)
            spec["policyTypes"] = List(Pick<string[]>(["Ingress"], ["Egress"], ["Ingress", "Egress"]).Select(t => JsonValue.Create(t)));
        policy["spec"] = spec;
        return policy;
    }

    private JsonObject Rule(bool isMesh, string peers)
    {
        var rule = new JsonObject();
        if (isMesh && random.Next(3) == 0)
            rule["action"] = Pick("Deny", "Deny", "Allow");
        if (random.Next(4) > 0)
            rule[peers] = List(Enumerable.Range(0, random.Next(3)).Select(_ => Peer(isMesh)));
        var byRequest = isMesh && random.Next(6) == 0;
        if (isMesh && !byRequest && peers == "to" && random.Next(4) == 0)
            rule["toServices"] = new JsonArray(new JsonObject { ["name"] = "svc", ["namespace"] = Pick(s_namespaces) });
        if (random.Next(3) > 0)
            rule["ports"] = List(Enumerable.Range(0, random.Next(3)).Select(_ => isMesh && !byRequest && random.Next(3) == 0 ? Message() : Port(byRequest)));
        if (byRequest)
            rule["http"] = new JsonArray(new JsonObject { ["methods"] = new JsonArray(Pick("GET", "POST")) });
        return rule;
    }

    private JsonObject Peer(bool isMesh) => random.Next(isMesh ? 5 : 4) switch
    {
        0 => new JsonObject { ["podSelector"] = Selector("app", "tier") },
        1 => new JsonObject { ["podSelector"] = Selector("tier", "app"), ["namespaceSelector"] = NamespaceSelector() },
        2 => new JsonObject { ["namespaceSelector"] = NamespaceSelector() },
        3 => new JsonObject { ["ipBlock"] = Block() },
        _ => new JsonObject { ["entity"] = Pick("host", "remote-node", "cluster", "world", "all", "kube-apiserver") },
    };

    private JsonObject Block()
    {
        var cidr = Pick(s_blocks);
        var block = new JsonObject { ["cidr"] = cidr };
        var length = int.Parse(cidr.Split('/')[1], System.Globalization.CultureInfo.InvariantCulture);
        var inside = s_blocks.Where(b => int.Parse(b.Split('/')[1], System.Globalization.CultureInfo.InvariantCulture) > length && Objects.InBlock(cidr, b.Split('/')[0])).ToArray();
        if (inside.Length > 0 && random.Next(2) == 0)
            block["except"] = List(random.GetItems(inside, random.Next(1, 3)).Distinct().Select(b => JsonValue.Create(b)));
        return block;
    }

    private JsonObject Port(bool tcpOnly)
    {
        var port = new JsonObject();
        if (random.Next(3) > 0)
            port["protocol"] = tcpOnly ? "TCP" : Pick("TCP", "UDP", "SCTP");
        switch (random.Next(6))
        {
            case 0:
                break;
            case 1:
                port["port"] = Pick("web", "dns", "web2");
                break;
            case 2:
                var first = Pick(1, 80, 8000);
                port["port"] = first;
                port["endPort"] = Math.Max(first, Pick(80, 1023, 1024, 8080, 8100, 65535));
                break;
            default:
                port["port"] = Pick(s_ports);
                break;
        }

        return port;
    }

    /// <summary>What NetworkPolicy cannot name: ICMP, and protocols by number.</summary>
    private JsonObject Message()
    {
        if (random.Next(3) == 0)
            return new JsonObject { ["protocol"] = Pick(1, 47, 50, 58, 6, 17) };
        var protocol = Pick("ICMP", "ICMPv6");
        var message = new JsonObject { ["protocol"] = protocol };
        if (random.Next(3) > 0)
        {
            message["icmpType"] = random.Next(2) == 0 ? "EchoRequest" : Pick(protocol == "ICMP" ? s_types : s_types6);
            if (random.Next(3) == 0)
                message["icmpCode"] = random.Next(2);
        }

        return message;
    }

    private JsonObject TierPolicy(string name, string tier)
    {
        var policy = Named("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", name, null);
        var spec = new JsonObject { ["tier"] = tier, ["priority"] = random.Next(3), ["subject"] = TierPods() };
        foreach (var direction in (string[])["ingress", "egress"])
            if (random.Next(3) > 0)
                spec[direction] = List(Enumerable.Range(0, random.Next(1, 4)).Select(_ => TierRule(direction == "egress")));
        policy["spec"] = spec;
        return policy;
    }

    private JsonObject TierRule(bool egress)
    {
        var rule = new JsonObject { ["action"] = Pick("Accept", "Deny", "Pass") };
        var byName = random.Next(5) == 0;
        rule[egress ? "to" : "from"] = List(Enumerable.Range(0, random.Next(1, 3)).Select(_ => egress && !byName && random.Next(2) == 0 ? TierPlace() : TierPods()));
        if (byName)
            rule["protocols"] = new JsonArray(new JsonObject { ["destinationNamedPort"] = Pick("web", "dns") });
        else if (random.Next(2) == 0)
            rule["protocols"] = List(Enumerable.Range(0, random.Next(1, 3)).Select(_ => TierPort()));
        return rule;
    }

    private JsonObject TierPods() => random.Next(2) == 0
        ? new JsonObject { ["namespaces"] = NamespaceSelector() }
        : new JsonObject { ["pods"] = new JsonObject { ["namespaceSelector"] = NamespaceSelector(), ["podSelector"] = Selector("app", "tier") } };

    private JsonObject TierPlace() => random.Next(2) == 0
        ? new JsonObject { ["nodes"] = Selector("zone", "zone") }
        : new JsonObject { ["networks"] = List(random.GetItems(s_blocks, random.Next(1, 3)).Distinct().Select(b => JsonValue.Create(b))) };

    private JsonObject TierPort()
    {
        var first = Pick(1, 80, 8000);
        JsonObject port = random.Next(2) == 0
            ? new JsonObject { ["number"] = Pick(s_ports) }
            : new JsonObject { ["range"] = new JsonObject { ["start"] = first, ["end"] = first + Pick(1, 80, 1023) } };
        return new JsonObject { [Pick("tcp", "udp", "sctp")] = new JsonObject { ["destinationPort"] = port } };
    }

    private JsonObject NamespaceSelector() => random.Next(4) == 0
        ? new JsonObject { ["matchLabels"] = new JsonObject { ["kubernetes.io/metadata.name"] = Pick(s_namespaces) } }
        : Selector("team", "team");

    private JsonObject Selector(string key, string other) => random.Next(6) switch
    {
        0 => new JsonObject(),
        1 => new JsonObject { ["matchLabels"] = new JsonObject { [key] = "x" } },
        2 => Expressions(Expression(key, "NotIn", "x", "y")),
        3 => Expressions(Expression(other, "Exists")),
        4 => Expressions(Expression(key, "In", "y", "z"), Expression(other, "DoesNotExist")),
        _ => new JsonObject { ["matchLabels"] = new JsonObject { [other] = "y" }, ["matchExpressions"] = new JsonArray(Expression(key, "In", "x", "y")) },
    };

    private static JsonObject Expressions(params JsonObject[] all) => new() { ["matchExpressions"] = List(all) };

    private static JsonObject Expression(string key, string @operator, params string[] values)
    {
        var expression = new JsonObject { ["key"] = key, ["operator"] = @operator };
        if (values.Length > 0)
            expression["values"] = List(values.Select(v => JsonValue.Create(v)));
        return expression;
    }

    private JsonObject Labels(params string[] keys)
    {
        var labels = new JsonObject();
        foreach (var key in keys)
            if (random.Next(3) > 0)
                labels[key] = Pick("x", "y", "z");
        return labels;
    }

    private T Pick<T>(params T[] of) => of[random.Next(of.Length)];

    private static JsonArray List(IEnumerable<JsonNode?> entries) => new([.. entries]);

    /// <summary>Between pods, and between a pod of this node and anybody else, but not the node itself.</summary>
    public Traffic NextTraffic(Objects objects)
    {
        var local = objects.Pods.Where(IsLocal).SelectMany(Objects.Addresses).ToArray();
        var own = Pick(local);
        var others = objects.Pods.SelectMany(Objects.Addresses).Concat(Outside).Where(a => a != own && a.Contains(':') == own.Contains(':')).ToArray();
        var (from, to) = random.Next(2) == 0 ? (own, Pick(others)) : (Pick(others), own);
        var icmp = own.Contains(':') ? Packet.ProtoIcmp6 : Packet.ProtoIcmp;
        var protocol = Pick(Packet.ProtoTcp, Packet.ProtoTcp, Packet.ProtoTcp, Packet.ProtoUdp, Packet.ProtoUdp, Packet.ProtoSctp, icmp, (byte)47);
        var port = protocol == 47 ? 0 : protocol == icmp ? Pick(icmp == Packet.ProtoIcmp ? s_types : s_types6) << 8 | random.Next(2) : Pick(s_ports);
        return new Traffic(from, to, protocol, (ushort)port);
    }

    public static bool IsLocal(JsonObject pod) => pod["metadata"]?["annotations"]?["nodemesh.io/host-interface"] is not null;
}
