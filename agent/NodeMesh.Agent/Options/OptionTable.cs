using System.Net;
using Microsoft.Extensions.Logging;
using NodeMesh.Model;
using static NodeMesh.Agent.Options.OptionParsers;

namespace NodeMesh.Agent.Options;

/// <summary>Every option of the agent, once: the command line, the environment, help and docs/options.md are made from here.</summary>
internal static class OptionTable
{
    public static readonly OptionSpec<string> ConfigDir = new("--config-dir", "DIR", "", Text, "Directory of YAML objects to serve; watched for changes") { DefaultWords = "none: the objects come from a cluster" };
    public static readonly OptionSpec<string> Kubeconfig = new("--kubeconfig", "FILE", "", Text, "Serve the objects of the cluster that this file names; together with --config-dir, those of both") { DefaultWords = "in a pod, without --config-dir: the pod's own cluster, by its service account" };
    public static readonly OptionSpec<string> ApiServer = new("--api-server", "URL", "", Url, "Where the API server is reached, without any Service between: needed where nothing but NodeMesh serves Services, for NodeMesh starts by asking it; of several, one that does not answer gives way to the next; see kubernetes.md", true) { DefaultWords = "as the kubeconfig or the pod's environment says" };
    public static readonly OptionSpec<bool> ObjectCache = new("--object-cache", "BOOL", "true", Flag, "Keep what was heard last from the API server in the run directory: an agent that starts while the server is away serves that; false: its proxy serves nothing until the server is back");
    public static readonly OptionSpec<string> NodeName = new("--node-name", "NAME", "", Text, "This node's name: pods with this spec.nodeName are local") { DefaultWords = "the host name" };
    public static readonly OptionSpec<IpAddr> NodeAddress = new("--node-address", "IP", "", Address, "An address of this node", true) { DefaultWords = "those on its interfaces, followed as they change" };
    public static readonly OptionSpec<IpAddr> GatewayAddress = new("--gateway-address", "IP", "", Address, "Where Gateways listen that name no address", true) { DefaultWords = "every address of the node" };
    public static readonly OptionSpec<IpPrefix> NodePortAddresses = new("--nodeport-addresses", "CIDR", "", Block, "NodePorts are served at the node's addresses in this block", true) { DefaultWords = "all of them" };
    public static readonly OptionSpec<bool> KubeProxyReplacement = new("--kube-proxy-replacement", "BOOL", "true", Flag, "Node ports, host ports, external and load balancer addresses are served here, before any rule of kube-proxy; false: they are left to a kube-proxy that runs beside, and only what pods and processes of the node ask of services is served; see services.md");
    public static readonly OptionSpec<Balancing> LbAlgorithm = new("--lb-algorithm", "NAME", "random", Algorithm, "random or maglev: how a connection's backend is chosen where a service does not say by the annotation nodemesh.io/lb-algorithm");
    public static readonly OptionSpec<int> MaglevTableSize = new("--maglev-table-size", "N", "1021", Prime, "Places in a service's Maglev table, a prime: about a hundred times the backends; the same on every node");
    public static readonly OptionSpec<bool> PolicyMode = new("--policy-mode", "MODE", "enforce", Mode, "enforce or audit: audit lets through what policies of any kind would refuse, and counts it");
    public static readonly OptionSpec<string> Bpffs = new("--bpffs", "DIR", "/sys/fs/bpf", Text, "A mounted BPF file system; the kernel side is pinned below it");
    public static readonly OptionSpec<string> Cgroup = new("--cgroup", "DIR", "", Text, "The cgroup2 directory whose processes get services translated") { DefaultWords = "the root of the mounted cgroup2 file system" };
    public static readonly OptionSpec<string> RunDir = new("--run-dir", "DIR", "/run/nodemesh", Text, "Holds the API socket (api.sock, for root only), the agent's lock and, for root only, what was heard last from the API server");
    public static readonly OptionSpec<string> CriSocket = new("--cri-socket", "FILE", "", Text, "Socket of the node's container runtime (CRI): what it says of pods' networks comes before what the API does; see on-the-node.md") { DefaultWords = "none: pods are found by their cgroups" };
    public static readonly OptionSpec<string> Devices = new("--devices", "NAME", "", Text, "An interface toward other nodes and the world", true) { DefaultWords = "all that carry an address and are no pod's; of veths those with the address of a network, not with a /32 or /128 alone, which network plugins give to pods'" };
    public static readonly OptionSpec<ushort> ProxyPort = new("--proxy-port", "PORT", "15001", Port, "The proxy's listener on 127.0.0.1 and ::1");
    public static readonly OptionSpec<int> ProxyWorkers = new("--proxy-workers", "N", "0", Number(0, 1024), "Threads that serve connections; 0: one per CPU, at most 4");
    public static readonly OptionSpec<int> MarkShift = new("--mark-shift", "BIT", "24", Number(0, 30), "Lowest of the two bits of the packet mark that are ours; choose others when another program uses these");
    public static readonly OptionSpec<bool> LocalRedirect = new("--local-redirect", "BOOL", "true", Flag, "Packets between two pods of this node go straight from pod to pod once policy let the connection through; false: by the node's own stack, where its netfilter and other programs see them");
    public static readonly OptionSpec<bool> RcuExpedited = new("--rcu-expedited", "BOOL", "true", Flag, "While programs are put on interfaces or taken off, the kernel's grace periods are expedited (/sys/kernel/rcu_expedited): that of a pod takes 0.2 ms instead of 26, but every CPU is interrupted for it; false where some are isolated for work in real time");
    public static readonly OptionSpec<bool> PolicyDenyResponse = new("--policy-deny-response", "NAME", "reject", DenyResponse, "reject or drop: whether who sent what policy refuses is told at once (connect(2) fails, TCP is reset, others get an ICMP error: administratively prohibited) or waits in vain");
    public static readonly OptionSpec<bool> PolicyBeforePlan = new("--policy-before-plan", "NAME", "closed", BeforePlan, "closed or open: what a pod is whose interface is guarded but whose policy could not be written yet");
    public static readonly OptionSpec<int> RouteTable = new("--route-table", "N", "15001", Number(256, int.MaxValue), "Routing table that delivers the proxy's packets on this host");
    public static readonly OptionSpec<MapSize> MapSize = new("--map-size", "NAME=ROWS", "", Size, "Most rows of a kernel table, see Table sizes", true) { DefaultWords = "see Table sizes" };
    public static readonly OptionSpec<TimeSpan> CtEstablished = new("--ct-tcp-established", "TIME", "120h", Duration, "A tracked TCP connection is forgotten after so long without a packet");
    public static readonly OptionSpec<TimeSpan> CtOpening = new("--ct-tcp-opening", "TIME", "120s", Duration, "The same, before the first answer");
    public static readonly OptionSpec<TimeSpan> CtHalfClosed = new("--ct-tcp-half-closed", "TIME", "120s", Duration, "The same, after one side closed");
    public static readonly OptionSpec<TimeSpan> CtClosing = new("--ct-tcp-closing", "TIME", "10s", Duration, "The same, after both sides closed");
    public static readonly OptionSpec<TimeSpan> CtUdp = new("--ct-udp", "TIME", "30s", Duration, "The same for UDP, before the first answer");
    public static readonly OptionSpec<TimeSpan> CtUdpStream = new("--ct-udp-stream", "TIME", "120s", Duration, "The same for UDP, after it");
    public static readonly OptionSpec<TimeSpan> CtIcmp = new("--ct-icmp", "TIME", "30s", Duration, "The same for ICMP");
    public static readonly OptionSpec<bool> BpfCompile = new("--bpf-compile", "", "false", Flag, "Compile the embedded BPF sources on this node and load the result");
    public static readonly OptionSpec<string> Clang = new("--clang", "FILE", "", Text, "The compiler for --bpf-compile") { DefaultWords = "clang-19 or clang from PATH" };
    public static readonly OptionSpec<IPEndPoint> MetricsAddress = new("--metrics-address", "IP:PORT", "[::]:9464", Socket, "Where /metrics, /healthz and /readyz are served, by [::] at every address of both IP families: plain HTTP, read-only, counts and object names but no payload; bind 127.0.0.1 where the network is not trusted");
    public static readonly OptionSpec<bool> PolicyMetrics = new("--policy-metrics", "BOOL", "false", Flag, "Also count connections by policy rule in /metrics: up to 1000 series");
    public static readonly OptionSpec<TimeSpan> DrainTimeout = new("--drain-timeout", "TIME", "30s", Duration, "After SIGTERM, requests under way get so long to end; a second SIGTERM ends at once");
    public static readonly OptionSpec<LogLevel> LogLevel = new("--log-level", "LEVEL", "info", Level, "debug, info, warning or error");
    public static readonly OptionSpec<TextFormat> LogFormat = new("--log-format", "FORMAT", "text", Format, "text or json; the log goes to stderr");
    public static readonly OptionSpec<AccessLogMode> AccessLog = new("--access-log", "FORMAT", "off", OptionParsers.AccessLog, "off, text (Envoy's default format) or json: a line per request on stdout");
    public static readonly OptionSpec<CniGateMode> CniGate = new("--cni-gate", "MODE", "off", Gate, "off, fail-closed or fail-open: a pod starts only once its policy is in force, by a plugin chained into the node's CNI list; with the agent away or too slow it does not start, or starts all the same; see cni.md");
    public static readonly OptionSpec<string> CniBinDir = new("--cni-bin-dir", "DIR", "/opt/cni/bin", Text, "Where the runtime looks for CNI plugins");
    public static readonly OptionSpec<string> CniConfDir = new("--cni-conf-dir", "DIR", "/etc/cni/net.d", Text, "Where the runtime looks for CNI lists, of which it uses the first");
    public static readonly OptionSpec<TimeSpan> CniTimeout = new("--cni-timeout", "TIME", "30s", Duration, "So long a pod's start is held at most, 1 s to 10 m");

    /// <summary>In the order of help and docs.</summary>
    public static readonly OptionSpec[] All =
    [
        ConfigDir, Kubeconfig, ApiServer, ObjectCache, NodeName, NodeAddress, GatewayAddress, NodePortAddresses, KubeProxyReplacement, LbAlgorithm, MaglevTableSize, PolicyMode, PolicyDenyResponse, PolicyBeforePlan, Bpffs, Cgroup, CriSocket, RunDir, Devices, ProxyPort, ProxyWorkers, MarkShift, RouteTable, LocalRedirect, RcuExpedited, MapSize,
        CtEstablished, CtOpening, CtHalfClosed, CtClosing, CtUdp, CtUdpStream, CtIcmp, BpfCompile, Clang, CniGate, CniBinDir, CniConfDir, CniTimeout, MetricsAddress, PolicyMetrics, DrainTimeout, LogLevel, LogFormat, AccessLog,
    ];
}
