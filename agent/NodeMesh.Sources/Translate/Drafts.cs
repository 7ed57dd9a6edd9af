using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Sources.Translate;

// What a translator makes of one object where the model needs more than that object: the builder's link stages finish these.

/// <summary>A pod; null when it has run to its end and is no part of the mesh any more.</summary>
internal sealed record PodDraft(Workload? Workload);

/// <param name="Selector">Null when the service has none: its slices are written by someone else.</param>
/// <param name="IsExternalName">Nothing that the mesh could balance.</param>
internal sealed record ServiceDraft(
    ObjectName Name,
    ImmutableArray<IpAddr> ClusterIps,
    ImmutableArray<ServicePortDraft> Ports,
    LabelSelector? Selector,
    bool PublishNotReady,
    bool IsExternalName,
    SourceLocation Location);

/// <param name="TargetName">Name of a container port; null when <paramref name="TargetPort"/> counts.</param>
internal sealed record ServicePortDraft(string Name, Protocol Protocol, ushort Port, string AppProtocol, ushort TargetPort, string? TargetName);

/// <param name="Service">Empty name: the slice belongs to no service.</param>
internal sealed record SliceDraft(ObjectName Service, ImmutableArray<SlicePort> Ports, ImmutableArray<SliceEndpoint> Endpoints);

internal readonly record struct SlicePort(string Name, Protocol Protocol, ushort Port);

internal readonly record struct SliceEndpoint(IpAddr Address, string NodeName);

/// <param name="BackendLines">Line of each backendRef, by rule.</param>
internal sealed record RouteDraft(Route Route, ImmutableArray<ImmutableArray<int>> BackendLines);

internal sealed record GatewayDraft(Gateway Gateway, string ClassName, ImmutableArray<ListenerSite> Sites);

/// <summary>Where a listener and its certificateRefs stand.</summary>
internal sealed record ListenerSite(int Index, int Line, ImmutableArray<int> CertificateLines);

internal sealed record ClassDraft(string Name, bool IsOurs);

/// <summary>A Secret; null when it is of a type that the mesh does not read.</summary>
internal sealed record SecretDraft(Certificate? Certificate);

/// <param name="To">Empty names mean every object of the kind.</param>
internal sealed record GrantDraft(string Namespace, ImmutableArray<(string Group, string Kind, string Namespace)> From, ImmutableArray<(string Group, string Kind, string Name)> To);
