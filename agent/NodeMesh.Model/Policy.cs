using System.Collections.Immutable;

namespace NodeMesh.Model;

public enum PolicyKind
{
    NetworkPolicy,
    MeshPolicy,
    ClusterMeshPolicy,
    ClusterNetworkPolicy,
}

/// <summary>In the order of judging. A tier that decides ends it; what none decides is allowed.</summary>
public enum PolicyTier
{
    /// <summary>ClusterNetworkPolicy of tier Admin, by priority and rule by rule.</summary>
    Admin,

    /// <summary>NetworkPolicy, MeshPolicy and ClusterMeshPolicy together: Deny beats Allow, any Allow suffices, isolation refuses the rest.</summary>
    Namespace,

    /// <summary>ClusterNetworkPolicy of tier Baseline, as Admin.</summary>
    Baseline,
}

public enum PolicyAction
{
    Allow,
    Deny,

    /// <summary>The rest of the tier has no say; not in the namespace tier.</summary>
    Pass,
}

/// <summary>A policy of any kind, in one shape.</summary>
/// <param name="Namespaces">Which namespaces' pods; the policy's own namespace is already folded in. Null means every namespace.</param>
/// <param name="IsolatesIngress">With no matching Allow, ingress to the subject is refused. NetworkPolicy: by policyTypes. MeshPolicy: by policyTypes,
/// and without them when it has at least one ingress Allow rule (a policy of Deny rules only takes away, as Istio's does). ClusterNetworkPolicy: never.</param>
public sealed record Policy(
    PolicyKind Kind,
    ObjectName Name,
    LabelSelector Subject,
    NamespaceMatch Namespaces,
    bool IsolatesIngress,
    bool IsolatesEgress,
    ImmutableArray<PolicyRule> Ingress,
    ImmutableArray<PolicyRule> Egress,
    SourceLocation? Location = null)
{
    public ObjectRef Ref => new(Kind.ToString(), Name);

    public PolicyTier Tier { get; init; } = PolicyTier.Namespace;

    /// <summary>Within the tiers Admin and Baseline: lower numbers are asked first.</summary>
    public int Priority { get; init; }

    /// <summary>Only counts what it would have refused: it neither refuses nor allows anything.</summary>
    public bool IsAudit { get; init; }
}

/// <summary>Namespaces by exact name, by label selector, or all when both are null.</summary>
public sealed record NamespaceMatch(string? Name, LabelSelector? Selector)
{
    public static readonly NamespaceMatch All = new(null, null);
}

/// <param name="Peers">Empty: every peer. Several: any of them.</param>
/// <param name="Ports">Empty: every port and protocol.</param>
/// <param name="Http">Empty: no look at requests. Several: any of them.</param>
public sealed record PolicyRule(PolicyAction Action, ImmutableArray<PolicyPeer> Peers, ImmutableArray<PortMatch> Ports, ImmutableArray<HttpMatch> Http)
{
    /// <summary>How messages name it within its policy: "ingress[0]".</summary>
    public string Name { get; init; } = "";

    /// <summary>Services whose backends are peers beside <see cref="Peers"/>, at their target ports when <see cref="Ports"/> is empty. With a service, no
    /// <see cref="Peers"/> means no others.</summary>
    public ImmutableArray<ObjectName> Services { get; init; } = [];
}

public abstract record PolicyPeer;

/// <summary>Pods by labels in namespaces by name or labels.</summary>
public sealed record PodPeer(LabelSelector Pods, NamespaceMatch Namespaces) : PolicyPeer;

/// <summary>Addresses in <paramref name="Cidr"/> and in none of <paramref name="Except"/>. Matches pods' addresses too.</summary>
public sealed record CidrPeer(IpPrefix Cidr, ImmutableArray<IpPrefix> Except) : PolicyPeer;

public sealed record EntityPeer(PolicyEntity Entity) : PolicyPeer;

/// <summary>Nodes by labels.</summary>
public sealed record NodePeer(LabelSelector Nodes) : PolicyPeer;

public enum PolicyEntity
{
    /// <summary>This node itself.</summary>
    Host,

    /// <summary>Every other node.</summary>
    RemoteNode,

    /// <summary>Every pod and every node.</summary>
    Cluster,

    /// <summary>Everything outside the cluster.</summary>
    World,

    /// <summary>Everyone, as no list of peers at all.</summary>
    All,

    /// <summary>Where the API server listens: the endpoints of Service default/kubernetes.</summary>
    KubeApiserver,
}

/// <summary>Ports <paramref name="First"/> to <paramref name="Last"/>; or a port by <paramref name="Named"/>, resolved at the pod that is connected to;
/// 0 to 65535 for every port of the protocol. For ICMP a "port" is the type in the high byte and the code in the low one.</summary>
public readonly record struct PortMatch(Protocol Protocol, ushort First, ushort Last, string? Named)
{
    public static PortMatch All(Protocol protocol) => new(protocol, 0, ushort.MaxValue, null);

    /// <param name="code">Null: every code of the type.</param>
    public static PortMatch Icmp(Protocol protocol, byte type, byte? code) =>
        new(protocol, (ushort)((type << 8) | (code ?? 0)), (ushort)((type << 8) | (code ?? 0xff)), null);

    public bool IsAnyPort => Named is null && First == 0 && Last == 65535;
}

/// <summary>One way a request may look; empty lists do not constrain.</summary>
/// <param name="Methods">Upper case, any of them.</param>
public sealed record HttpMatch(
    ImmutableArray<string> Methods, ImmutableArray<StringMatch> Paths, ImmutableArray<string> Hosts, ImmutableArray<HeaderMatch> Headers);

public enum MatchType
{
    Exact,

    /// <summary>By path element, as Gateway API's PathPrefix: "/a" matches "/a" and "/a/b" but not "/ab".</summary>
    PathPrefix,

    /// <summary>RE2-like, the whole value must match.</summary>
    Regex,

    /// <summary>Only presence counts.</summary>
    Present,
}

public readonly record struct StringMatch(MatchType Type, string Value);

/// <param name="Name">Lower case.</param>
public readonly record struct HeaderMatch(string Name, MatchType Type, string Value);
