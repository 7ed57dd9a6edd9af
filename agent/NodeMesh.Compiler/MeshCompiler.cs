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

    /// <summary>The same plan as without <paramref name="previous"/>; what did not change is the very object of that plan.</summary>
    /// <param name="previous">The plan before; <see cref="MeshPlan.Empty"/> when there is none.</param>
    public static MeshPlan Compile(MeshSnapshot mesh, NodeFacts node, MeshPlan previous)
    {
        var plan = new PlanBuilder(mesh, node, previous);

        var identities = IdentityStage.Run(mesh, node, plan);
        var catalog = ServiceCatalog.Build(mesh, previous.Proxy);
        var attachments = AttachStage.Run(mesh, catalog, plan);            // which routes shape which service ports
        var frontends = ServiceStage.Run(mesh, attachments, plan);         // load balancing in the kernel
        RouteStage.Run(catalog, attachments, frontends, plan);       // what the proxy does with a service's requests
        PolicyStage.Run(mesh, node, identities, plan);                     // default deny is a row, not a missing row
        GatewayStage.Run(mesh, node, catalog, identities, plan);

        return plan.Build(identities);
    }
}
