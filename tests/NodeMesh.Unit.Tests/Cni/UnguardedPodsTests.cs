using Microsoft.Extensions.Logging.Abstractions;
using NodeMesh.Agent.Cni;
using NodeMesh.Agent.Hosting;
using NodeMesh.Model;
using NodeMesh.Sources;
using NodeMesh.Sources.Kubernetes;
using NodeMesh.Testing.ApiServer;

namespace NodeMesh.Unit.Tests.Cni;

/// <summary>What the plugin left word of, told once and until it is heard.</summary>
public sealed class UnguardedPodsTests
{
    private static readonly OpenedPod s_web = new("shop", "web", "0f6b4d0e-3d0f-4f31-9a3e-6f0d1f6f2a11", DateTimeOffset.UnixEpoch.AddYears(56), "no agent answers");

    private readonly List<OpenedPod> _warned = [];
    private string _runDir = "";
    private string _refusal = "";
    private PodGate _gate = null!;

    [SetUp]
    public void MakeFolder()
    {
        _runDir = Directory.CreateTempSubdirectory("nodemesh-cni").FullName;
        _gate = new PodGate(new SandboxTable(() => { }));
        _refusal = "";
        _warned.Clear();
    }

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_runDir, recursive: true);

    [Test]
    public async Task A_pod_is_counted_once_and_its_event_written_when_the_server_takes_it()
    {
        var pods = new UnguardedPods(_runDir, _gate, WarnAsync, NullLogger.Instance);
        OpenedPods.Note(_runDir, "c1", s_web);
        _refusal = "it is away";
        await pods.LookAsync(default);
        await pods.LookAsync(default);
        Assert.That((_gate.Unguarded, _warned.Count), Is.EqualTo((1L, 0)));
        _refusal = "";
        await pods.LookAsync(default);
        await pods.LookAsync(default);
        Assert.That(_gate.Unguarded, Is.EqualTo(1));
        Assert.That(_warned, Is.EqualTo(new[] { s_web }));
        Assert.That(OpenedPods.Read(_runDir), Is.Empty);
    }

    [Test]
    public async Task Without_a_cluster_it_is_counted_and_that_is_all()
    {
        OpenedPods.Note(_runDir, "c1", s_web);
        await new UnguardedPods(_runDir, _gate, warn: null, NullLogger.Instance).LookAsync(default);
        Assert.That(_gate.Unguarded, Is.EqualTo(1));
        Assert.That(OpenedPods.Read(_runDir), Is.Empty);
    }

    [Test]
    public async Task The_event_is_on_the_pod_and_another_start_is_another_one()
    {
        await using var server = await InProcessApiServer.StartAsync(InProcessApiServer.BuiltIn);
        using var source = new KubernetesSource(new ApiServerAccess(server.Client()), new MeshWorld(1).Events);
        var pod = new ObjectName("shop", new string('a', 252) + "b");
        foreach (var at in new[] { s_web.At, s_web.At, s_web.At.AddSeconds(1) })
            Assert.That(await source.WarnOfPodAsync(pod, s_web.Uid, at, UnguardedPods.EventReason, UnguardedPods.Message(s_web), default), Is.Empty);
        var events = server.Store.List("events", "shop", "").Objects;
        Assert.That(events, Has.Count.EqualTo(2));
        foreach (var said in events)
        {
            Assert.That((string?)said["metadata"]!["name"], Has.Length.LessThanOrEqualTo(253));
            Assert.That((string?)said["type"], Is.EqualTo("Warning"));
            Assert.That((string?)said["reason"], Is.EqualTo("PolicyNotInForce"));
            Assert.That((string?)said["message"], Does.Contain("no agent answers"));
            Assert.That((string?)said["involvedObject"]!["kind"], Is.EqualTo("Pod"));
            Assert.That((string?)said["involvedObject"]!["name"], Is.EqualTo(pod.Name));
            Assert.That((string?)said["involvedObject"]!["uid"], Is.EqualTo(s_web.Uid));
        }
    }

    private Task<string> WarnAsync(OpenedPod pod, CancellationToken stop)
    {
        if (_refusal.Length == 0)
            _warned.Add(pod);
        return Task.FromResult(_refusal);
    }
}
