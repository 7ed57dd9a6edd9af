using System.Collections.Immutable;
using NodeMesh.Compiler.Gateways;
using NodeMesh.Compiler.Identities;
using NodeMesh.Compiler.Policies;
using NodeMesh.Compiler.Routes;
using NodeMesh.Compiler.Services;
using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Compiler;

/// <summary>Turns the mesh as meant into the mesh as run. Pure: same input, same plan, byte for byte.</summary>
public static class MeshCompiler
{
    /// <summary>Compiles from nothing.</summary>
    public static MeshPlan Compile(MeshSnapshot mesh, NodeFacts node) => Compile(mesh, node, MeshPlan.Empty);

    /// <summary>The same plan as without <paramref name="previous"/>; what did not change is the very object of that plan, and costs next to nothing.</summary>
    /// <param name="previous">The plan before; <see cref="MeshPlan.Empty"/> when there is none.</param>
    public static MeshPlan Compile(MeshSnapshot mesh, NodeFacts node, MeshPlan previous)
    {
        var before = previous.Memory as CompilerMemory;
        var expansion = PolicyExpansion.Run(mesh, before?.Expansion ?? PolicyExpansion.Empty); // services and nodes that policies name, as addresses
        mesh = mesh with { Policies = expansion.Meant };
        var view = NodeView.Of(mesh, node);
        var here = NodePods.Of(mesh.Workloads, node.NodeName, before?.Here ?? NodePods.None);
        var catalog = new Lazy<ServiceCatalog>(() => ServiceCatalog.Build(mesh, view, previous.Proxy));

        var policy = before is not null && before.HasSamePolicyInput(mesh, node)
            ? before.Policy
            : Policy(mesh, node, here, before?.Policy ?? PolicyTables.Empty);          // default deny is a row, not a missing row
        var attach = before is not null && before.HasSameRouteInput(mesh, node) && !Speaks(before.Attach, before.Mesh.Services, mesh.Services)
            ? before.Attach
            : Attach(mesh, catalog, previous.Proxy, before?.Attach);                   // which routes shape which service ports
        var services = ServiceStage.Run(mesh, node, view, here, attach.L7, before?.Services ?? ServiceTables.Empty, out var touched); // load balancing in the kernel
        var routes = before is not null && ReferenceEquals(attach, before.Attach) && ReferenceEquals(policy.Identities.Namespaces, before.Policy.Identities.Namespaces)
            && !touched.Any(t => attach.Services.Contains(t.Name))
            ? before.Routes
            : Routes(mesh, node, catalog, policy, attach, services, previous.Proxy);   // what the proxy does with requests

        var identities = before is not null && ReferenceEquals(policy, before.Policy) && ReferenceEquals(routes, before.Routes)
            ? before.Identities
            : IdentityRows.Of(policy.Identities, policy.Dialled.And(routes.DialledAddresses), before?.Identities ?? IdentityRows.Empty); // who has which address
        return PlanJoin.Join(new CompilerMemory(mesh, node, here, expansion, policy, attach, services, routes, identities), before, previous);
    }

    /// <summary>Policy alone, for questions about it: of services counts only what policies say of their backends.</summary>
    internal static MeshPlan CompilePolicies(MeshSnapshot mesh, NodeFacts node) => Compile(
        mesh with { Policies = PolicyExpansion.Run(mesh, PolicyExpansion.Empty).Meant, Services = [], Routes = [], Gateways = [], Certificates = [] }, node);

    private static PolicyTables Policy(MeshSnapshot mesh, NodeFacts node, NodePods here, PolicyTables before) =>
        PolicyStage.Run(mesh, node, here, IdentityStage.Run(mesh, node, before.Identities), before);

    private static AttachPart Attach(MeshSnapshot mesh, Lazy<ServiceCatalog> catalog, ProxyPlan previous, AttachPart? before)
    {
        var plan = new PlanBuilder(previous);
        var attachments = mesh.Routes.Length == 0 ? new RouteAttachments([]) : AttachStage.Run(mesh, catalog.Value, plan);
        var parents = mesh.Routes.SelectMany(r => r.Parents).Where(p => p.Kind == ParentKind.Service).Select(p => p.Name);
        var backends = mesh.Routes.SelectMany(r => r.Rules).SelectMany(r => r.Backends).Select(b => b.Service);
        ImmutableHashSet<ServicePortName> l7 = [.. attachments.Ports];
        return new AttachPart(attachments, [.. parents, .. backends], before is not null && before.L7.SetEquals(l7) ? before.L7 : l7, plan);
    }

    private static PlanBuilder Routes(
        MeshSnapshot mesh, NodeFacts node, Lazy<ServiceCatalog> catalog, PolicyTables policy, AttachPart attach, ServiceTables services, ProxyPlan previous)
    {
        var plan = new PlanBuilder(previous);
        if (mesh.Routes.Length == 0 && mesh.Gateways.Length == 0)
            return plan;
        RouteStage.Run(catalog.Value, attach.Attachments, services.L7Frontends(), plan);
        GatewayStage.Run(mesh, node, catalog.Value, policy.Identities, plan);
        return plan;
    }

    /// <summary>Whether a service that a route speaks of changed.</summary>
    private static bool Speaks(AttachPart attach, ImmutableArray<Service> before, ImmutableArray<Service> now) =>
        attach.Services.Count > 0 && SortedLists.Difference(before, now, s => s.Name).Any(d => attach.Services.Contains((d.New ?? d.Old)!.Name));
}
