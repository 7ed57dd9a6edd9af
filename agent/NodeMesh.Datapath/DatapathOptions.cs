namespace NodeMesh.Datapath;

/// <summary>Where the kernel side lives and how large it may grow. docs/options.md has the memory each size costs.</summary>
public sealed record DatapathOptions
{
    /// <summary>A mounted BPF file system: pins go to nodemesh/ below it.</summary>
    public string BpffsPath { get; init; } = "/sys/fs/bpf";

    /// <summary>The cgroup (version 2) whose processes get service translation; empty for the root of the one that is mounted.</summary>
    public string CgroupPath { get; init; } = "";

    /// <summary>Holds the lock that keeps a second agent off.</summary>
    public string RunDirectory { get; init; } = "/run/nodemesh";

    /// <summary>Lowest of the two bits of the packet mark that are ours; 0 to 30.</summary>
    public int MarkShift { get; init; } = 24;

    /// <summary>Of the proxy's transparent listener on 127.0.0.1 and ::1.</summary>
    public ushort ProxyPort { get; init; } = 15001;

    /// <summary>Routing table in which every packet is delivered on this host.</summary>
    public uint RouteTable { get; init; } = 15001;

    /// <summary>Preference of the rule that leads to <see cref="RouteTable"/>; the rule one before it guards against src_valid_mark.</summary>
    public uint RulePreference { get; init; } = 9;

    /// <summary>Interfaces toward other nodes and the world; empty for all that carry an address and are no pod's.</summary>
    public IReadOnlyList<string> NodeDevices { get; init; } = [];

    /// <summary>Packets between two pods of this node go from veth to veth, past the node's own stack, once both pods' policies let the connection through.</summary>
    public bool LocalRedirect { get; init; } = true;

    /// <summary>Attaching and detaching switches the kernel's grace periods to expedited ones for as long as it takes.</summary>
    public bool ExpediteRcu { get; init; } = true;

    /// <summary>Who sent what policy refuses is told: by an error of connect(2), a reset or an ICMP error.</summary>
    public bool RejectDenied { get; init; } = true;

    /// <summary>A pod whose policy could not be written yet is open, not closed.</summary>
    public bool OpenBeforePlan { get; init; }

    public MapSizes Maps { get; init; } = new();

    public TrackingLifetimes Lifetimes { get; init; } = new();

    /// <summary>Between two comparisons of the kernel's tables with what was written to them.</summary>
    public TimeSpan AuditInterval { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>Most rows of each table.</summary>
public sealed record MapSizes
{
    public uint Identities { get; init; } = 65536;

    public uint Backends { get; init; } = 65536;

    public uint Slots { get; init; } = 262144;

    public uint Members { get; init; } = 65536;

    public uint SourceRanges { get; init; } = 16384;

    public uint Frontends { get; init; } = 65536;

    public uint Classes { get; init; } = 262144;

    public uint Verdicts { get; init; } = 262144;

    public uint Endpoints { get; init; } = 4096;

    public uint Pods { get; init; } = 8192;

    public uint TcpConnections { get; init; } = 131072;

    public uint OtherConnections { get; init; } = 65536;

    public uint Fragments { get; init; } = 8192;

    public uint Counters { get; init; } = 16384;

    public uint Translations { get; init; } = 65536;

    public uint Affinities { get; init; } = 65536;

    public uint NatBrief { get; init; } = 65536;

    public uint NatTcp { get; init; } = 65536;

    public uint NatAny { get; init; } = 32768;

    public uint NatFragments { get; init; } = 8192;

    public uint RuleHits { get; init; } = 16384;
}

/// <summary>
/// How long a tracked connection lives without a packet, as in Linux's own tracking; only what has been closed goes sooner (10 s, not 120), since a row
/// matters then for late retransmissions alone.
/// </summary>
public sealed record TrackingLifetimes
{
    public TimeSpan TcpEstablished { get; init; } = TimeSpan.FromDays(5);

    public TimeSpan TcpOpening { get; init; } = TimeSpan.FromSeconds(120);

    public TimeSpan TcpHalfClosed { get; init; } = TimeSpan.FromSeconds(120);

    public TimeSpan TcpClosing { get; init; } = TimeSpan.FromSeconds(10);

    public TimeSpan Udp { get; init; } = TimeSpan.FromSeconds(30);

    public TimeSpan UdpStream { get; init; } = TimeSpan.FromSeconds(120);

    public TimeSpan Icmp { get; init; } = TimeSpan.FromSeconds(30);
}
