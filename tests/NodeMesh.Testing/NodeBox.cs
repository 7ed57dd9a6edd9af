using System.Diagnostics;
using System.Globalization;

namespace NodeMesh.Testing;

/// <summary>
/// A node in a box: one namespace plays the node, one each the pods, one the outside world; a cgroup holds every process.
/// Whatever happens to this process, a watchdog takes all of it away: that is the only clean-up there is.
/// </summary>
/// <remarks>Needs root. Node 192.0.2.1 / 2001:db8::1, outside 192.0.2.2 / 2001:db8::2, pods 10.244.0.N / fd00:244::N.</remarks>
public sealed class NodeBox : IDisposable
{
    public const string NodeAddress = "192.0.2.1";
    public const string NodeAddress6 = "2001:db8::1";
    public const string OutsideAddress = "192.0.2.2";
    public const string OutsideAddress6 = "2001:db8::2";
    public const string NodeName = "box";

    private static int _count;

    private readonly Watchdog _watchdog;
    private readonly List<PodBox> _pods = [];
    private int _lastPod = 1;

    /// <exception cref="InvalidOperationException">Not root, or a tool of `make setup` is missing.</exception>
    public NodeBox()
    {
        if (Environment.UserName != "root")
            throw new InvalidOperationException("a node in a box needs root: run as root");
        Id = string.Create(CultureInfo.InvariantCulture, $"nmbox{Environment.ProcessId}x{Interlocked.Increment(ref _count)}");
        WorkDir = Path.Combine(Path.GetTempPath(), Id);
        Cgroup = Path.Combine(Cgroup2Mount(), Id);
        Bpffs = Path.Combine("/sys/fs/bpf", Id);
        Node = new Netns($"{Id}-node", this);
        Outside = new Netns($"{Id}-out", this).Unhooked;
        _watchdog = Watchdog.OfBox(Id, [Cgroup, UnhookedCgroup, OtherCgroup], Bpffs, WorkDir);
        Directory.CreateDirectory(ConfigDir);
        Directory.CreateDirectory(Cgroup);
        Directory.CreateDirectory(UnhookedCgroup);
        Directory.CreateDirectory(OtherCgroup);
        Shell.Script(string.Create(CultureInfo.InvariantCulture, $"""
            grep -q ' /sys/fs/bpf bpf ' /proc/mounts || mount -t bpf bpf /sys/fs/bpf
            mkdir -p {Bpffs}
            ip netns add {Node.Name}
            ip netns add {Outside.Name}
            ip -n {Node.Name} link set lo up
            ip -n {Outside.Name} link set lo up
            nsenter --net=/run/netns/{Node.Name} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0 net.ipv4.conf.all.rp_filter=0
            nsenter --net=/run/netns/{Outside.Name} sysctl -qw net.ipv6.conf.default.accept_dad=0
            ip -n {Node.Name} link add eth0 type veth peer name eth0 netns {Outside.Name}
            ip -n {Node.Name} addr add {NodeAddress}/24 dev eth0
            ip -n {Node.Name} addr add {NodeAddress6}/64 dev eth0 nodad
            ip -n {Node.Name} link set eth0 up
            ip -n {Outside.Name} addr add {OutsideAddress}/24 dev eth0
            ip -n {Outside.Name} addr add {OutsideAddress6}/64 dev eth0 nodad
            ip -n {Outside.Name} link set eth0 up
            ip -n {Outside.Name} route add default via {NodeAddress}
            ip -n {Outside.Name} -6 route add default via {NodeAddress6}
            """)).MustSucceed("making the node");
        WriteConfig("00-node.yaml", $$"""
            apiVersion: v1
            kind: Node
            metadata: { name: {{NodeName}} }
            status:
              addresses:
              - { type: InternalIP, address: {{NodeAddress}} }
              - { type: InternalIP, address: "{{NodeAddress6}}" }
            """);
        AddNamespace("default");
    }

    /// <summary>Prefix of every name this box makes.</summary>
    public string Id { get; }

    public string WorkDir { get; }

    public string ConfigDir => Path.Combine(WorkDir, "config");

    public string RunDir => Path.Combine(WorkDir, "run");

    public string Cgroup { get; }

    /// <summary>For programs that the agent is not told of.</summary>
    public string UnhookedCgroup => Cgroup + "-unhooked";

    /// <summary>For the programs of the other node, where that has an agent.</summary>
    internal string OtherCgroup => Cgroup + "-other";

    public string Bpffs { get; }

    public Netns Node { get; }

    /// <summary>A machine of its own: the mesh knows none of its programs.</summary>
    public Netns Outside { get; }

    public IReadOnlyList<PodBox> Pods => _pods;

    /// <summary>A pod with its veth pair and, in the configuration, its Pod object.</summary>
    /// <param name="labels">YAML of its labels; absent: <c>app: NAME</c>.</param>
    public PodBox AddPod(string name, string ns = "default", string? labels = null, string ports = "")
    {
        var pod = new PodBox(this, name, ns, ++_lastPod);
        _pods.Add(pod);
        pod.Connect(Node, "10.244.0.1");
        WriteConfig($"pod-{ns}-{name}.yaml", pod.Manifest(labels ?? $"app: {name}", ports));
        return pod;
    }

    /// <summary>A pod as the API has it: nothing but its uid says where it is. Without a network yet and without a process.</summary>
    public PodBox DeclarePod(string name, string ns = "default")
    {
        var pod = PlanPod(name, ns);
        Declare(pod, hasAddress: true);
        return pod;
    }

    /// <summary>A pod of which the API has not told yet.</summary>
    public PodBox PlanPod(string name, string ns = "default")
    {
        var pod = new PodBox(this, name, ns, ++_lastPod) { Uid = Guid.NewGuid().ToString() };
        _pods.Add(pod);
        return pod;
    }

    /// <summary>The API tells of it, before or after the kubelet wrote its address there.</summary>
    public void Declare(PodBox pod, bool hasAddress) => WriteConfig($"pod-{pod.Namespace}-{pod.Name}.yaml", pod.Manifest($"app: {pod.Name}", "", hasAddress));

    /// <summary>What a network plugin does at a pod's start.</summary>
    public void Connect(PodBox pod) => pod.Connect(Node, "10.244.0.1");

    /// <summary>A pod in which an nginx says the pod's name on port 80.</summary>
    public PodBox AddServer(string name, string ns = "default", string? labels = null)
    {
        var pod = AddPod(name, ns, labels);
        pod.StartNginx(name);
        return pod;
    }

    /// <summary>Takes the pod's network away, as a container runtime does, and its object.</summary>
    public void RemovePod(PodBox pod)
    {
        _pods.Remove(pod);
        File.Delete(Path.Combine(ConfigDir, $"pod-{pod.Namespace}-{pod.Name}.yaml"));
        Shell.Script($"ip -n {Node.Name} link del {pod.HostInterface}; ip netns del {pod.Netns.Name}").MustSucceed($"removing pod {pod.Name}");
    }

    /// <summary>Writes one file of objects atomically, as an editor or a ConfigMap does.</summary>
    public void WriteConfig(string file, string yaml)
    {
        var temporary = Path.Combine(WorkDir, "." + file);
        File.WriteAllText(temporary, yaml);
        File.Move(temporary, Path.Combine(ConfigDir, file), overwrite: true);
    }

    public void DeleteConfig(string file) => File.Delete(Path.Combine(ConfigDir, file));

    public void AddNamespace(string name, string labels = "") => WriteConfig($"01-ns-{name}.yaml", $$"""
        apiVersion: v1
        kind: Namespace
        metadata:
          name: {{name}}
          labels: { {{labels}} }
        """);

    private string[] Files => ["--config-dir", ConfigDir];

    private AgentPlace Place => new(Node, NodeName, Cgroup, RunDir, Bpffs);

    /// <summary>Starts the published agent in the node's namespace; does not wait for it.</summary>
    public AgentProcess StartAgent(params string[] more) => new(Place, Files, [], more);

    /// <summary>The same with the objects of an API server in place of files.</summary>
    /// <param name="server">"http://127.0.0.1:6443", in the node's namespace.</param>
    public AgentProcess StartAgentOf(string server, params string[] more)
    {
        var kubeconfig = Path.Combine(WorkDir, "kubeconfig");
        File.WriteAllText(kubeconfig, $$"""
            apiVersion: v1
            kind: Config
            current-context: box
            clusters: [ { name: box, cluster: { server: "{{server}}" } } ]
            contexts: [ { name: box, context: { cluster: box, user: agent } } ]
            users: [ { name: agent, user: { token: secret } } ]
            """);
        return new AgentProcess(Place, ["--kubeconfig", kubeconfig], [], more);
    }

    /// <summary>The same, on a machine that lacks a shared library, such as <c>libssl.so.3</c>: for this agent, its file is empty.</summary>
    public AgentProcess StartAgentWithout(string library) => new(Place, Files,
        ["unshare", "--mount", "sh", "-c", $"mount --bind /dev/null $(realpath $(ldconfig -p | awk '$1 == \"{library}\" {{ print $NF; exit }}')) && exec \"$@\"", "sh"], []);

    /// <summary>The same with these capabilities and no others.</summary>
    public AgentProcess StartAgentWithCapabilities(IEnumerable<string> capabilities, params string[] more) => new(Place, Files, With(capabilities), more);

    /// <summary>The same, and as in a container it sees none of the namespaces that a runtime mounts below /run/netns.</summary>
    public AgentProcess StartAgentInContainer(IEnumerable<string> capabilities, params string[] more) =>
        new(Place, Files, ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /run/netns && exec \"$@\"", "sh", .. With(capabilities)], more);

    /// <summary>The command that starts another with these capabilities and no others.</summary>
    public static string[] With(IEnumerable<string> capabilities)
    {
        var list = "-all," + string.Join(',', capabilities.Select(c => "+" + c.ToLowerInvariant()));
        return ["setpriv", $"--inh-caps={list}", $"--bounding-set={list}", "--"];
    }

    /// <summary>The same with mounts of its own: what is mounted or unmounted there, by nsenter, nobody else sees.</summary>
    public AgentProcess StartAgentWithOwnMounts(params string[] more) => new(Place, Files, ["unshare", "--mount", "sh", "-c", "exec \"$@\"", "sh"], more);

    /// <summary>Takes everything of a dead agent off the node.</summary>
    public CommandResult CleanUpAgent() => Node.Run(RepoRoot.AgentBinary, "cleanup", "--bpffs", Bpffs, "--run-dir", RunDir, "--cgroup", Cgroup);

    /// <summary>A namespace that the test made itself; its name must start with <see cref="Id"/> so that it is cleaned up.</summary>
    public Netns InNamespace(string name) => new(name, this);

    /// <summary>How to start a program in a namespace and in a cgroup.</summary>
    internal static ProcessStartInfo Enter(string cgroup, string netns, IEnumerable<string> command) => new("/bin/sh",
        ["-c", $"echo $$ > {cgroup}/cgroup.procs && exec nsenter --net=/run/netns/{netns} -- \"$@\"", "sh", .. command]);

    public void Dispose() => _watchdog.Dispose();

    /// <summary>Where cgroup v2 is mounted: /sys/fs/cgroup, or its "unified" folder beside v1.</summary>
    public static string Cgroup2Mount()
    {
        foreach (var line in File.ReadLines("/proc/mounts"))
        {
            var fields = line.Split(' ');
            if (fields.Length > 2 && fields[2] == "cgroup2")
                return fields[1];
        }

        throw new InvalidOperationException("no cgroup2 is mounted: mount -t cgroup2 none /sys/fs/cgroup/unified");
    }
}
