using System.Collections.Immutable;

namespace NodeMesh.Model;

public enum Protocol : byte
{
    Any = 0,
    Icmp = 1,
    Tcp = 6,
    Udp = 17,
    Icmpv6 = 58,
    Sctp = 132,
}

/// <summary>A port that a container names.</summary>
public readonly record struct NamedPort(string Name, Protocol Protocol, ushort Number);

/// <summary>How the agent finds a local pod's interface.</summary>
/// <param name="Netns">Name under /run/netns or absolute path of the pod's network namespace; empty when unknown.</param>
/// <param name="HostInterface">Name of the host-side interface; wins over <paramref name="Netns"/> when both are given.</param>
/// <param name="Uid">By which the kubelet names the pod's cgroup; empty when unknown. A pod that is found by it is found by none of the former.</param>
/// <param name="Sandbox">Path of its network namespace as the container runtime told it; empty when it did not. Comes before all else.</param>
public readonly record struct Attachment(string Netns, string HostInterface, string Uid = "", string Sandbox = "")
{
    /// <summary>Somebody said where it is, which makes a pod local that names no node.</summary>
    public bool IsNamed => !string.IsNullOrEmpty(Netns) || !string.IsNullOrEmpty(HostInterface);

    public bool IsKnown => IsNamed || !string.IsNullOrEmpty(Uid) || !string.IsNullOrEmpty(Sandbox);
}

/// <summary>A pod.</summary>
/// <param name="Addresses">status.podIPs, in order; empty while the pod has none.</param>
/// <param name="NodeName">spec.nodeName; empty when not said.</param>
/// <param name="Attachment">Known for pods of this node only.</param>
public sealed record Workload(
    ObjectName Name,
    ImmutableSortedDictionary<string, string> Labels,
    ImmutableArray<IpAddr> Addresses,
    ImmutableArray<NamedPort> Ports,
    string NodeName,
    bool HostNetwork,
    bool Ready,
    bool Terminating,
    Attachment Attachment,
    SourceLocation? Location = null)
{
    /// <summary>metadata.creationTimestamp.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>Empty for pods on the host's network, which listen there themselves.</summary>
    public ImmutableArray<HostPort> HostPorts { get; init; } = [];
}

/// <summary>A port of the node that leads to a pod's container.</summary>
/// <param name="Number">On the node.</param>
/// <param name="Target">In the pod.</param>
/// <param name="Address">hostIP; null: every address of the node.</param>
public readonly record struct HostPort(ushort Number, ushort Target, Protocol Protocol, IpAddr? Address);

public sealed record MeshNamespace(string Name, ImmutableSortedDictionary<string, string> Labels);

/// <summary>A node; <paramref name="Addresses"/> are its InternalIP and ExternalIP addresses.</summary>
public sealed record MeshNode(string Name, ImmutableSortedDictionary<string, string> Labels, ImmutableArray<IpAddr> Addresses, ImmutableArray<IpPrefix> PodCidrs);
