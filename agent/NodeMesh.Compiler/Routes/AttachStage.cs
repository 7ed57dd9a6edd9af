using System.Collections.Immutable;
using NodeMesh.Compiler.Services;
using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Compiler.Routes;

/// <summary>The routes that shape each service port, by name.</summary>
internal sealed class RouteAttachments(Dictionary<ServicePortName, List<Route>> routes)
{
    public IReadOnlyCollection<ServicePortName> Ports => routes.Keys;

    public ImmutableArray<Route> Of(ServicePortName port) => routes.TryGetValue(port, out var attached) ? [.. attached] : [];
}

/// <summary>Joins HTTPRoutes to the Services they name as parents.</summary>
internal static class AttachStage
{
    public static RouteAttachments Run(MeshSnapshot mesh, ServiceCatalog catalog, PlanBuilder plan)
    {
        var attached = new Dictionary<ServicePortName, List<Route>>();
        foreach (var route in mesh.Routes)
        {
            foreach (var parent in route.Parents)
            {
                if (parent.Kind != ParentKind.Service)
                    continue;
                foreach (var port in PortsOf(route, parent, catalog, plan))
                {
                    if (!attached.TryGetValue(port, out var routes))
                        attached.Add(port, routes = []);
                    if (!routes.Contains(route))
                        routes.Add(route);
                }
            }
        }

        return new RouteAttachments(attached);
    }

    private static IEnumerable<ServicePortName> PortsOf(Route route, RouteParent parent, ServiceCatalog catalog, PlanBuilder plan)
    {
        // That a parent or its port does not exist is said where references are followed, in Sources.
        if (catalog.Find(parent.Name) is not { ClusterIps.Length: > 0 } service)
            yield break;

        var named = service.Ports.Where(parent.Means).ToList();
        var any = false;
        foreach (var port in named.Where(p => p.Protocol == Protocol.Tcp && AppProtocols.Of(p) != AppProtocol.Tcp))
        {
            any = true;
            yield return new ServicePortName(parent.Name, port.Port);
        }

        if (!any && named.Count > 0)
        {
            plan.Report("port-is-not-http", Severity.Warning, new ObjectRef("HTTPRoute", route.Name), parent.Path,
                named.Count == 1 && named[0].Protocol == Protocol.Tcp
                    ? $"port {named[0].Port} of Service {parent.Name} declares by its name or appProtocol that it is not HTTP"
                    : $"Service {parent.Name} has no TCP port there that may speak HTTP, by its name or appProtocol",
                "the route is not attached to this parent", route.Location);
        }
    }
}
