using System.Collections.Immutable;
using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using NodeMesh.Agent.Cri;
using NodeMesh.Model;
using NodeMesh.Sources;
using NodeMesh.Testing;

namespace NodeMesh.Unit.Tests.Cri;

/// <summary>What a container runtime says of its sandboxes, told on: look by look.</summary>
public sealed class SandboxWatchTests
{
    private string _folder = "";
    private FakeRuntime _runtime = null!;
    private SandboxTable _table = null!;
    private ManualTime _time = null!;
    private SandboxWatch _watch = null!;

    private string Socket => Path.Combine(_folder, "cri.sock");

    [SetUp]
    public async Task StartRuntime()
    {
        _folder = Directory.CreateTempSubdirectory("nodemesh-cri").FullName;
        _runtime = new FakeRuntime();
        await _runtime.StartAsync(Socket);
        _table = new SandboxTable(() => { });
        _time = new ManualTime();
        _watch = new SandboxWatch(Socket, _table, NullLogger.Instance, _time);
    }

    [TearDown]
    public async Task EndRuntime()
    {
        _watch.Dispose();
        await _runtime.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Test]
    public void What_runs_is_told_once_and_what_ended_is_forgotten()
    {
        _runtime.Run("a", "web", "10.0.0.5");
        _runtime.Sandboxes["a"].Status.Network.AdditionalIps.Add(new PodIP { Ip = "fd00::5" });
        Assert.That(_watch.Look());
        Assert.That(_watch.Look());
        var pod = Pod("web");
        Assert.That(pod.Attachment.Sandbox, Is.EqualTo("/proc/self/ns/net"));
        Assert.That(pod.Addresses.Select(a => a.ToString()), Is.EqualTo(new[] { "10.0.0.5", "fd00::5" }));
        Assert.That(_runtime.Described, Is.EqualTo(new[] { "a" }));
        Assert.That(_watch.State, Is.EqualTo(new RuntimeState(Socket, "fake 1.2", "", 1)));

        _runtime.Sandboxes.TryRemove("a", out _);
        Assert.That(_watch.Look());
        Assert.That(Pod("web").Attachment.Sandbox, Is.Empty);
    }

    [Test]
    public void A_sandbox_on_the_nodes_network_is_none_and_one_without_an_address_is_asked_for_again()
    {
        _runtime.Run("h", "host", "192.0.2.1", NamespaceMode.Node);
        _runtime.Run("e", "ended", "10.0.0.6", state: PodSandboxState.SandboxNotready);
        _runtime.Run("a", "web", "");
        Assert.That(_watch.Look());
        _runtime.Run("a", "web", "10.0.0.5");
        Assert.That(_watch.Look());
        Assert.That(_watch.Look());
        Assert.That(Pod("web").Addresses.Single().ToString(), Is.EqualTo("10.0.0.5"));
        Assert.That(Pod("host").Attachment.Sandbox, Is.Empty);
        Assert.That(Pod("ended").Attachment.Sandbox, Is.Empty);
        Assert.That(_runtime.Described, Is.EquivalentTo(new[] { "h", "a", "a" }));
        Assert.That(_watch.State.Sandboxes, Is.EqualTo(1));
    }

    [Test]
    public void What_the_gate_told_first_stays_as_it_was_told_until_the_runtime_has_it_no_more()
    {
        _table.Add(new Sandbox("a", new ObjectName("shop", "web"), "uid-of-web", "/dev/null", [IpAddr.Parse("10.0.0.5")]));
        Assert.That(_watch.Look());
        Assert.That(Pod("web").Attachment.Sandbox, Is.EqualTo("/dev/null"), "the runtime lists it later than the gate tells of it");
        _runtime.Run("a", "web", "10.0.0.5");
        Assert.That(_watch.Look());
        Assert.That(Pod("web").Attachment.Sandbox, Is.EqualTo("/dev/null"));
        Assert.That(_runtime.Described, Is.Empty);
        _runtime.Sandboxes.Clear();
        Assert.That(_watch.Look());
        Assert.That(Pod("web").Attachment.Sandbox, Is.Empty, "nobody told the gate");
    }

    [Test]
    public void What_the_table_forgot_and_the_runtime_still_has_is_told_again()
    {
        _runtime.Run("a", "web", "10.0.0.5");
        Assert.That(_watch.Look());
        _table.Keep(new HashSet<string>());
        Assert.That(_watch.Look());
        Assert.That(Pod("web").Attachment.Sandbox, Is.Not.Empty);
    }

    [Test]
    public async Task While_it_does_not_answer_what_it_said_holds_for_a_while_and_then_no_more()
    {
        _runtime.Run("a", "web", "10.0.0.5");
        Assert.That(_watch.Look());
        await _runtime.StopAsync();
        Assert.That(_watch.Look(), Is.False);
        Assert.That(_watch.State.Problem, Is.Not.Empty);
        Assert.That(Pod("web").Attachment.Sandbox, Is.Not.Empty, "it may just be starting again");
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.That(_watch.Look(), Is.False);
        Assert.That(Pod("web").Attachment.Sandbox, Is.Empty, "its processes show where it is");

        await _runtime.StartAsync(Socket);
        Assert.That(_watch.Look());
        Assert.That(_watch.State, Is.EqualTo(new RuntimeState(Socket, "fake 1.2", "", 1)));
        Assert.That(Pod("web").Attachment.Sandbox, Is.Not.Empty);
    }

    [Test]
    public void The_agent_ends_at_once_though_it_is_asking()
    {
        _runtime.Hangs = true;
        var watch = new SandboxWatch(Socket, _table, NullLogger.Instance);
        watch.Start();
        Eventually.True(() => _runtime.Hanging > 0, "it asks");
        var clock = Stopwatch.StartNew();
        watch.Dispose();
        Assert.That(clock.Elapsed, Is.LessThan(TimeSpan.FromSeconds(25)), "and the answer would be waited for longer");
    }

    [TestCase("""{"runtimeSpec":{"linux":{"namespaces":[{"type":"ipc"},{"type":"network","path":"/var/run/netns/cni-1"}]}},"pid":7}""", "/proc/7/ns/net /var/run/netns/cni-1")]
    [TestCase("""{"runtimeSpec":{"linux":{"namespaces":[{"type":"network"}]}},"pid":7}""", "/proc/7/ns/net")]
    [TestCase("""{"pid":0,"runtimeSpec":{"linux":{"namespaces":[{"type":"network","path":"/run/netns/1"}]}}}""", "/run/netns/1")]
    [TestCase("""{"pid":"7","runtimeSpec":{"linux":null}}""", "")]
    [TestCase("[1]", "")]
    [TestCase("no json", "")]
    public void The_namespace_is_read_from_what_runtimes_say_beside_the_interface(string info, string paths) =>
        Assert.That(string.Join(' ', ContainerRuntime.NetworkNamespaces([new("other", "{}"), new("info", info)])), Is.EqualTo(paths));

    /// <summary>A pod without an address, with what was told laid over it.</summary>
    private Workload Pod(string name)
    {
        var pod = new Workload(new ObjectName("shop", name), ImmutableSortedDictionary<string, string>.Empty, [], [], "n1", false, true, false, new Attachment("", "", $"uid-of-{name}"));
        return _table.Apply([pod]).Single(w => w.Name == pod.Name);
    }
}
