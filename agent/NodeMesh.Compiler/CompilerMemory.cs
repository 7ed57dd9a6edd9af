using System.Collections.Immutable;
using NodeMesh.Compiler.Identities;
using NodeMesh.Compiler.Policies;
using NodeMesh.Compiler.Services;
using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Compiler;

/// <summary>Which routes shape which service ports.</summary>
/// <param name="Services">Every service that a route speaks of, as parent or backend.</param>
/// <param name="L7">The shaped ports.</param>
internal sealed record AttachPart(Routes.RouteAttachments Attachments, ImmutableHashSet<ObjectName> Services, ImmutableHashSet<ServicePortName> L7, PlanBuilder Plan);

/// <summary>The parts of a plan with the input that each was made from: a part whose input is the same need not be made again.</summary>
internal sealed class CompilerMemory(
    MeshSnapshot mesh, NodeFacts node, NodePods here, PolicyExpansion expansion, PolicyTables policy, AttachPart attach, ServiceTables services, PlanBuilder routes, IdentityRows identities)
    : PlanMemory
{
    /// <summary>With its policies expanded.</summary>
    public MeshSnapshot Mesh => mesh;

    public NodeFacts Node => node;

    public NodePods Here => here;

    public PolicyExpansion Expansion => expansion;

    /// <summary>Who has which address and what they may do.</summary>
    public PolicyTables Policy => policy;

    public AttachPart Attach => attach;

    public ServiceTables Services => services;

    public PlanBuilder Routes => routes;

    public IdentityRows Identities => identities;

    /// <summary>Whether what this was made from is the same but for services, and for what policies do not see of pods.</summary>
    public bool HasSamePolicyInput(MeshSnapshot other, NodeFacts facts) =>
        Neutral(mesh) with { Services = other.Services, Certificates = other.Certificates, Workloads = other.Workloads } == Neutral(other) && SameNode(facts)
        && SortedLists.Difference(mesh.Workloads, other.Workloads, w => w.Name).All(d => d.Old is { } was && d.New is { } now && IsSameToPolicies(was, now));

    /// <summary>Whether what this was made from is the same but for services, pods and policies.</summary>
    public bool HasSameRouteInput(MeshSnapshot other, NodeFacts facts) =>
        Neutral(mesh) with { Services = other.Services, Workloads = other.Workloads, Policies = other.Policies } == Neutral(other) && SameNode(facts);

    /// <summary>A pod becomes ready and unready again and again, which changes nothing about who it is and what it may do.</summary>
    private static bool IsSameToPolicies(Workload was, Workload now) =>
        was with { Ready = now.Ready, CreatedAt = now.CreatedAt, HostPorts = now.HostPorts, Labels = now.Labels, Addresses = now.Addresses, Ports = now.Ports } == now
        && was.Labels.SequenceEqual(now.Labels) && was.Addresses.AsSpan().SequenceEqual(now.Addresses.AsSpan()) && was.Ports.AsSpan().SequenceEqual(now.Ports.AsSpan());

    private bool SameNode(NodeFacts facts) =>
        node.NodeName == facts.NodeName && node.Addresses.AsSpan().SequenceEqual(facts.Addresses.AsSpan())
        && node.GatewayAddresses.AsSpan().SequenceEqual(facts.GatewayAddresses.AsSpan())
        && node.AuditsPolicies == facts.AuditsPolicies && node.PolicyRoom == facts.PolicyRoom;

    // Lists compare by reference: a list that this build does not know of counts as input of every part.
    private static MeshSnapshot Neutral(MeshSnapshot mesh) => mesh with { Revision = 0, Diagnostics = ImmutableArray<Diagnostic>.Empty };
}
