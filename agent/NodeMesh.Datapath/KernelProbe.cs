using System.Globalization;
using System.Text;
using NodeMesh.Datapath.Attach;
using NodeMesh.Native;
using NodeMesh.Native.Bpf;
using NodeMesh.Native.Netlink;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath;

/// <param name="Required">The agent does not start without it.</param>
/// <param name="Detail">What was found.</param>
/// <param name="Lost">What does not work without it.</param>
/// <param name="Cure">What to do about it.</param>
public sealed record KernelFeature(string Name, bool Ok, bool Required, string Detail, string Lost, string Cure);

/// <summary>Asks this machine, feature by feature, whether the data path can run. Changes nothing.</summary>
public static class KernelProbe
{
    private const string Btf = "/sys/kernel/btf/vmlinux";
    private const int LoopbackIfindex = 1;
    private const int SkAssign = 124;
    private const int SkcLookupTcp = 99;
    private const int CoarseClock = 160;
    private static readonly Version s_floor = new(6, 1);

    /// <summary>Before kernel 6.6 programs go on interfaces by clsact instead.</summary>
    public static bool HasTcx()
    {
        try
        {
            _ = BpfHook.QueryTcx(LoopbackIfindex, AttachType.TcxIngress);
            return true;
        }
        catch (BpfException e) when (e.Errno == Errno.EINVAL)
        {
            return false;
        }
    }

    public static IReadOnlyList<KernelFeature> Run(DatapathOptions options)
    {
        var cgroup = Cgroups.Find(options.CgroupPath);
        var privileged = HasCapabilities(out var missing);
        var features = new List<KernelFeature>
        {
            new("kernel", Environment.OSVersion.Version >= s_floor, true, Environment.OSVersion.Version.ToString(),
                "everything", "run Linux 6.1 or newer"),
            new("btf", File.Exists(Btf), true, Btf, "programs cannot be fitted to this kernel", "use a kernel built with CONFIG_DEBUG_INFO_BTF=y"),
            new("privilege", privileged, true, privileged ? "CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON" : $"without {missing}",
                "nothing can be loaded or attached", "run as root, or grant the capabilities named"),
            new("bpffs", FileSystems.IsBpffs(options.BpffsPath), true, options.BpffsPath,
                "policy cannot outlive the agent", $"mount -t bpf bpf {options.BpffsPath}"),
            new("cgroup2", FileSystems.IsCgroup2(cgroup), true, cgroup.Length > 0 ? cgroup : "not mounted",
                "service addresses are not translated", "mount -t cgroup2 none /sys/fs/cgroup"),
        };
        if (privileged)
        {
            var tcx = HasTcx();
            features.Add(new("tcx", tcx, false, tcx ? "in use" : "clsact is used instead",
                "attachments are no links; the proxy's workers share a listener", "run Linux 6.6 or newer"));
            features.Add(Helper("socket lookup", SkcLookupTcp, "connections cannot be handed to the proxy: no HTTP policy or routes"));
            features.Add(Helper("socket assignment", SkAssign, "connections cannot be handed to the proxy: no HTTP policy or routes"));
            features.Add(Helper("coarse clock", CoarseClock, "connections cannot be tracked"));
            features.Add(Flag("source of a route", "BPF_FIB_LOOKUP_SRC", "6.7",
                "a service's external or load balancer address, asked from outside, leads to no backend on another node"));
            features.Add(Flag("IPv6 checksums", "BPF_F_IPV6", "6.16",
                "a translated IPv6 packet that its device has summed up is summed up again where it ends"));
            features.Add(BatchedTries());
            features.Add(MarkRules());
            features.Add(SocketEnd());
        }

        features.Add(new("ipv6", File.Exists("/proc/net/if_inet6"), false, "", "IPv6 pods and services", "do not boot with ipv6.disable=1"));
        features.Add(JitFeature());
        features.Add(PortsFeature());
        return features;
    }

    private static KernelFeature Helper(string name, int helper, string lost) => new(
        name, ProgramProbe.HasTrafficHelper(helper), true, string.Create(CultureInfo.InvariantCulture, $"BPF helper {helper}"), lost, "use a kernel built with CONFIG_INET=y and CONFIG_BPF_SYSCALL=y, 6.1 or newer");

    /// <summary>A flag that programs give to a helper; the kernel's own type information has it by name.</summary>
    private static KernelFeature Flag(string name, string flag, string since, string lost)
    {
        var ok = File.Exists(Btf) && File.ReadAllBytes(Btf).AsSpan().IndexOf(Encoding.ASCII.GetBytes($"\0{flag}\0")) >= 0;
        return new(name, ok, false, flag, lost, $"run Linux {since} or newer");
    }

    private static KernelFeature BatchedTries()
    {
        var ok = ProgramProbe.HasBatchedTries();
        return new("batched writes", ok, false, ok ? "tries and hashes" : "one row per call", "large policy changes take longer", "none needed");
    }

    private static KernelFeature MarkRules()
    {
        try
        {
            using var netlink = new NetlinkSocket();
            var rules = RtRules.DumpRules(netlink, IpFamily.V4);
            return new("mark rules", rules.Count > 0, true, $"{rules.Count} IPv4 rules", "packets do not reach the proxy", "use a kernel built with CONFIG_IP_MULTIPLE_TABLES=y");
        }
        catch (SyscallException e)
        {
            return new("mark rules", false, true, e.Message, "packets do not reach the proxy", "use a kernel built with CONFIG_IP_MULTIPLE_TABLES=y");
        }
    }

    private static KernelFeature SocketEnd()
    {
        const string Lost = "UDP sockets that are connected to a backend are not told when it goes away";
        const string Cure = "use a kernel built with CONFIG_INET_DIAG_DESTROY=y and CONFIG_INET_UDP_DIAG";
        try
        {
            var ok = SocketDiag.CanDestroyUdp();
            return new("socket end", ok, false, ok ? "by socket diagnosis" : "not built in", Lost, Cure);
        }
        catch (SyscallException e)
        {
            return new("socket end", false, false, e.Message, Lost, Cure);
        }
    }

    private static KernelFeature JitFeature()
    {
        // The file is not there when the compiler is always on.
        const string Setting = "/proc/sys/net/core/bpf_jit_enable";
        var on = !File.Exists(Setting) || File.ReadAllText(Setting).Trim() != "0";
        return new("jit", on, false, on ? "on" : "off", "every packet costs several times more", "sysctl net.core.bpf_jit_enable=1");
    }

    private static KernelFeature PortsFeature()
    {
        // The proxy binds its source ports itself, above where the kernel takes them for everyone else.
        const string Setting = "/proc/sys/net/ipv4/ip_local_port_range";
        var words = File.Exists(Setting) ? File.ReadAllText(Setting).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) : [];
        var apart = words.Length == 2 && int.Parse(words[1], CultureInfo.InvariantCulture) < Limit.ProxyPortFirst;
        return new("port range", apart, false, words.Length == 2 ? $"{words[0]} to {words[1]}" : "not readable",
            $"the proxy's source ports {Limit.ProxyPortFirst} to {Limit.ProxyPortLast} are not its own: a connection may need several tries to find a free one",
            string.Create(CultureInfo.InvariantCulture, $"sysctl net.ipv4.ip_local_port_range=\"32768 {Limit.ProxyPortFirst - 1}\""));
    }

    private static bool HasCapabilities(out string missing)
    {
        const int NetAdmin = 12;
        const int SysAdmin = 21;
        const int PerfMon = 38;
        const int Bpf = 39;
        const string Field = "CapEff:";
        var line = File.ReadLines("/proc/self/status").FirstOrDefault(l => l.StartsWith(Field, StringComparison.Ordinal), Field + "0");
        var held = ulong.Parse(line.AsSpan(Field.Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        bool Has(int capability) => (held >> capability & 1) != 0;

        var lacking = new List<string>();
        if (!Has(NetAdmin))
            lacking.Add("CAP_NET_ADMIN");
        if (!Has(Bpf) && !Has(SysAdmin))
            lacking.Add("CAP_BPF");
        if (!Has(PerfMon) && !Has(SysAdmin))
            lacking.Add("CAP_PERFMON");
        missing = string.Join(", ", lacking);
        return lacking.Count == 0;
    }
}
