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

    internal static string[] OfDaemonSet()
    {
        var line = File.ReadLines(Path.Combine(RepoRoot.Path, "deploy", "daemonset.yaml")).Single(l => l.TrimStart().StartsWith("add: [", StringComparison.Ordinal));
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
}
