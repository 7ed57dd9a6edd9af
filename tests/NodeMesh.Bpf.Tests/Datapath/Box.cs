using System.Diagnostics;
using NodeMesh.Datapath;

namespace NodeMesh.Bpf.Tests.Datapath;

/// <summary>
/// A network namespace that plays the host, with pods on veths, and a place of its own for pins, lock and cgroup. Gone when disposed.
/// </summary>
internal sealed class Box : IDisposable
{
    private readonly List<string> _namespaces = [];

    public Box()
    {
        if (Environment.UserName != "root")
            Assert.Fail("this test needs root: it makes network namespaces and loads BPF programs");
        Tag = $"nmdp{Guid.NewGuid().ToString("N")[..6]}";
        if (!Native.FileSystems.IsBpffs("/sys/fs/bpf"))
            Sh("mount -t bpf bpf /sys/fs/bpf");
        Bpffs = $"/sys/fs/bpf/{Tag}";
        Directory.CreateDirectory(Bpffs);
        RunDirectory = Directory.CreateTempSubdirectory(Tag).FullName;
        var root = File.ReadLines("/proc/self/mountinfo").First(l => l.Contains(" - cgroup2 ", StringComparison.Ordinal)).Split(' ')[4];
        Cgroup = $"{root}/{Tag}";
        Directory.CreateDirectory(Cgroup);
        Host = AddNamespace("host");
    }

    public string Tag { get; }

    public string Bpffs { get; }

    public string RunDirectory { get; }

    public string Cgroup { get; }

    public string Host { get; }

    /// <summary>A data path that stays in this box.</summary>
    public DatapathOptions Options => new() { BpffsPath = Bpffs, CgroupPath = Cgroup, RunDirectory = RunDirectory };

    public string AddNamespace(string suffix)
    {
        var name = $"{Tag}{suffix}";
        Sh($"ip netns add {name} && ip -n {name} link set lo up");
        _namespaces.Add(name);
        return name;
    }

    /// <summary>A pod whose host side is called after it. The name of its network namespace.</summary>
    public string AddPod(string suffix, string address)
    {
        var pod = AddNamespace(suffix);
        Sh($"ip -n {Host} link add v{suffix} type veth peer name eth0 netns {pod}");
        Sh($"ip -n {Host} link set v{suffix} up && ip -n {pod} link set eth0 up && ip -n {pod} addr add {address}/32 dev eth0");
        return pod;
    }

    /// <summary>Kernel ids of what is attached to an interface of the calling thread's namespace, first in first: of links, or before tcx of the filters' programs.</summary>
    public static uint[] Attached(int ifindex, bool ingress)
    {
        if (KernelProbe.HasTcx())
            return [.. Native.Bpf.BpfHook.QueryTcx(ifindex, ingress ? Native.Bpf.AttachType.TcxIngress : Native.Bpf.AttachType.TcxEgress).Select(p => p.LinkId)];
        using var netlink = new Native.Netlink.NetlinkSocket();
        return [.. Native.Netlink.RtFilters.Dump(netlink, ifindex, ingress).Select(f => f.ProgramId)];
    }

    /// <summary>Runs something with the host namespace as its own.</summary>
    public T InHost<T>(Func<T> action)
    {
        using var netns = Native.Namespaces.NetNamespace.Open(Host);
        return netns.Run(action);
    }

    public void InHost(Action action) => InHost(() =>
    {
        action();
        return 0;
    });

    public static string Sh(string command)
    {
        using var process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", command]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEnd();
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, $"{command}: {error}");
        return output;
    }

    public void Dispose()
    {
        foreach (var name in _namespaces)
            Sh($"ip netns del {name}");
        if (Directory.Exists(Bpffs))
            Sh($"find {Bpffs} -depth -type f -delete; find {Bpffs} -depth -type d -delete");
        Directory.Delete(Cgroup);
        Directory.Delete(RunDirectory, recursive: true);
    }
}
