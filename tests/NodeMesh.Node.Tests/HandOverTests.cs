using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Every condition under which handing a connection to the proxy and getting it back can break.</summary>
public sealed class HandOverTests
{
    private NodeBox _box = null!;
    private PodBox _client = null!;
    private PodBox _server = null!;
    private AgentProcess _agent = null!;

    [SetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        _client = _box.AddPod("client");
        _server = _box.AddServer("server");
        _box.WriteConfig("svc.yaml", Manifests.Service("web", "app: server", "10.96.0.10", "http:80:80", vip6: "fd00:96::10"));
        _box.WriteConfig("route.yaml", Manifests.Route("web", "web", "web", 80));
        _agent = _box.StartAgent().MustBeReady();
    }

    [TearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [TestCase("10.96.0.10")]
    [TestCase("[fd00:96::10]")]
    public void A_source_port_used_again_at_once_is_served(string host)
    {
        // The client holds its end open until the proxy has closed, whose side is then in TIME_WAIT.
        var ask = Path.Combine(_box.WorkDir, "ask");
        File.WriteAllText(ask, @"printf 'GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n'; cat >&2");
        for (var i = 0; i < 12; i++)
        {
            var answer = _client.Netns.Run("socat", "-T", "20", $"TCP:{host}:80,sourceport=45000,reuseaddr,connect-timeout=20", $"EXEC:sh {ask}");
            Assert.That(answer.Errors, Does.StartWith("HTTP/1.1 200"), $"try {i}");
        }
    }

    [TestCase("10.96.0.10")]
    [TestCase("[fd00:96::10]")]
    public void Syn_cookies_do_not_lose_the_handshake(string host)
    {
        _box.Node.Script("sysctl -qw net.ipv4.tcp_syncookies=2").MustSucceed("sysctl");
        for (var i = 0; i < 5; i++)
            Assert.That(_client.Netns.Curl($"http://{host}/").Status, Is.EqualTo(200));
    }

    [TestCase(0)]
    [TestCase(1)]
    public void Src_valid_mark_does_not_stop_marked_packets(int reversePathFilter)
    {
        _box.Node.Script($"sysctl -qw net.ipv4.conf.all.src_valid_mark=1 net.ipv4.conf.all.rp_filter={reversePathFilter}").MustSucceed("sysctl");
        Assert.That(_client.Netns.Curl("http://10.96.0.10/").Status, Is.EqualTo(200));
    }

    [Test]
    public void A_pod_cannot_use_the_proxys_source_ports_toward_its_backends()
    {
        Assert.That(_client.Netns.Curl($"http://{_server.Address}/", "--local-port", "61500", "-m", "1").Status, Is.Zero);
        Assert.That(_client.Netns.Curl($"http://{_server.Address}/", "--local-port", "50500").Status, Is.EqualTo(200));
        Assert.That(_agent.Metric("nodemesh_datapath_drops_total{reason=\"reserved_port\""), Is.GreaterThan(0));
    }

    [Test]
    public void A_pod_cannot_dial_the_proxys_listener()
    {
        Assert.That(_client.Netns.Curl("http://10.244.0.1:15001/", "-m", "1").Status, Is.Zero);
        Assert.That(_client.Netns.Curl($"http://{NodeBox.NodeAddress}:15001/", "-m", "1").Status, Is.Zero);
        Assert.That(_box.Node.Curl("http://127.0.0.1:15001/", "-m", "1").Status, Is.Zero, "a process of the node gets no service from it either");
    }

    [Test]
    public void Path_mtu_of_the_proxys_own_connections_is_learned_from_icmp()
    {
        // client - proxy - outside (router) - far, whose link is narrower: the error is addressed to the client's address.
        var far = new FarHost(_box);
        far.StartSink();
        _box.WriteConfig("far.yaml", $$"""
            apiVersion: v1
            kind: Service
            metadata: { name: far, namespace: default }
            spec:
              clusterIP: 10.96.0.70
              ports: [ { name: http, port: 80 } ]
            ---
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: { name: far-1, namespace: default, labels: { kubernetes.io/service-name: far } }
            addressType: IPv4
            ports: [ { name: http, port: 80, protocol: TCP } ]
            endpoints: [ { addresses: [ "{{FarHost.Address}}" ] } ]
            """);
        _box.WriteConfig("far-route.yaml", Manifests.Route("far", "far", "far", 80));
        Eventually.True(() => _client.Netns.Curl("http://10.96.0.70/").Status == 200, "the far backend answers small requests");

        var upload = _client.Netns.Curl("http://10.96.0.70/upload", "-X", "POST", "--data-binary", "@/proc/self/exe", "-H", "Expect:");

        Assert.That(upload.Status, Is.EqualTo(200), "large segments need the path MTU");
    }

    [Test]
    public void A_service_with_route_answers_while_its_only_backend_is_the_caller() =>
        Assert.That(_server.Netns.Curl("http://10.96.0.10/self").Body, Does.StartWith("server GET /self"));

    [Test]
    public void Egress_policy_of_the_caller_is_judged_against_the_backend_that_the_proxy_chose()
    {
        _box.WriteConfig("egress.yaml", """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: { name: only-dns, namespace: default }
            spec:
              podSelector: { matchLabels: { app: client } }
              policyTypes: [ Egress ]
              egress: [ { to: [ { podSelector: { matchLabels: { app: dns } } } ] } ]
            """);
        Eventually.True(() => _client.Netns.Curl("http://10.96.0.10/").Status == 403, "the routed service is refused by name of the pod behind it");
        _box.DeleteConfig("egress.yaml");
        Eventually.True(() => _client.Netns.Curl("http://10.96.0.10/").Status == 200, "and open again");
    }

    [Test]
    public void A_server_that_speaks_first_is_not_stalled_and_other_bytes_pass_untouched()
    {
        _server.Netns.StartServer(2525, "socat", "TCP-LISTEN:2525,fork,reuseaddr", "SYSTEM:echo 220 ready; cat");
        _box.WriteConfig("smtp.yaml", Manifests.Service("smtp", "app: server", "10.96.0.25", "any:25:2525"));
        _box.WriteConfig("smtp-route.yaml", Manifests.Route("smtp", "smtp", "smtp", 25));
        Eventually.True(() => _agent.Cli("services").Output.Contains("10.96.0.25", StringComparison.Ordinal), "the service is known");
        // A client that says nothing before it was greeted.
        var heard = Path.Combine(_box.WorkDir, "heard");
        _client.Netns.Script($$"""
            hears() { until grep -qs "$1" {{heard}}; do sleep 0.05; done; }
            (hears '220 ready'; echo HELO me; hears 'HELO me') | timeout 60 socat - TCP:10.96.0.25:25 > {{heard}}
            """);
        Assert.That(File.ReadAllText(heard), Does.StartWith("220 ready").And.Contain("HELO me"));
    }
}
