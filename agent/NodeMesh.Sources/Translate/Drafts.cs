using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Sources.Translate;

// What a translator makes of one object where the model needs more than that object: the builder's link stages finish these.

/// <summary>A pod; null when it has run to its end and is no part of the mesh any more.</summary>
internal sealed record PodDraft(Workload? Workload);

/// <param name="Service">Without its ports.</param>
/// <param name="Selector">Null when the service has none: its slices are written by someone else.</param>
/// <param name="IsForeign">Nothing that the mesh could balance (ExternalName), or that another program serves.</param>
internal sealed record ServiceDraft(
    Service Service, ImmutableArray<ServicePortDraft> Ports, LabelSelector? Selector, bool PublishNotReady, bool IsForeign)
{
    public ObjectName Name => Service.Name;
}

/// <param name="TargetName">Name of a container port; null when <paramref name="TargetPort"/> counts.</param>
/// <param name="NodePort">0: none.</param>
/// <param name="Index">Place in spec.ports.</param>
internal sealed record ServicePortDraft(
    string Name, Protocol Protocol, ushort Port, string AppProtocol, ushort TargetPort, string? TargetName, ushort NodePort, int Index);

/// <param name="Service">Empty name: the slice belongs to no service.</param>
/// <param name="Endpoints">Their port is 0: each is behind every port of the slice.</param>
internal sealed record SliceDraft(ObjectName Service, ImmutableArray<SlicePort> Ports, ImmutableArray<Backend> Endpoints);

internal readonly record struct SlicePort(string Name, Protocol Protocol, ushort Port);

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
