using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>L3/L4 policy in the kernel, with real connections.</summary>
public sealed class PolicyTests
{
    private NodeBox _box = null!;
    private PodBox _friend = null!;
    private PodBox _stranger = null!;
    private PodBox _server = null!;
    private AgentProcess _agent = null!;

    [SetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        _friend = _box.AddPod("friend");
        _stranger = _box.AddPod("stranger");
        _server = _box.AddServer("server");
        _agent = _box.StartAgent().MustBeReady();
    }

    [TearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [Test]
    public void Nothing_is_refused_without_a_policy()
    {
        Assert.That(_stranger.Netns.Curl($"http://{_server.Address}/").Status, Is.EqualTo(200));
        Assert.That(_box.Outside.Curl($"http://{_server.Address}/").Status, Is.EqualTo(200));
    }

    [Category("Kernels")]
    [Test]
    public void Default_deny_closes_and_an_allow_opens_for_its_peers_only_over_both_families()
    {
        _box.WriteConfig("p1.yaml", Manifests.DefaultDeny("Ingress"));
        _box.WriteConfig("p2.yaml", Manifests.AllowIngress("friends", "app: server", "app: friend", 80));
        foreach (var url in new[] { $"http://{_server.Address}/", $"http://[{_server.Address6}]/" })
        {
            Eventually.True(() => _stranger.Netns.Curl(url, "-m", "1").Status == 0, "the stranger is refused");
            Assert.That(_friend.Netns.Curl(url).Status, Is.EqualTo(200), "the friend passes");
            Eventually.True(() => _box.Outside.Curl(url, "-m", "1").Status == 0, "the world is refused");
            Assert.That(_box.Node.Curl(url).Status, Is.EqualTo(200), "the pod's own node passes");
        }

        Assert.That(_agent.Metric("nodemesh_datapath_drops_total{reason=\"default_deny\""), Is.GreaterThan(0));
        Assert.That(_agent.Metric("nodemesh_datapath_drops_total{reason=\"policy_denied\""), Is.Zero);
    }

    [Test]
    public void Egress_default_deny_closes_the_way_out_but_not_the_answers()
    {
        _box.WriteConfig("p.yaml", $$"""
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: { name: no-way-out, namespace: default }
            spec:
              podSelector: { matchLabels: { app: server } }
              policyTypes: [ Egress ]
            """);
        Eventually.True(() => _server.Netns.Curl($"http://{NodeBox.OutsideAddress}/", "-m", "2").CurlExit == 7, "the server cannot call out");
        Assert.That(_friend.Netns.Curl($"http://{_server.Address}/").Status, Is.EqualTo(200));
        Assert.That(_server.Netns.Run("ping", "-c1", "-W20", NodeBox.NodeAddress).ExitCode, Is.Zero, "its own node is always reachable");
    }

    [Category("Kernels")]
    [Test]
    public void An_explicit_deny_beats_an_allow_and_is_counted_as_such()
    {
        _box.WriteConfig("p1.yaml", Manifests.AllowIngress("friends", "app: server", "app: friend", 80));
        _box.WriteConfig("p2.yaml", """
            apiVersion: nodemesh.io/v1alpha1
            kind: MeshPolicy
            metadata: { name: deny-friend, namespace: default }
            spec:
              podSelector: { matchLabels: { app: server } }
              ingress:
              - action: Deny
                from: [ { podSelector: { matchLabels: { app: friend } } } ]
            """);
        Eventually.True(() => _friend.Netns.Curl($"http://{_server.Address}/", "-m", "1").Status == 0, "the friend is refused");
        Eventually.True(() => _agent.Metric("nodemesh_datapath_drops_total{reason=\"policy_denied\"") > 0, "the drop is counted");
    }

    [Test]
    public void A_live_connection_that_is_denied_now_is_cut()
    {
        // A reset would end it: silence shows that what is allowed again goes on.
        _agent.Dispose();
        _agent = _box.StartAgent("--policy-deny-response", "drop").MustBeReady();
        _server.Netns.StartServer(7000, "socat", "TCP-LISTEN:7000,fork,reuseaddr", "EXEC:cat");
        var client = _friend.Netns.Start("sh", "-c",
            $"(while :; do echo tick; sleep 0.05; done) | socat - TCP:{_server.Address}:7000");
        Eventually.True(() => client.Output.Contains("tick", StringComparison.Ordinal), "the echo runs");

        _box.WriteConfig("p.yaml", Manifests.DefaultDeny("Ingress"));
        var before = 0;
        Eventually.True(() =>
        {
            var now = client.Output.Length;
            Thread.Sleep(300);
            before = client.Output.Length;
            return now == before;
        }, "the echo stops");

        File.Delete(Path.Combine(_box.ConfigDir, "p.yaml"));
        Eventually.True(() => client.Output.Length > before, "what is allowed again goes on (TCP retransmits)");
    }

    [Test]
    public void Udp_and_icmp_are_judged_too()
    {
        _server.StartEcho(5353);
        _friend.Netns.MustEcho($"UDP4:{_server.Address}:5353", 8);
        _box.WriteConfig("p.yaml", Manifests.DefaultDeny("Ingress"));
        Eventually.True(() => _friend.Netns.Run("ping", "-c1", "-W1", _server.Address).ExitCode != 0, "ping is refused");
        Assert.That(_friend.Netns.AskInVain($"UDP4:{_server.Address}:5353").Output, Is.Empty);
        Eventually.True(() => _server.Netns.Run("ping", "-c1", "-W1", _friend.Address).ExitCode != 0, "the friend is closed too");
    }

    [Test]
    public void A_broken_policy_file_never_opens_what_the_last_good_one_closed()
    {
        _box.WriteConfig("p.yaml", Manifests.DefaultDeny("Ingress"));
        Eventually.True(() => _friend.Netns.Curl($"http://{_server.Address}/", "-m", "1").Status == 0, "closed");
        _box.WriteConfig("p.yaml", Manifests.DefaultDeny("Ingress") + "\n  typo: [");
        Eventually.True(() => _agent.Cli("diagnostics").Output.Contains("p.yaml", StringComparison.Ordinal), "the broken file is named");
        Assert.That(_friend.Netns.Curl($"http://{_server.Address}/", "-m", "0.3").Status, Is.Zero);
    }

    [Test]
    public void A_policy_comes_into_force_and_goes_as_often_as_its_file()
    {
        for (var i = 0; i < 5; i++)
        {
            _box.WriteConfig("p.yaml", Manifests.DefaultDeny("Ingress"));
            Eventually.True(() => _box.Outside.Run("ping", "-c1", "-W1", _server.Address).ExitCode != 0, "closed");
            _box.DeleteConfig("p.yaml");
            Eventually.True(() => _box.Outside.Run("ping", "-c1", "-W1", _server.Address).ExitCode == 0, "open");
        }
    }
}
