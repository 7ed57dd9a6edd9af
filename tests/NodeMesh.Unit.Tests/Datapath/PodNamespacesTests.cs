using NodeMesh.Datapath.Attach;

namespace NodeMesh.Unit.Tests.Datapath;

/// <summary>Pods by their UIDs, in made folders of cgroups and processes.</summary>
public sealed class PodNamespacesTests
{
    private const string Uid = "0f6b4d0e-3d0f-4f31-9a3e-6f0d1f6f2a11";
    private const string Underscored = "0f6b4d0e_3d0f_4f31_9a3e_6f0d1f6f2a11";
    private const string StaticHash = "5d3b1f0c9a8e7d6c5b4a39281706f5e4";

    private string _root = "";

    private string Cgroups => Path.Combine(_root, "cgroup");

    private string Proc => Path.Combine(_root, "proc");

    [SetUp]
    public void MakeRoot()
    {
        _root = Directory.CreateTempSubdirectory("nodemesh-pods").FullName;
        Directory.CreateDirectory(Cgroups);
        Process("self", "net:[1]");
    }

    [TearDown]
    public void RemoveRoot() => Directory.Delete(_root, recursive: true);

    [TestCase("pod" + Uid, ExpectedResult = Uid, TestName = "cgroupfs")]
    [TestCase("pod" + StaticHash, ExpectedResult = StaticHash, TestName = "cgroupfs, a static pod")]
    [TestCase("kubepods-burstable-pod" + Underscored + ".slice", ExpectedResult = Uid, TestName = "systemd, burstable")]
    [TestCase("kubepods-besteffort-pod" + Underscored + ".slice", ExpectedResult = Uid, TestName = "systemd, best effort")]
    [TestCase("kubepods-pod" + Underscored + ".slice", ExpectedResult = Uid, TestName = "systemd, guaranteed")]
    [TestCase("kubelet-kubepods-burstable-pod" + Underscored + ".slice", ExpectedResult = Uid, TestName = "systemd, below the kubelet's own slice")]
    [TestCase("kubepods-pod" + StaticHash + ".slice", ExpectedResult = StaticHash, TestName = "systemd, a static pod")]
    [TestCase("kubepods.slice", ExpectedResult = null)]
    [TestCase("kubepods-burstable.slice", ExpectedResult = null)]
    [TestCase("burstable", ExpectedResult = null)]
    [TestCase("podman", ExpectedResult = null)]
    [TestCase("pod.slice", ExpectedResult = null)]
    [TestCase("pod" + Uid + "x", ExpectedResult = null, TestName = "longer than a uid")]
    [TestCase("cri-containerd-" + StaticHash + ".scope", ExpectedResult = null, TestName = "a container")]
    public string? A_cgroup_names_its_pod(string name) => PodNamespaces.UidOf(name);

    [TestCase("kubepods/burstable/pod" + Uid + "/4f2a", TestName = "cgroupfs")]
    [TestCase("kubepods/pod" + Uid + "/4f2a", TestName = "cgroupfs, guaranteed")]
    [TestCase("kubelet/kubepods/besteffort/pod" + Uid + "/4f2a", TestName = "cgroupfs, below a root of the kubelet's")]
    [TestCase("kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + Underscored + ".slice/cri-containerd-4f2a.scope", TestName = "systemd, containerd")]
    [TestCase("kubepods.slice/kubepods-pod" + Underscored + ".slice/crio-4f2a.scope/container", TestName = "systemd, CRI-O")]
    [TestCase("kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod" + Underscored + ".slice/cri-containerd-4f2a.scope", TestName = "systemd, below the kubelet's slice")]
    public void A_pod_is_found_in_every_form_of_the_tree(string container)
    {
        Container(container, 200);
        Process("200", "net:[7]");
        Assert.That(Find().Find(Uid).Namespaces, Is.EqualTo(new[] { $"{Proc}/200/ns/net" }));
    }

    [Test]
    public void Version_1_is_looked_through_where_version_2_has_no_pods()
    {
        Directory.CreateDirectory(Path.Combine(Cgroups, "unified", "system.slice"));
        Container("pids/kubepods/burstable/pod" + Uid + "/4f2a", 200);
        Container("memory/kubepods/burstable/pod" + Uid + "/4f2a", 200);
        Process("200", "net:[7]");
        var pods = new PodNamespaces([Path.Combine(Cgroups, "unified"), Path.Combine(Cgroups, "pids"), Path.Combine(Cgroups, "memory")], Proc);
        Assert.That(pods.Find(Uid).Namespaces, Is.EqualTo(new[] { $"{Proc}/200/ns/net" }));
    }

    [Test]
    public void An_empty_folder_of_version_2_does_not_hide_the_processes_in_version_1()
    {
        Container("unified/kubepods/burstable/pod" + Uid + "/4f2a");
        Container("pids/kubepods/burstable/pod" + Uid + "/4f2a", 200);
        Process("200", "net:[7]");
        Assert.That(new PodNamespaces([Path.Combine(Cgroups, "unified"), Path.Combine(Cgroups, "pids")], Proc).Find(Uid).Namespaces, Has.Count.EqualTo(1));
    }

    [Test]
    public void What_is_missing_is_told_apart()
    {
        var pods = Find();
        Assert.That(pods.Find(Uid).Reason, Does.Contain("no cgroup"));
        var container = Container("kubepods/burstable/pod" + Uid + "/4f2a");
        Assert.That(pods.Find(Uid).Reason, Does.Contain("no process"));
        File.WriteAllText(Path.Combine(container, "cgroup.procs"), "200\n");
        Assert.That(pods.Find(Uid).Reason, Does.Contain("no process"), "one that is gone already");
        Process("200", "net:[1]");
        Assert.That(pods.Find(Uid).Reason, Does.Contain("node's own network"));
    }

    [Test]
    public void A_pod_that_starts_again_elsewhere_is_found_there()
    {
        Container("kubepods/besteffort/pod" + Uid + "/old", 200);
        Process("200", "net:[7]");
        var pods = Find();
        Assert.That(pods.Find(Uid).Namespaces, Has.Count.EqualTo(1));
        Directory.Delete(Path.Combine(Cgroups, "kubepods"), recursive: true);
        Assert.That(pods.Find(Uid), Is.EqualTo(PodProcesses.None));
        Container("kubepods/burstable/pod" + Uid + "/new", 300);
        Process("300", "net:[8]");
        Assert.That(pods.Find(Uid).Namespaces, Is.EqualTo(new[] { $"{Proc}/300/ns/net" }));
    }

    [Test]
    public void A_container_full_of_namespaces_does_not_hide_the_sandbox()
    {
        int[] flood = [.. Enumerable.Range(1000, 500)];
        Container("kubepods/burstable/pod" + Uid + "/hostile", flood);
        foreach (var process in flood)
            Process($"{process}", $"net:[{process}]");
        Container("kubepods/burstable/pod" + Uid + "/sandbox", 200);
        Process("200", "net:[7]");
        var found = Find().Find(Uid).Namespaces;
        Assert.That(found, Does.Contain($"{Proc}/200/ns/net"));
        Assert.That(found, Has.Count.LessThan(50), "and costs little");
    }

    [Test]
    public void Mounts_say_where_to_look()
    {
        string[] hybrid =
        [
            "25 19 0:22 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755",
            "26 25 0:23 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate",
            "27 25 0:24 / /sys/fs/cgroup/systemd rw,nosuid shared:11 - cgroup cgroup rw,xattr,name=systemd",
            "31 25 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:15 - cgroup cgroup rw,cpu,cpuacct",
            "33 25 0:30 / /sys/fs/cgroup/pids rw,nosuid shared:17 - cgroup cgroup rw,pids",
            "40 19 0:40 / /sys/fs/bpf rw shared:18 - bpf bpf rw",
            "not a line of mounts",
        ];
        Assert.That(NodeMesh.Datapath.Attach.Cgroups.Trees("/sys/fs/cgroup/unified", NodeMesh.Datapath.Attach.Cgroups.Read(hybrid)),
            Is.EqualTo(new[] { "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/pids" }));
        string[] unified = ["26 25 0:23 / /sys/fs/cgroup rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate"];
        Assert.That(NodeMesh.Datapath.Attach.Cgroups.Trees("/sys/fs/cgroup", NodeMesh.Datapath.Attach.Cgroups.Read(unified)), Is.EqualTo(new[] { "/sys/fs/cgroup" }));
        Assert.That(NodeMesh.Datapath.Attach.Cgroups.Trees("/sys/fs/cgroup/system.slice", NodeMesh.Datapath.Attach.Cgroups.Read(unified)),
            Is.EqualTo(new[] { "/sys/fs/cgroup/system.slice", "/sys/fs/cgroup" }), "services are translated for a part of the node only");
    }

    private PodNamespaces Find() => new([Cgroups], Proc);

    private string Container(string path, params int[] processes)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Cgroups, path)).FullName;
        File.WriteAllLines(Path.Combine(folder, "cgroup.procs"), processes.Select(p => $"{p}"));
        return folder;
    }

    private void Process(string pid, string netns)
    {
        Directory.CreateDirectory(Path.Combine(Proc, pid, "ns"));
        File.CreateSymbolicLink(Path.Combine(Proc, pid, "ns", "net"), netns);
    }
}
