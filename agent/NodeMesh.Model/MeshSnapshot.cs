using System.Collections.Immutable;

namespace NodeMesh.Model;

/// <summary>The mesh as meant at one moment. Every list is sorted by name, so that equal worlds are equal lists.</summary>
public sealed record MeshSnapshot(
    ulong Revision,
    ImmutableArray<MeshNamespace> Namespaces,
    ImmutableArray<MeshNode> Nodes,
    ImmutableArray<Workload> Workloads,
    ImmutableArray<Service> Services,
    ImmutableArray<Policy> Policies,
    ImmutableArray<Route> Routes,
    ImmutableArray<Gateway> Gateways,
    ImmutableArray<Certificate> Certificates,
    ImmutableArray<Diagnostic> Diagnostics)
{
    public static readonly MeshSnapshot Empty = new(0, [], [], [], [], [], [], [], [], []);

    /// <summary>Not every source could say yet what there is; of those, this holds what there was. So nothing is gone only because it is not here.</summary>
    public bool IsRecalled { get; init; }
}

/// <summary>What the node itself contributes to a plan.</summary>
/// <param name="NodeName">Pods with this spec.nodeName, or with an attachment and none, are local.</param>
/// <param name="Addresses">Addresses on the node's devices, loopback and link-local left out.</param>
/// <param name="GatewayAddresses">Where Gateways listen unless they say; empty: the wildcard addresses.</param>
public sealed record NodeFacts(string NodeName, ImmutableArray<IpAddr> Addresses, ImmutableArray<IpAddr> GatewayAddresses)
{
    /// <summary>NodePorts are served at the node's addresses in these blocks; empty: at all.</summary>
    public ImmutableArray<IpPrefix> NodePortBlocks { get; init; } = [];

    /// <summary>Services are served at the node's own devices and ports, too; otherwise kube-proxy does that.</summary>
    public bool ReplacesKubeProxy { get; init; } = true;

    /// <summary>Where the node's processes listen, the agent itself left out.</summary>
    public ImmutableHashSet<BusyPort> BusyPorts { get; init; } = [];

    /// <summary>For services that do not say.</summary>
    public Balancing Balancing { get; init; }

    /// <summary>A prime.</summary>
    public int MaglevTableSize { get; init; } = 1021;

    /// <summary>Every policy of every kind only counts what it would have refused.</summary>
    public bool AuditsPolicies { get; init; }

    /// <summary>How many rows the kernel has room for.</summary>
    public PolicyRoom PolicyRoom { get; init; } = PolicyRoom.Unbounded;
}

/// <param name="Verdicts">Rows of nm_verdict.</param>
/// <param name="Classes">Rows of nm_class.</param>
public readonly record struct PolicyRoom(uint Verdicts, uint Classes)
{
    public static readonly PolicyRoom Unbounded = new(uint.MaxValue, uint.MaxValue);
}

/// <param name="Address">"0.0.0.0" for every IPv4 address, "::" for every address.</param>
public readonly record struct BusyPort(Protocol Protocol, IpAddr Address, ushort Port);
