using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Death, return, refusal and removal of the agent.</summary>
public sealed class LifecycleTests
{
    private NodeBox _box = null!;
    private PodBox _client = null!;
    private PodBox _server = null!;

    [SetUp]
    public void MakeNode()
    {
        _box = new NodeBox();
        _client = _box.AddPod("client");
        _server = _box.AddServer("server");
        _box.WriteConfig("svc.yaml", Manifests.Service("web", "app: server", "10.96.0.10", "http:80:80", vip6: "fd00:96::10"));
        _box.WriteConfig("policy.yaml", Manifests.AllowIngress("clients", "app: server", "app: client", 80));
    }

    [TearDown]
    public void EndMesh() => _box?.Dispose();

    [Test]
    public void Layer_4_goes_on_through_sigkill_and_restart_without_a_failed_request_and_the_restart_writes_nothing()
    {
        var agent = _box.StartAgent().MustBeReady();
        using var load = Load.Start(_client.Netns, "http://10.96.0.10/", 6, connections: 8);
        using var connects = Load.Start(_client.Netns, "http://10.96.0.10/", 6, each: true);

        agent.Kill();
        Assert.That(_box.Outside.Curl($"http://{_server.Address}/", "-m", "0.5").Status, Is.Zero, "policy goes on");
        Assert.That(_client.Netns.Curl("http://10.96.0.10/").Status, Is.EqualTo(200), "new connections go on");
        using var again = _box.StartAgent().MustBeReady();

        Assert.That(again.Metric("nodemesh_datapath_writes_total"), Is.Zero, again.Log);
        load.MustEndClean();
        connects.MustEndClean();
    }

    [Test]
    public void Sigterm_finishes_requests_and_leaves_the_kernel_side_in_force()
    {
        _box.WriteConfig("route.yaml", Manifests.Route("web", "web", "web", 80));
        var agent = _box.StartAgent().MustBeReady();
        Assert.That(_client.Netns.Curl("http://10.96.0.10/").Status, Is.EqualTo(200));

        using var slow = _client.Netns.Start("curl", "-sSf", "http://10.96.0.10/slow");
        Eventually.True(() => agent.Metric("nodemesh_proxy_upstream_connections{state=\"active\"") > 0, "the request is under way");

        Assert.That(agent.Terminate(TimeSpan.FromMinutes(1)), Is.True, agent.Log);

        Assert.That(agent.ExitCode, Is.Zero, agent.Log);
        Assert.That(slow.WaitForExit(TimeSpan.FromMinutes(1)), Is.True);
        Assert.That(slow.ExitCode, Is.Zero, slow.Output);
        Assert.That(slow.Output.Trim(), Has.Length.EqualTo(3999), "the request in flight was finished");
        Assert.That(_box.Outside.Curl($"http://{_server.Address}/", "-m", "0.5").Status, Is.Zero, "policy goes on");
    }

    [Test]
    public void A_second_agent_on_the_node_is_refused_in_one_line()
    {
        using var first = _box.StartAgent().MustBeReady();
        using var second = _box.StartAgent();
        Assert.That(second.WaitForExit(TimeSpan.FromMinutes(1)), Is.True);
        Assert.That(second.ExitCode, Is.EqualTo(15), second.Log);
        Assert.That(second.Log, Does.Not.Contain("   at "), "no stack trace");
        Assert.That(_client.Netns.Curl("http://10.96.0.10/").Status, Is.EqualTo(200));
    }

    [Test]
    public void A_port_in_use_is_refused_with_its_number()
    {
        using var squatter = _box.Node.StartServer(15001, "socat", "TCP4-LISTEN:15001,bind=127.0.0.1", "STDOUT");
        using var agent = _box.StartAgent();
        Assert.That(agent.WaitForExit(TimeSpan.FromMinutes(1)), Is.True);
        Assert.That(agent.ExitCode, Is.EqualTo(14), agent.Log);
        Assert.That(agent.Log, Does.Contain("15001"));
    }

    [Test]
    public void Probes_are_answered_at_addresses_of_both_families()
    {
        using var agent = _box.StartAgent().MustBeReady();
        foreach (var address in new[] { NodeBox.NodeAddress, $"[{NodeBox.NodeAddress6}]" })
            Assert.That(_box.Outside.Curl($"http://{address}:9464/readyz").Status, Is.EqualTo(200), address);
    }

    [Test]
    public void Probes_are_answered_on_a_node_with_IPv6_alone()
    {
        _box.Node.Script($"ip addr del {NodeBox.NodeAddress}/24 dev eth0").MustSucceed("the node loses its IPv4 address");
        using var agent = _box.StartAgent();
        Eventually.True(() => agent.HasExited || _box.Outside.Curl($"http://[{NodeBox.NodeAddress6}]:9464/readyz").Status == 200, "the agent is ready");
        Assert.That(agent.HasExited, Is.False, agent.Log);
    }

    [TestCase("4", "0.0.0.0")]
    [TestCase("6", "[::]")]
    public void A_metrics_port_in_use_in_either_family_is_refused_with_its_number(string family, string address)
    {
        using var squatter = _box.Node.StartServer(9464, "socat", $"TCP{family}-LISTEN:9464,bind={address}", "STDOUT");
        using var agent = _box.StartAgent();
        Assert.That(agent.WaitForExit(TimeSpan.FromMinutes(1)), Is.True);
        Assert.That(agent.ExitCode, Is.EqualTo(14), agent.Log);
        Assert.That(agent.Log, Does.Contain("9464"));
    }

    [TestCase("--bpffs", "/tmp", 12)]
    [TestCase("--cgroup", "/tmp", 13)]
    public void A_missing_mount_is_one_clear_line_with_its_own_exit_code(string option, string value, int code)
    {
        using var agent = _box.StartAgent(option, value);
        Assert.That(agent.WaitForExit(TimeSpan.FromMinutes(1)), Is.True);
        Assert.That(agent.ExitCode, Is.EqualTo(code), agent.Log);
        Assert.That(agent.Log, Does.Contain("mount -t"), "the cure");
    }

    [Test]
    public void Without_openssl_the_agent_says_what_to_install()
    {
        using var agent = _box.StartAgentWithout("libssl.so.3");
        Assert.That(agent.WaitForExit(TimeSpan.FromMinutes(1)), Is.True);
        Assert.That(agent.ExitCode, Is.EqualTo(18), agent.Log);
        Assert.That(agent.Log.Trim(), Is.EqualTo("nodemesh agent: NodeMesh needs OpenSSL 3, but libssl.so.3 cannot be loaded. Cure: apt-get install libssl3"));
    }

    [Category("Kernels")]
    [Test]
    public void Cleanup_leaves_the_node_as_found()
    {
        var before = Footprint();
        var agent = _box.StartAgent().MustBeReady();
        Assert.That(Footprint(), Is.Not.EqualTo(before), "the agent leaves traces while it runs");
        agent.Kill();

        var cleanup = _box.CleanUpAgent();

        Assert.That(cleanup.ExitCode, Is.Zero, cleanup.Output + cleanup.Errors);
        Assert.That(Footprint(), Is.EqualTo(before));
        Assert.That(Directory.EnumerateFileSystemEntries(_box.Bpffs), Is.Empty);
        Assert.That(_box.Outside.Curl($"http://{_server.Address}/").Status, Is.EqualTo(200), "no policy any more");
    }

    [Test]
    public void A_pod_that_comes_and_goes_is_attached_and_forgotten()
    {
        using var agent = _box.StartAgent().MustBeReady();
        var late = _box.AddServer("late", labels: "app: server");
        Eventually.True(() => _box.Outside.Curl($"http://{late.Address}/", "-m", "0.3").Status == 0, "the late pod is under policy");
        Eventually.True(() => agent.Cli("endpoints").Output.Contains("late", StringComparison.Ordinal), "the pod is shown");

        _box.RemovePod(late);
        Eventually.True(() => !agent.Cli("endpoints").Output.Contains("late", StringComparison.Ordinal), "the pod is forgotten");
        Eventually.True(() => !Shell.Script($"find {_box.Bpffs} -name 'ep_*'").Output.Split('\n').Any(l => l.Contains(late.HostInterface, StringComparison.Ordinal)), "no link is left");
        Assert.That(_client.Netns.Curl("http://10.96.0.10/").Status, Is.EqualTo(200));
    }

    private string Footprint() => _box.Node.Script(
        "ip rule; ip -6 rule; ip route show table all | grep -v '^fe80\\|^ff00\\|multicast\\|anycast' ; ip -6 route show table all | grep -v 'fe80\\|ff00\\|multicast\\|anycast'; ip -o link | sed 's/qdisc.*//'").Output
        + Shell.Run("bpftool", ["cgroup", "show", _box.Cgroup]).Output
        + _box.Node.Run("bpftool", "net", "show").Output;
}
