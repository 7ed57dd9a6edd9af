using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Pods that nothing but their uid tells of, found by the cgroup and the namespace of their processes.</summary>
public sealed class PodDiscoveryTests
{
    private NodeBox _box = null!;
    private AgentProcess _agent = null!;

    [SetUp]
    public void MakeBox()
    {
        _box = new NodeBox();
        _box.WriteConfig("p.yaml", Manifests.DefaultDeny("Ingress"));
    }

    [TearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [Test]
    public void A_pod_is_found_whose_process_comes_after_its_interface()
    {
        _agent = _box.StartAgent().MustBeReady();
        var pod = _box.DeclarePod("web");
        Eventually.True(() => State("web").Contains("no cgroup", StringComparison.Ordinal), "it is waited for");
        _box.Connect(pod);
        Assert.That(State("web"), Does.Not.Contain("enforced"));
        using var pause = pod.StartPause();
        Eventually.True(() => State("web").Contains("enforced", StringComparison.Ordinal), "it is found by its process");
        Assert.That(_box.Outside.Run("ping", "-c1", "-W1", pod.Address).ExitCode, Is.Not.Zero, "and closed");
    }

    [Test]
    public void A_pod_whose_address_nobody_has_said_yet_speaks_from_that_of_its_interface_and_from_no_other()
    {
        var other = _box.AddPod("other");
        _agent = _box.StartAgent().MustBeReady();
        var pod = _box.PlanPod("web");
        _box.Declare(pod, hasAddress: false);
        _box.Connect(pod);
        using var pause = pod.StartPause();
        Eventually.True(() => State("web").Contains("enforced", StringComparison.Ordinal), "it is found");
        Assert.That(pod.Netns.Run("ping", "-c1", "-W20", NodeBox.OutsideAddress).ExitCode, Is.Zero);
        Assert.That(pod.Netns.Run("ping", "-c1", "-W20", NodeBox.OutsideAddress6).ExitCode, Is.Zero);
        pod.Netns.Script($"ip addr add {other.Address}/32 dev eth0 && ip addr add 10.244.0.99/32 dev eth0").MustSucceed("taking addresses");
        foreach (var taken in (string[])[other.Address, "10.244.0.99"])
            Assert.That(pod.Netns.Run("ping", "-c1", "-W1", "-I", taken, NodeBox.OutsideAddress).ExitCode, Is.Not.Zero, taken);

        _box.Declare(pod, hasAddress: true);
        Eventually.True(() => State("web").Contains(pod.Address, StringComparison.Ordinal), "its address is known");
        Assert.That(pod.Netns.Run("ping", "-c1", "-W20", NodeBox.OutsideAddress).ExitCode, Is.Zero);
    }

    [Test]
    public void A_pod_that_restarts_in_another_namespace_is_found_there_and_one_that_leaves_is_let_go()
    {
        var pod = _box.DeclarePod("web");
        _box.Connect(pod);
        var pause = pod.StartPause();
        _agent = _box.StartAgent().MustBeReady();
        Eventually.True(() => State("web").Contains("enforced", StringComparison.Ordinal), "it is found");
        var first = Ifindex(pod);

        pause.Dispose();
        Shell.Script($"ip -n {_box.Node.Name} link del {pod.HostInterface}; ip netns del {pod.Netns.Name}").MustSucceed("ending the sandbox");
        Eventually.True(() => !State("web").Contains("enforced", StringComparison.Ordinal), "it is gone");
        _box.Connect(pod);
        using var next = pod.StartPause();
        Eventually.True(() => State("web").Contains("enforced", StringComparison.Ordinal), "it is found again");
        Assert.That(Ifindex(pod), Is.Not.EqualTo(first));
        Assert.That(_box.Outside.Run("ping", "-c1", "-W1", pod.Address).ExitCode, Is.Not.Zero, "and closed");
    }

    [Test]
    public void A_pod_that_the_next_agent_does_not_find_at_once_is_closed_until_it_does()
    {
        var pod = _box.DeclarePod("web");
        _box.Connect(pod);
        using var pause = pod.StartPause();
        _agent = _box.StartAgent().MustBeReady();
        Eventually.True(() => State("web").Contains("enforced", StringComparison.Ordinal), "it is found");
        Assert.That(_agent.Terminate(TimeSpan.FromSeconds(60)));
        _agent.Dispose();
        Assert.That(_box.Outside.Run("ping", "-c1", "-W1", pod.Address).ExitCode, Is.Not.Zero, "what the agent left guards it");

        File.WriteAllText(Path.Combine(_box.Cgroup, "cgroup.procs"), $"{pause.Pid}");
        _agent = _box.StartAgent().MustBeReady();
        Eventually.True(() => State("web").Contains("no process", StringComparison.Ordinal), "it is not found");
        Assert.That(_box.Outside.Run("ping", "-c1", "-W1", pod.Address).ExitCode, Is.Not.Zero, "and not open");
        File.WriteAllText(Path.Combine(pod.Cgroup, "pause", "cgroup.procs"), $"{pause.Pid}");
        Eventually.True(() => State("web").Contains("enforced", StringComparison.Ordinal), "it is found again");
    }

    [Test]
    public void A_pod_on_the_nodes_network_and_one_without_a_veth_are_told_by_name()
    {
        _agent = _box.StartAgent().MustBeReady();
        var onNode = _box.DeclarePod("on-node");
        var bare = _box.DeclarePod("bare");
        Shell.Script($"ip netns add {bare.Netns.Name}").MustSucceed("a namespace without a veth");
        using var pause = bare.StartPause();
        Directory.CreateDirectory(Path.Combine(onNode.Cgroup, "main"));
        using var main = _box.Node.Start("sh", "-c", $"echo $$ > {onNode.Cgroup}/main/cgroup.procs && exec sleep infinity");
        Eventually.True(() => State("bare").Contains("no veth", StringComparison.Ordinal), "the pod without a veth is told");
        Eventually.True(() => State("on-node").Contains("node's own network", StringComparison.Ordinal), "that on the node's network is told");
    }

    [Test]
    public void A_pod_cannot_claim_anothers_interface_by_an_annotation()
    {
        _agent = _box.StartAgent().MustBeReady();
        var victim = _box.DeclarePod("victim");
        _box.WriteConfig("thief.yaml", $$"""
            apiVersion: v1
            kind: Pod
            metadata: { name: a-thief, namespace: default, uid: {{Guid.NewGuid()}}, annotations: { nodemesh.io/host-interface: {{victim.HostInterface}} } }
            spec: { nodeName: {{NodeBox.NodeName}}, containers: [ { name: main, image: example } ] }
            """);
        _box.Connect(victim);
        Eventually.True(() => State("a-thief").Contains("enforced", StringComparison.Ordinal), "nobody else claims it yet");
        using var pause = victim.StartPause();
        Eventually.True(() => State("victim").Contains("enforced", StringComparison.Ordinal), "its own pod has it");
        Eventually.True(() => State("a-thief").Contains("already that of default/victim", StringComparison.Ordinal), "the other has not");
    }

    private string State(string pod)
    {
        var lines = _agent.Cli("endpoints").Output.Split('\n');
        return Array.Find(lines, l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries) is ["default", var name, ..] && name == pod) ?? "";
    }

    private string Ifindex(PodBox pod) => _box.Node.Run("ip", "-o", "link", "show", "dev", pod.HostInterface).MustSucceed("looking at the pod's interface").Output.Split(':')[0];
}
