using System.Text.Json;
using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Pods started as a runtime does it: network, plugin, and only then a process, which sends at once.</summary>
public sealed class CniGateTests
{
    private const string List = """
        {
          "cniVersion": "1.0.0",
          "name": "box",
          "plugins": [
            { "type": "ptp" }
          ]
        }
        """;

    private NodeBox _box = null!;
    private AgentProcess _agent = null!;

    private string[] Gate => ["--cni-gate", "fail-closed", "--cni-bin-dir", BinDir, "--cni-conf-dir", ConfDir];

    private string BinDir => Path.Combine(_box.WorkDir, "cni-bin");

    private string ConfDir => Path.Combine(_box.WorkDir, "net.d");

    private string Conflist => Path.Combine(ConfDir, "10-box.conflist");

    [SetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        Directory.CreateDirectory(ConfDir);
        File.WriteAllText(Conflist, List);
        _box.WriteConfig("p.yaml", """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: { name: no-way-out, namespace: default }
            spec: { podSelector: {}, policyTypes: [ Egress ] }
            """);
        _agent = StartAgent();
    }

    [TearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [Test]
    public void A_pod_that_sends_from_its_first_moment_gets_nothing_past_a_deny()
    {
        using var sink = _box.Outside.StartServer(7000, "socat", "-u", "UDP-RECV:7000", "STDOUT");
        PodBox[] pods = [.. Enumerable.Range(0, 8).Select(i => _box.PlanPod($"p{i}"))];

        // All at once, the API telling of them before or after the runtime starts, and of their addresses never.
        var starts = pods.Select((pod, i) => Task.Run(() =>
        {
            if (i % 2 == 0)
                _box.Declare(pod, hasAddress: false);
            _box.Connect(pod);
            var add = Task.Run(() => Cni("ADD", pod));
            if (i % 2 != 0)
                _box.Declare(pod, hasAddress: false);
            Assert.That(add.Result.ExitCode, Is.Zero, $"{add.Result.Output}{add.Result.Errors}");
            return pod.Netns.Start("sh", "-c", $"while :; do echo {pod.Name} | socat -u - UDP:{NodeBox.OutsideAddress}:7000; echo sent; sleep 0.05; done");
        })).ToArray();
        Task.WaitAll(starts);
        Eventually.True(() => Array.TrueForAll(starts, s => s.Result.Output.Split('\n').Count(l => l == "sent") > 5), "they all send");
        Assert.That(sink.Output, Is.Empty);
        _box.DeleteConfig("p.yaml");
        Eventually.True(() => Array.TrueForAll(pods, p => sink.Output.Contains(p.Name, StringComparison.Ordinal)), "and arrive once nothing denies it");
        foreach (var start in starts)
            start.Result.Dispose();
    }

    [Test]
    public void The_policy_is_in_force_when_the_plugin_returns_and_stays_when_the_API_tells_the_address()
    {
        var pod = _box.PlanPod("web");
        _box.Declare(pod, hasAddress: false);
        _box.Connect(pod);
        var add = Cni("ADD", pod).MustSucceed("ADD");
        Assert.That(State(pod), Is.EqualTo("enforced"));
        using (var result = JsonDocument.Parse(add.Output))
            Assert.That(result.RootElement.GetProperty("ips")[0].GetProperty("address").GetString(), Is.EqualTo($"{pod.Address}/32"));
        Cni("CHECK", pod).MustSucceed("CHECK");

        _box.Declare(pod, hasAddress: true);
        Assert.That(_box.Outside.Run("ping", "-c1", "-W20", pod.Address).ExitCode, Is.Zero, "what comes in is answered");
        Assert.That(State(pod), Is.EqualTo("enforced"));

        Cni("DEL", pod).MustSucceed("DEL");
        Cni("DEL", pod).MustSucceed("DEL again");
    }

    [Test]
    public void A_pod_that_the_API_has_no_more_stays_closed_until_its_network_is_taken_away()
    {
        var pod = _box.PlanPod("web");
        _box.Declare(pod, hasAddress: true);
        _box.Connect(pod);
        Cni("ADD", pod).MustSucceed("ADD");
        Assert.That(Reaches(pod), Is.False);
        _box.DeleteConfig($"pod-{pod.Namespace}-{pod.Name}.yaml");
        _box.DeclarePod("later");
        Eventually.True(() => _agent.Cli("endpoints").Output.Contains("later", StringComparison.Ordinal), "the agent has heard of what came after");
        Assert.That(State(pod), Is.EqualTo("enforced"));
        Assert.That(Reaches(pod), Is.False);
        Cni("DEL", pod).MustSucceed("DEL");
        Eventually.True(() => !_agent.Cli("endpoints").Output.Contains(pod.Name, StringComparison.Ordinal), "it is let go");
    }

    [Test]
    public void A_pod_that_nobody_tells_of_does_not_start_and_the_reason_is_said()
    {
        var pod = _box.PlanPod("unknown");
        _box.Connect(pod);
        var add = Cni("ADD", pod, timeoutSeconds: 1);
        Assert.That(add.ExitCode, Is.EqualTo(1));
        Assert.That(add.Output, Does.Contain("\"code\":100").And.Contain("has not heard of the pod"));
        Cni("DEL", pod).MustSucceed("DEL after an ADD that failed");
    }

    [Test]
    public void A_pods_namespace_is_found_by_an_agent_whose_container_does_not_see_its_file()
    {
        Assert.That(_agent.Terminate(TimeSpan.FromSeconds(60)));
        _agent.Dispose();
        _agent = _box.StartAgentInContainer(CapabilityTests.OfDaemonSet(), Gate).MustBeReady();
        var pod = _box.PlanPod("web");
        _box.Declare(pod, hasAddress: false);
        _box.Connect(pod);
        Cni("ADD", pod).MustSucceed("ADD");
        Assert.That(State(pod), Is.EqualTo("enforced"));
    }

    [Test]
    public void With_the_agent_away_a_pod_starts_or_not_as_was_asked_and_the_agent_tells_of_it_later()
    {
        Assert.That(_agent.Terminate(TimeSpan.FromSeconds(60)));
        var pod = _box.PlanPod("web");
        _box.Connect(pod);
        Assert.That(Cni("ADD", pod, timeoutSeconds: 1).Output, Does.Contain("\"code\":11"));
        Cni("ADD", pod, mode: "fail-open", timeoutSeconds: 1).MustSucceed("ADD");
        _agent.Dispose();
        _agent = StartAgent();
        Eventually.True(() => _agent.Log.Contains("started WITHOUT its policy in force", StringComparison.Ordinal), "the agent tells of it");
        Eventually.True(() => _agent.Metric("nodemesh_cni_unguarded_pods_total") == 1, "and counts it");
    }

    [Test]
    public void A_pod_that_starts_while_the_agent_is_replaced_waits_for_the_next_one()
    {
        Assert.That(_agent.Terminate(TimeSpan.FromSeconds(60)));
        var pod = _box.PlanPod("web");
        _box.Declare(pod, hasAddress: false);
        _box.Connect(pod);
        var add = Task.Run(() => Cni("ADD", pod));
        _agent.Dispose();
        _agent = StartAgent();
        add.Result.MustSucceed("ADD");
        Assert.That(State(pod), Is.EqualTo("enforced"));
    }

    [Test]
    public void An_address_that_only_the_gate_was_told_is_known_to_the_next_agent_and_not_after_the_pods_end()
    {
        _box.DeleteConfig("p.yaml");
        var server = _box.AddServer("server");
        _box.WriteConfig("only.yaml", Manifests.AllowIngress("only", "app: server", "app: web", 80));
        var pod = _box.PlanPod("web");
        _box.Declare(pod, hasAddress: false);
        _box.Connect(pod);
        Cni("ADD", pod).MustSucceed("ADD");
        Eventually.True(() => Asks(pod, server) == 200, "it is known by its address");
        Eventually.True(() => Asks(_box.Outside, server) == 0, "and nobody else may");

        _agent.KillAtOnce();
        _agent.WaitForExit(TimeSpan.FromSeconds(60));
        _agent.Dispose();
        _agent = StartAgent();
        Assert.That(Told(pod), Does.Contain(pod.Address));
        Assert.That(Asks(pod, server), Is.EqualTo(200), "as before the kill");
        Assert.That(Asks(_box.Outside, server), Is.Zero);

        // Its end, while nobody is there to hear of it.
        _agent.KillAtOnce();
        _agent.WaitForExit(TimeSpan.FromSeconds(60));
        Cni("DEL", pod).MustSucceed("DEL");
        _agent.Dispose();
        _agent = StartAgent();
        Assert.That(Told(pod), Does.Not.Contain(pod.Address));
        Assert.That(Directory.GetFiles(Path.Combine(_box.RunDir, "cni-sandboxes")), Is.Empty);
    }

    private static int Asks(PodBox client, PodBox server) => Asks(client.Netns, server);

    private static int Asks(Netns client, PodBox server) => client.Curl($"http://{server.Address}/", "-m", "2").Status;

    private string Told(PodBox pod) => Row(pod).GetProperty("addresses").ToString();

    [Test]
    public void The_list_is_kept_patched_while_the_agent_runs_and_after_it_and_is_as_before_after_a_clean_up()
    {
        File.WriteAllText(Conflist, List);
        Eventually.True(() => File.ReadAllText(Conflist).Contains("nodemesh-cni", StringComparison.Ordinal), "its owner wrote it anew");
        File.WriteAllText(Path.Combine(ConfDir, "05-first.conflist"), List);
        Eventually.True(() => File.ReadAllText(Path.Combine(ConfDir, "05-first.conflist")).Contains("nodemesh-cni", StringComparison.Ordinal), "another comes first now");
        Assert.That(_agent.Terminate(TimeSpan.FromSeconds(60)));
        Assert.That(File.ReadAllText(Conflist), Does.Contain("nodemesh-cni"));
        using var cleanup = _box.Node.Start(RepoRoot.AgentBinary, "cleanup", "--stay", "--bpffs", _box.Bpffs, "--run-dir", _box.RunDir, "--cgroup", _box.Cgroup, "--cni-bin-dir", BinDir, "--cni-conf-dir", ConfDir);
        Eventually.True(() => cleanup.Output.Contains("this node is as it was", StringComparison.Ordinal), "it cleans up");
        Assert.That(cleanup.HasExited, Is.False, "and stays, as it was asked to");
        Assert.That(cleanup.Terminate(TimeSpan.FromSeconds(60)));
        Assert.That(cleanup.ExitCode, Is.Zero);
        Assert.That(File.ReadAllText(Conflist), Is.EqualTo(List));
        Assert.That(Directory.GetFiles(BinDir), Is.Empty);
    }

    private AgentProcess StartAgent() => _box.StartAgent(Gate).MustBeReady();

    /// <summary>As a runtime starts the plugin.</summary>
    private CommandResult Cni(string command, PodBox pod, string mode = "fail-closed", int timeoutSeconds = 60) => _box.Node.Run(
    [
        "env", $"CNI_COMMAND={command}", $"CNI_CONTAINERID={pod.Name}-1", $"CNI_NETNS={pod.Netns.Path}", "CNI_IFNAME=eth0", $"CNI_PATH={BinDir}",
        $"CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE={pod.Namespace};K8S_POD_NAME={pod.Name};K8S_POD_UID={pod.Uid}", Path.Combine(BinDir, "nodemesh-cni"),
    ], input: $$"""
        {
          "cniVersion": "1.0.0", "name": "box", "type": "nodemesh-cni", "runDir": "{{_box.RunDir}}", "onFailure": "{{mode}}", "timeoutSeconds": {{timeoutSeconds}},
          "prevResult": {
            "interfaces": [ { "name": "{{pod.HostInterface}}" }, { "name": "eth0", "sandbox": "{{pod.Netns.Path}}" } ],
            "ips": [ { "address": "{{pod.Address}}/32", "interface": 1 }, { "address": "{{pod.Address6}}/128", "interface": 1 } ]
          }
        }
        """);

    private static bool Reaches(PodBox pod) => pod.Netns.Run("ping", "-c1", "-W1", NodeBox.OutsideAddress).ExitCode == 0;

    private string State(PodBox pod) => Row(pod).GetProperty("state").GetString()!;

    private JsonElement Row(PodBox pod)
    {
        using var reply = JsonDocument.Parse(_agent.Cli("endpoints", "-o", "json").Output);
        return reply.RootElement.GetProperty("endpoints").EnumerateArray().Single(e => e.GetProperty("name").GetString() == pod.Name).Clone();
    }
}
