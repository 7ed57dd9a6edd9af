using System.Globalization;
using NodeMesh.Native.Bpf;
using NodeMesh.Native.Namespaces;
using NodeMesh.Native.Netlink;
using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Others meddle with what the agent put on the node. It is closed again, and told in status, metrics and log.</summary>
public sealed class DisturbanceTests
{
    private static readonly TimeSpan s_mended = TimeSpan.FromSeconds(60);

    private NodeBox _box = null!;
    private AgentProcess _agent = null!;
    private PodBox _client = null!;
    private PodBox _stranger = null!;
    private PodBox _server = null!;

    [SetUp]
    public void MakeNode()
    {
        _box = new NodeBox();
        _client = _box.AddPod("client");
        _stranger = _box.AddPod("stranger");
        _server = _box.AddServer("server");
        _box.WriteConfig("policy.yaml", Manifests.AllowIngress("clients", "app: server", "app: client", 80));
        _agent = _box.StartAgentWithOwnMounts().MustBeReady();
        Eventually.True(() => Gets(_client), "the client gets through", s_mended);
        Assert.That(Gets(_stranger), Is.False);
    }

    [TearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [Test]
    public void Programs_that_bypass_the_gate_are_overtaken()
    {
        using var foreign = BpfObject.Open(File.ReadAllBytes(Path.Combine(RepoRoot.Path, "out", "bpf", "foreign.test.bpf.o")), "foreign");
        foreign.Load();
        Signal("STOP");
        using var node = NetNamespace.Open(_box.Node.Name);
        var links = node.Run(() =>
        {
            using var netlink = new NetlinkSocket();
            var ifindex = RtLinks.Dump(netlink).Single(l => l.Name == _server.HostInterface).Ifindex;
            return ((int[])[AttachType.TcxIngress, AttachType.TcxEgress]).Select(a => BpfLink.AttachTcxAtHead(foreign.Program("foreign_pass"), ifindex, a)).ToArray();
        });
        try
        {
            Assert.That(Gets(_stranger), "the gate is bypassed");
            Signal("CONT");
            MustCloseAgain("overtaken", 2, "foreign_pass");
        }
        finally
        {
            foreach (var link in links)
                link.Dispose();
        }
    }

    [Test]
    public void A_gate_that_was_taken_off_by_force_is_put_back()
    {
        Signal("STOP");
        foreach (var pin in Directory.GetFiles(Directory.GetDirectories($"{_box.Bpffs}/nodemesh").Single() + "/links", "ep_*"))
        {
            using var link = BpfLink.OpenPinned(pin)!;
            link.Detach();
        }

        Assert.That(Gets(_stranger), "no gate is left");
        Signal("CONT");
        MustCloseAgain("detached", 6, "no longer attached");
    }

    [Test]
    public void Without_the_BPF_file_system_policy_goes_on_and_still_changes()
    {
        Assert.That(Shell.Run("nsenter", ["-t", _agent.Pid.ToString(CultureInfo.InvariantCulture), "-m", "umount", "-l", "/sys/fs/bpf"]).ExitCode, Is.Zero);
        Eventually.True(() => _agent.Metric("nodemesh_datapath_disturbances_total{kind=\"unpinned\"}") >= 1, "it is noticed", s_mended);
        Assert.That(_agent.Cli("status").Output, Does.Contain("is not a BPF file system any more").And.Contain("mount -t bpf"));
        Assert.That((Gets(_client), Gets(_stranger)), Is.EqualTo((true, false)));

        _box.WriteConfig("policy.yaml", Manifests.AllowIngress("clients", "app: server", "app: stranger", 80));
        Eventually.True(() => Gets(_stranger), "the new policy is in force", s_mended);
        Assert.That(Gets(_client), Is.False);
    }

    /// <summary>By a program that no socket hook sees, so that only the gates are in its way.</summary>
    private bool Gets(PodBox from) => from.Netns.Unhooked.Curl($"http://{_server.Address}/", "-m", "1").Status == 200;

    private void Signal(string name) => Assert.That(Shell.Run("kill", ["-" + name, _agent.Pid.ToString(CultureInfo.InvariantCulture)]).ExitCode, Is.Zero);

    private void MustCloseAgain(string kind, int times, string told)
    {
        Eventually.True(() => _agent.Metric($"nodemesh_datapath_disturbances_total{{kind=\"{kind}\"}}") >= times, $"{kind} is counted {times} times", s_mended);
        Assert.That(Gets(_stranger), Is.False, "closed again");
        Assert.That(Gets(_client));
        Assert.That(_agent.Cli("status").Output, Does.Contain("disturbed").And.Contain(told));
        Assert.That(_agent.Log, Does.Contain(told));
    }
}
