using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>What deploy/daemonset.yaml gives the agent is enough.</summary>
public sealed class CapabilityTests
{
    private NodeBox _box = null!;
    private AgentProcess? _agent;

    [SetUp]
    public void MakeBox()
    {
        _agent = null;
        _box = new NodeBox();
    }

    internal static string[] OfDaemonSet(string container = "agent")
    {
        var line = File.ReadLines(Path.Combine(RepoRoot.Path, "deploy", "daemonset.yaml"))
            .SkipWhile(l => l.Trim() != $"- name: {container}").First(l => l.TrimStart().StartsWith("add: [", StringComparison.Ordinal));
        return line[(line.IndexOf('[') + 1)..line.IndexOf(']')].Split(',', StringSplitOptions.TrimEntries);
    }

    [TearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [Test]
    public void The_capabilities_of_the_daemon_set_are_enough()
    {
        var found = _box.DeclarePod("found");
        _box.Connect(found);
        using var pause = found.StartPause();
        var server = _box.AddServer("server");
        _box.WriteConfig("p.yaml", """
            apiVersion: nodemesh.io/v1alpha1
            kind: MeshPolicy
            metadata: { name: read-only, namespace: default }
            spec: { podSelector: { matchLabels: { app: server } }, ingress: [ { ports: [ { protocol: TCP, port: 80 } ], http: [ { methods: [ GET ] } ] } ] }
            """);
        _agent = _box.StartAgentWithCapabilities(OfDaemonSet()).MustBeReady();
        Assert.That(File.ReadLines($"/proc/{_agent.Pid}/status").Single(l => l.StartsWith("CapEff:", StringComparison.Ordinal)), Does.Not.Contain("1ffffffffff"), "it has not all of them");

        // Programs, rows, namespaces of other processes, transparent sockets.
        Eventually.True(() => _agent.Cli("endpoints").Output.Split('\n').Count(l => l.Contains("enforced", StringComparison.Ordinal)) == 2, "both pods are found");
        Assert.That(found.Netns.Curl($"http://{server.Address}/").Status, Is.EqualTo(200));
        Assert.That(found.Netns.Curl($"http://{server.Address}/", "-X", "POST").Status, Is.EqualTo(403));
        Assert.That(_agent.Log, Does.Not.Contain("Operation not permitted").And.Not.Contain("EPERM"));
    }

    [Test]
    public void What_is_mounted_before_the_agent_starts_is_mounted_for_the_node_and_once()
    {
        // Stands for the node's first process, on a node where nobody mounted anything.
        using var node = _box.Node.Start("unshare", "--mount", "--propagation", "private", "sh", "-c",
            "for m in $(awk '$3 == \"bpf\" || $3 == \"cgroup2\" { print $2 }' /proc/self/mounts); do umount -l $m; done; exec sleep 120");
        var mounts = $"/proc/{node.Pid}/mounts";
        bool Has(string type) => File.ReadLines(mounts).Any(l => l.Split(' ')[2] == type);
        Eventually.True(() => File.ReadAllText($"/proc/{node.Pid}/comm").Trim() == "sleep", "the node has started");
        Assert.That((Has("bpf"), Has("cgroup2")), Is.EqualTo((false, false)));

        // In the pod, which sees of the node what it was given.
        CommandResult Mount(string pod) => Shell.Run("unshare", ["--mount", "sh", "-c", $"{pod} && exec \"$@\"", "sh", .. NodeBox.With(OfDaemonSet("mount")), RepoRoot.AgentBinary, "mount", $"--mount-namespace=/proc/{node.Pid}/ns/mnt"]);
        Assert.That(Mount("true").MustSucceed("nodemesh mount").Output, Is.EqualTo("all was mounted already\n"));
        Assert.That((Has("bpf"), Has("cgroup2")), Is.EqualTo((false, false)), "what the pod sees is the node's");
        const string blind = "mount -t tmpfs none /sys/fs/bpf";
        Assert.That(Mount(blind).MustSucceed("nodemesh mount").Output, Does.Contain("mounted a BPF file system at /sys/fs/bpf").And.Contain("mounted cgroup2 at /sys/fs/cgroup"));
        Assert.That((Has("bpf"), Has("cgroup2")), Is.EqualTo((true, true)));
        var before = File.ReadAllText(mounts);
        Assert.That(Mount(blind).MustSucceed("nodemesh mount").Output, Is.EqualTo("all was mounted already\n"));
        Assert.That(File.ReadAllText(mounts), Is.EqualTo(before));
    }

    [Test]
    public void Mounting_says_which_privilege_is_missing()
    {
        var result = Shell.Run("unshare", ["--mount", "sh", "-c", "mount -t tmpfs none /sys/fs/bpf && exec \"$@\"", "sh", .. NodeBox.With(["net_raw"]), RepoRoot.AgentBinary, "mount", "--mount-namespace=/proc/1/ns/mnt"]);
        Assert.That(result.ExitCode, Is.EqualTo(10));
        Assert.That(result.Errors, Does.StartWith("nodemesh mount: ").And.Contain("CAP_SYS_PTRACE"));
    }
}
