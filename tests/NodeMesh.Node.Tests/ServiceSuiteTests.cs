using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>
/// The cases of Kubernetes' own end-to-end tests about services (sig-network: "Services", "Networking", "EndpointSlice", "Connectivity Pod Lifecycle") that one node
/// can show, with the agent in kube-proxy's place and beside it. Asked are cluster addresses of both families, by a pod and by a process of the node.
/// </summary>
[TestFixture(true)]
[TestFixture(false)]
public sealed class ServiceSuiteTests(bool replacesKubeProxy)
{
    private const string Vip = "10.96.2.1", Vip6 = "fd00:96:2::1", OtherVip = "10.96.2.2", OtherVip6 = "fd00:96:2::2";
    private static readonly string[] s_both = ["web-tcp:80:80:TCP", "web-udp:80:80:UDP"];
    private static readonly string[] s_served = ["tcp:80", "udp:80", "tcp:81"];

    private Cluster _cluster = null!;
    private ClusterPod _client = null!;
    private Agnhost _host = null!;
    private Agnhost _outside = null!;
    private readonly List<ClusterPod> _servers = [];

    [OneTimeSetUp]
    public async Task StartMesh()
    {
        _cluster = await Cluster.StartAsync("--kube-proxy-replacement", replacesKubeProxy ? "true" : "false");
        if (!replacesKubeProxy)
            _cluster.KubeProxy = new KubeProxy(_cluster);
        _cluster.PutNamespace("e2e");
        _client = _cluster.StartPod("e2e", "client", []);
        // A node answers datagrams from the address that is nearest to the client, so there, too, servers on the node's network bind the one that they are asked at.
        _host = Agnhost.StartOn(_cluster.Box, "host", "tcp:10180", $"udp:10180@{NodeBox.NodeAddress}", $"udp:10180@{NodeBox.NodeAddress6}");
        _outside = Agnhost.StartOutside(_cluster.Box);
    }

    [OneTimeTearDown]
    public async Task EndMesh()
    {
        _host?.Dispose();
        _outside?.Dispose();
        await _cluster.DisposeAsync();
    }

    [TearDown]
    public void EndServices()
    {
        _cluster.DeletePolicies();
        foreach (var service in _cluster.Api.Store.List("services", "e2e", "").Objects)
            _cluster.DeleteService("e2e", (string)service["metadata"]!["name"]!);
        foreach (var server in _servers)
            _cluster.Remove(server);
        _servers.Clear();
    }

    private Agnhost[] Inside => [_client.Agnhost!, _host];

    private ClusterPod StartServer(string name, string hostPort = "")
    {
        var pod = _cluster.StartPod("e2e", name, s_served, ",'app':'web'", hostPort);
        _servers.Add(pod);
        return pod;
    }

    private void StopServer(ClusterPod pod)
    {
        _servers.Remove(pod);
        _cluster.Remove(pod);
    }

    private void PutService(string[] ports, string more = "", string labels = "", string selector = "'app':'web'") =>
        _cluster.PutService("e2e", "web", Vip, ports, selector, more, Vip6, labels);

    [Test]
    public void Basic_endpoint_from_pods_and_refusal_without([Values("tcp", "udp")] string protocol)
    {
        PutService(s_both);
        Refuses(protocol);
        var one = StartServer("one");
        Serves(protocol, "one");
        var two = StartServer("two");
        Serves(protocol, "one", "two");
        StopServer(one);
        Serves(protocol, "two");
        StopServer(two);
        Refuses(protocol);
    }

    [Test]
    public void Ports_are_added_and_deleted_and_one_port_serves_different_protocols()
    {
        StartServer("one");
        PutService(s_both);
        Serves("tcp", "one");
        Serves("udp", "one");
        PutService([s_both[0], "more:8081:81:TCP"]);
        Serves("tcp", 8081, "one");
        Serves("tcp", "one");
        IsNotServed("udp", 80);
        PutService([s_both[1]]);
        Serves("udp", "one");
        IsNotServed("tcp", 80);
        IsNotServed("tcp", 8081);
    }

    [Test]
    public void Services_go_up_and_down_and_up_again_at_the_same_address()
    {
        StartServer("one");
        PutService(s_both);
        Serves("tcp", "one");
        _cluster.DeleteService("e2e", "web");
        IsNotServed("tcp", 80);
        PutService(s_both);
        Serves("tcp", "one");
    }

    /// <summary>"multiple endpoint IPs" and "multiple ports specified in multiple EndpointSlices".</summary>
    [Test]
    public void Endpoints_of_several_slices_without_a_selector()
    {
        var one = StartServer("one");
        var two = StartServer("two");
        PutService(["first:80:0:TCP", "second:81:0:TCP"], selector: "");
        _cluster.PutSlice("e2e", "web", "web-a", "IPv4", "[{'name':'first','port':80,'protocol':'TCP'}]", $"{{'addresses':['{one.Address}']}}");
        _cluster.PutSlice("e2e", "web", "web-b", "IPv4", "[{'name':'second','port':81,'protocol':'TCP'}]", $"{{'addresses':['{one.Address}']}}");
        _cluster.PutSlice("e2e", "web", "web-c", "IPv4", "[{'name':'first','port':80,'protocol':'TCP'}]", $"{{'addresses':['{two.Address}'],'conditions':{{'ready':true}} }}");
        _cluster.KubeProxy?.Sync();
        Answers(Inside, "tcp", Vip, 80, "one", "two");
        Answers(Inside, "tcp", Vip, 81, "one");
    }

    [Test]
    public void Several_services_with_the_same_selector_and_one_is_deleted()
    {
        StartServer("one");
        PutService(s_both);
        _cluster.PutService("e2e", "second", OtherVip, s_both, "'app':'web'", address6: OtherVip6);
        Answers(Inside, "udp", OtherVip, 80, "one");
        Serves("udp", "one");
        _cluster.DeleteService("e2e", "second");
        IsNotServed("udp", 80, OtherVip);
        Serves("udp", "one");
    }

    [Test]
    public void A_client_is_seen_under_its_own_address_and_a_pod_reaches_itself([Values("tcp", "udp", "bigudp")] string protocol)
    {
        var one = StartServer("one");
        PutService(s_both);
        Serves(protocol, "one");
        Assert.That(_client.Ask(protocol, Vip, 80), Is.EqualTo($"one as {_client.Address}"));
        Assert.That(_client.Ask(protocol, Vip6, 80), Is.EqualTo($"one as {_client.Address6}"));
        Answers([one.Agnhost!], protocol, Vip, 80, "one");
        Answers([one.Agnhost!], protocol, Vip6, 80, "one");
    }

    [Test]
    public void Node_ports_with_one_number_for_both_protocols_and_changes_of_type()
    {
        var one = StartServer("one");
        StartServer("two");
        PutService(["web-tcp:80:80:TCP:30180", "web-udp:80:80:UDP:30180"], ",'type':'NodePort'");
        foreach (var protocol in (string[])["tcp", "udp"])
        {
            Answers([.. Inside, one.Agnhost!, _outside], protocol, NodeBox.NodeAddress, 30180, "one", "two");
            Answers([.. Inside, one.Agnhost!, _outside], protocol, NodeBox.NodeAddress6, 30180, "one", "two");
            Serves(protocol, "one", "two");
        }

        PutService(s_both, ",'type':'ClusterIP'");
        foreach (var protocol in (string[])["tcp", "udp"])
        {
            IsNotServed(protocol, 30180, NodeBox.NodeAddress);
            Serves(protocol, "one", "two");
        }

        _cluster.Api.Put("services", Cluster.Json("{'metadata':{'name':'web','namespace':'e2e'},'spec':{'type':'ExternalName','externalName':'foo.example.com','ports':[{'name':'web-tcp','port':80,'targetPort':80,'protocol':'TCP'}]}}"));
        _cluster.KubeProxy?.Sync();
        IsNotServed("tcp", 80);
        PutService(s_both);
        Serves("tcp", "one", "two");
    }

    [Test]
    public void An_external_IP_that_is_no_node_s()
    {
        StartServer("one");
        PutService(s_both, ",'externalIPs':['203.0.113.250']");
        foreach (var protocol in (string[])["tcp", "udp"])
        {
            Answers([.. Inside, _outside], protocol, "203.0.113.250", 80, "one");
            Serves(protocol, "one");
        }
    }

    [Test]
    public void Unready_and_terminating_endpoints_serve_only_where_they_are_published()
    {
        var one = StartServer("one");
        PutService(s_both);
        Serves("tcp", "one");
        _cluster.SetReady(one, false);
        Refuses("tcp");
        PutService(s_both, ",'publishNotReadyAddresses':true");
        Serves("tcp", "one");
        _cluster.Terminate(one);
        Serves("tcp", "one");
        PutService(s_both);
        Refuses("tcp");
    }

    [Test]
    public void Blue_gives_way_to_green_as_their_readiness_says()
    {
        var blue = StartServer("blue");
        var green = StartServer("green");
        PutService(s_both);
        _cluster.SetReady(green, false);
        Serves("tcp", "blue");
        _cluster.SetReady(green, true);
        _cluster.SetReady(blue, false);
        Serves("tcp", "green");
    }

    [Test]
    public void A_terminating_pod_is_reached_and_reaches_others_until_it_ends()
    {
        var one = StartServer("one");
        var two = StartServer("two");
        _cluster.PutPolicy("e2e", "known-only", "{'podSelector':{'matchLabels':{'app':'web'}},'policyTypes':['Ingress'],'ingress':[{'from':[{'podSelector':{'matchLabels':{'app':'web'}}}]}]}");
        Eventually.True(() => !_client.Ask("tcp", two.Address, 80, isBrief: true).StartsWith("two", StringComparison.Ordinal), "the policy is in force");
        _cluster.Terminate(one);
        _cluster.Terminate(two);
        PutService(s_both);
        Answers([two.Agnhost!], "tcp", Vip, 80, "one", "two");
        Assert.That(one.Ask("tcp", two.Address, 80), Is.EqualTo($"two as {one.Address}"));
        Assert.That(_client.Ask("tcp", two.Address, 80, isBrief: true), Does.Not.StartWith("two"));
    }

    [Test]
    public void Services_of_another_proxy_and_headless_by_label_are_left_alone([Values("service-proxy-name", "headless")] string label)
    {
        StartServer("one");
        PutService(s_both);
        Serves("tcp", "one");
        PutService(s_both, labels: $"'service.kubernetes.io/{label}':'foo'");
        IsNotServed("tcp", 80);
        PutService(s_both);
        Serves("tcp", "one");
    }

    [Test]
    public void Session_affinity_is_switched_on_and_off()
    {
        foreach (var name in (string[])["one", "two", "three"])
            StartServer(name);
        PutService(s_both, ",'sessionAffinity':'ClientIP','sessionAffinityConfig':{'clientIP':{'timeoutSeconds':10800}}");
        Eventually.True(() => Names(_client.Agnhost!, "tcp", Vip, 80).Distinct().Count() == 1 && Names(_client.Agnhost!, "udp", Vip, 80).Distinct().Count() == 1, "one backend for the client");
        PutService(s_both, ",'sessionAffinity':'None'");
        Serves("tcp", "one", "three", "two");
        PutService(s_both, ",'sessionAffinity':'ClientIP','sessionAffinityConfig':{'clientIP':{'timeoutSeconds':10800}}");
        Eventually.True(() => Names(_client.Agnhost!, "tcp", Vip, 80).Distinct().Count() == 1, "one backend for the client again");
    }

    [Test]
    public void Endpoints_on_the_node_s_network([Values("tcp", "udp", "bigudp")] string protocol)
    {
        PutService(["web-tcp:80:10180:TCP", "web-udp:80:10180:UDP"], selector: "");
        const string Ports = "[{'name':'web-tcp','port':10180,'protocol':'TCP'},{'name':'web-udp','port':10180,'protocol':'UDP'}]";
        _cluster.PutSlice("e2e", "web", "web-a", "IPv4", Ports, $"{{'addresses':['{NodeBox.NodeAddress}'],'nodeName':'{NodeBox.NodeName}'}}");
        _cluster.PutSlice("e2e", "web", "web-b", "IPv6", Ports, $"{{'addresses':['{NodeBox.NodeAddress6}'],'nodeName':'{NodeBox.NodeName}'}}");
        _cluster.KubeProxy?.Sync();
        Serves(protocol, "host");
    }

    /// <summary>"should be able to preserve UDP traffic when server pod cycles": the client's port stays the same.</summary>
    [Test]
    public void Udp_from_one_port_finds_the_next_pod_when_its_server_cycles()
    {
        PutService(s_both);
        Refuses("udp");
        foreach (var name in (string[])["one", "two", "three"])
        {
            var server = StartServer(name);
            foreach (var (agnhost, port) in (IEnumerable<(Agnhost, int)>)[(_client.Agnhost!, 12345), (_host, 12346)])
                foreach (var address in (string[])[Vip, Vip6])
                    Eventually.True(() => agnhost.Ask("udp", address, 80, port, isBrief: true).StartsWith(name + " ", StringComparison.Ordinal), $"{name} answers at {address}");
            StopServer(server);
        }
    }

    /// <summary>"no conflict between pods with same hostPort but different hostIP and protocol": the network plugin's portmap serves them where the agent is not in kube-proxy's place.</summary>
    [Test]
    public void One_host_port_of_pods_with_different_hostIP_and_protocol()
    {
        StartServer("one", ",'hostPort':54323,'hostIP':'127.0.0.1'");
        StartServer("two", $",'hostPort':54323,'hostIP':'{NodeBox.NodeAddress}'");
        _servers.Add(_cluster.StartPod("e2e", "three", ["udp:80", "tcp:80"], "", $",'hostPort':54323,'hostIP':'{NodeBox.NodeAddress}'"));
        Answers([_host], "tcp", "127.0.0.1", 54323, "one");
        Answers([_host, _client.Agnhost!], "tcp", NodeBox.NodeAddress, 54323, "two");
        Answers([_host, _client.Agnhost!], "udp", NodeBox.NodeAddress, 54323, "three");
        var bound = _cluster.Box.Node.Run("sh", "-c", $"socat -T 20 - TCP4:127.0.0.1:54323,bind={NodeBox.NodeAddress}");
        Assert.That(bound.Output, Does.StartWith("one as "), bound.Errors);
    }

    /// <summary>Services by SCTP are kube-proxy's, and nothing of the agent's is in their way; policies judge it everywhere, by the pod that was reached.</summary>
    [Test]
    public void Sctp_is_judged_by_policy_and_services_of_it_are_left_to_kube_proxy()
    {
        var one = _cluster.StartPod("e2e", "one", ["sctp:80", "sctp:81"], ",'app':'web'");
        _servers.Add(one);
        PutService(["web-sctp:80:80:SCTP", "more-sctp:81:81:SCTP"]);
        var served = replacesKubeProxy ? [one.Address] : new[] { one.Address, Vip };
        foreach (var address in served)
            foreach (var port in (int[])[80, 81])
                Eventually.True(() => _client.Ask("sctp", address, port, isBrief: true) == $"one as {_client.Address}", $"{address} answers at {port}");
        Only("client");
        foreach (var address in served)
        {
            Eventually.True(() => _client.Ask("sctp", address, 80, isBrief: true) == "TIMEOUT", $"{address} is closed at 80");
            Assert.That(_client.Ask("sctp", address, 81), Is.EqualTo($"one as {_client.Address}"), $"{address} at 81");
        }

        Only("another");
        Eventually.True(() => served.All(a => _client.Ask("sctp", a, 81, isBrief: true) == "TIMEOUT"), "closed to other pods");

        void Only(string pod) => _cluster.PutPolicy("e2e", "sctp",
            $"{{'podSelector':{{'matchLabels':{{'app':'web'}}}},'policyTypes':['Ingress'],'ingress':[{{'from':[{{'podSelector':{{'matchLabels':{{'pod':'{pod}'}}}}}}],'ports':[{{'port':81,'protocol':'SCTP'}}]}}]}}");
    }

    private void Serves(string protocol, params string[] names) => Serves(protocol, 80, names);

    private void Serves(string protocol, int port, params string[] names)
    {
        Answers(Inside, protocol, Vip, port, names);
        Answers(Inside, protocol, Vip6, port, names);
    }

    /// <summary>Each of them is answered every time, and by all of <paramref name="names"/>.</summary>
    private static void Answers(Agnhost[] askers, string protocol, string address, int port, params string[] names)
    {
        foreach (var (asker, i) in askers.Select((a, i) => (a, i)))
        {
            string[] last = [];
            try
            {
                Eventually.True(() => (last = Names(asker, protocol, address, port)).Distinct().Order(StringComparer.Ordinal).SequenceEqual(names.Order(StringComparer.Ordinal)), "all answer");
            }
            catch (TimeoutException)
            {
                Assert.Fail($"asker {i}, {protocol} {address} {port}: expected {string.Join(", ", names)}, but {string.Join(", ", last)}");
            }
        }
    }

    /// <summary>Who answered in a round of questions, or what came in place of an answer.</summary>
    private static string[] Names(Agnhost asker, string protocol, string address, int port) =>
        [.. Task.WhenAll(Enumerable.Range(0, 12).Select(_ => asker.AskAsync(protocol, address, port, isBrief: true))).GetAwaiter().GetResult().Select(a => a.Split(' ')[0])];

    /// <summary>As a connection to a port where nobody listens.</summary>
    private void Refuses(string protocol)
    {
        foreach (var asker in Inside)
            foreach (var address in (string[])[Vip, Vip6])
                Eventually.True(() => Names(asker, protocol, address, 80).All(n => n == "REFUSED"), $"{address} refuses {protocol}");
    }

    private void IsNotServed(string protocol, int port, params string[] addresses)
    {
        var asked = addresses.Length > 0 ? addresses : [Vip, Vip6];
        Eventually.True(() => Task.WhenAll(Inside.SelectMany(i => asked.Select(a => i.AskAsync(protocol, a, port, isBrief: true)))).GetAwaiter().GetResult()
            .All(a => a is "REFUSED" or "RESET" or "DENIED" or "TIMEOUT"), $"{protocol} {port} is not served at {string.Join(", ", asked)}");
    }
}
