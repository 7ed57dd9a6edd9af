using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using NodeMesh.Datapath;
using NodeMesh.Model;
using static NodeMesh.Agent.Options.OptionTable;

namespace NodeMesh.Agent.Options;

/// <summary>How the operator wants the agent, in groups as their readers need them.</summary>
/// <param name="CriSocket">Empty: the container runtime is not asked.</param>
internal sealed record AgentOptions(SourceOptions Source, string RunDir, NodeOptions Node, DatapathOptions Datapath, BpfSourceOptions Bpf, ProxyTuning Proxy, CniGateOptions CniGate, string CriSocket, SurfaceOptions Surface)
{
    /// <exception cref="CommandFailure">BadOptions: the first value that cannot be.</exception>
    public static AgentOptions Read(OptionValues values)
    {
        return new AgentOptions(
            SourceOptions.Read(values, File.Exists),
            Path.GetFullPath(values.One(OptionTable.RunDir)),
            NodeOptions.Read(values),
            ReadDatapath(values),
            new BpfSourceOptions(values.One(BpfCompile), values.OneOr(Clang, "")),
            new ProxyTuning(values.One(ProxyWorkers), values.One(DrainTimeout)),
            CniGateOptions.Read(values),
            values.OneOr(OptionTable.CriSocket, "") is { Length: > 0 } cri ? Path.GetFullPath(cri) : "",
            new SurfaceOptions(SurfaceOptions.Everywhere(values.One(MetricsAddress), Socket.OSSupportsIPv6), values.One(OptionTable.LogLevel), values.One(LogFormat), values.One(AccessLog), values.One(OptionTable.PolicyMetrics)));
    }

    /// <summary>What cleanup and check need too.</summary>
    public static DatapathOptions ReadDatapath(OptionValues values) => new()
    {
        BpffsPath = values.One(Bpffs),
        CgroupPath = values.OneOr(Cgroup, ""),
        RunDirectory = Path.GetFullPath(values.One(OptionTable.RunDir)),
        MarkShift = values.One(MarkShift),
        ProxyPort = values.One(ProxyPort),
        RouteTable = (uint)values.One(RouteTable),
        LocalRedirect = values.One(OptionTable.LocalRedirect),
        ExpediteRcu = values.One(OptionTable.RcuExpedited),
        RejectDenied = values.One(PolicyDenyResponse),
        OpenBeforePlan = values.One(PolicyBeforePlan),
        NodeDevices = values.Many(Devices),
        Maps = ReadMapSizes(values),
        Lifetimes = new TrackingLifetimes
        {
            TcpEstablished = values.One(CtEstablished),
            TcpOpening = values.One(CtOpening),
            TcpHalfClosed = values.One(CtHalfClosed),
            TcpClosing = values.One(CtClosing),
            Udp = values.One(CtUdp),
            UdpStream = values.One(CtUdpStream),
            Icmp = values.One(CtIcmp),
        },
    };

    public static MapSizes ReadMapSizes(OptionValues values) =>
        values.Many(OptionTable.MapSize).Aggregate(new MapSizes(), (sizes, one) => MapTables.Find(one.Table)!.With(sizes, one.Rows));
}

/// <param name="Addresses">Empty: from the interfaces.</param>
/// <param name="GatewayAddresses">Empty: every address.</param>
/// <param name="NodePortBlocks">Empty: every address.</param>
internal sealed record NodeOptions(
    string Name,
    IReadOnlyList<IpAddr> Addresses,
    IReadOnlyList<IpAddr> GatewayAddresses,
    IReadOnlyList<IpPrefix> NodePortBlocks,
    Balancing Balancing,
    int MaglevTableSize,
    bool AuditsPolicies,
    bool ReplacesKubeProxy,
    PolicyRoom PolicyRoom)
{
    /// <summary>What a plan depends on; these are options of <c>nodemesh plan</c> too.</summary>
    public static readonly OptionSpec[] Specs = [NodeName, NodeAddress, GatewayAddress, NodePortAddresses, OptionTable.KubeProxyReplacement, LbAlgorithm, OptionTable.MaglevTableSize, PolicyMode, OptionTable.MapSize];

    /// <exception cref="CommandFailure">BadOptions.</exception>
    public static NodeOptions Read(OptionValues values) => new(
        values.OneOr(NodeName, Environment.MachineName), values.Many(NodeAddress), values.Many(GatewayAddress), values.Many(NodePortAddresses),
        values.One(LbAlgorithm), values.One(OptionTable.MaglevTableSize), values.One(PolicyMode), values.One(OptionTable.KubeProxyReplacement), Room(AgentOptions.ReadMapSizes(values)));

    private static PolicyRoom Room(MapSizes sizes) => new(sizes.Verdicts, sizes.Classes);

    public NodeFacts Facts(IEnumerable<IpAddr> addresses) => new(Name, [.. addresses.Distinct().Order()], [.. GatewayAddresses])
    {
        NodePortBlocks = [.. NodePortBlocks],
        Balancing = Balancing,
        MaglevTableSize = MaglevTableSize,
        AuditsPolicies = AuditsPolicies,
        ReplacesKubeProxy = ReplacesKubeProxy,
        PolicyRoom = PolicyRoom,
    };
}

/// <param name="Compile">From the embedded sources, on this node.</param>
/// <param name="Clang">Empty: looked for in PATH.</param>
internal sealed record BpfSourceOptions(bool Compile, string Clang);

/// <param name="Workers">0: one per CPU.</param>
internal sealed record ProxyTuning(int Workers, TimeSpan DrainTimeout);

internal enum CniGateMode
{
    Off,
    FailClosed,
    FailOpen,
}

internal sealed record CniGateOptions(CniGateMode Mode, string BinDir, string ConfDir, TimeSpan Timeout)
{
    /// <exception cref="CommandFailure">BadOptions.</exception>
    public static CniGateOptions Read(OptionValues values)
    {
        var timeout = values.One(CniTimeout);
        if (timeout < TimeSpan.FromSeconds(1) || timeout > TimeSpan.FromMinutes(10))
            throw new CommandFailure(ExitCode.BadOptions, $"{CniTimeout.Name}: from 1 s to 10 m expected");
        return new CniGateOptions(values.One(OptionTable.CniGate), Path.GetFullPath(values.One(CniBinDir)), Path.GetFullPath(values.One(CniConfDir)), timeout);
    }
}

internal sealed record SurfaceOptions(IPEndPoint MetricsAddress, LogLevel LogLevel, TextFormat LogFormat, AccessLogMode AccessLog, bool PolicyMetrics)
{
    /// <summary>[::] is every address; on a node whose kernel has no IPv6, those that there are.</summary>
    public static IPEndPoint Everywhere(IPEndPoint address, bool hasIpv6) =>
        hasIpv6 || !address.Address.Equals(IPAddress.IPv6Any) ? address : new IPEndPoint(IPAddress.Any, address.Port);
}
