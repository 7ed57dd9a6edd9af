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
            for (var i = 0; i < route.Parents.Length; i++)
            {
                if (route.Parents[i].Kind != ParentKind.Service)
                    continue;
                foreach (var port in PortsOf(route, i, catalog, plan))
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

    private static IEnumerable<ServicePortName> PortsOf(Route route, int index, ServiceCatalog catalog, PlanBuilder plan)
    {
        var parent = route.Parents[index];
        void Refuse(string code, string field, string message) => plan.Report(
            code, Severity.Warning, new ObjectRef("HTTPRoute", route.Name), $"spec.parentRefs[{index}]{field}", message,
            "the route is not attached to this parent", route.Location);

        // That a parent or its port does not exist is said where references are followed, in Sources.
        if (catalog.Find(parent.Name) is not { } service)
            yield break;

        var ports = service.Ports.Where(p => p.Protocol == Protocol.Tcp && (parent.Port is null || parent.Port == p.Port)).ToList();
        if (ports.Count == 0 && service.Ports.Any(p => parent.Port is null || parent.Port == p.Port))
            Refuse("port-is-not-http", parent.Port is null ? "" : ".port", $"Service {parent.Name} has no such TCP port, and requests travel over TCP");
        foreach (var port in ports)
        {
            if (AppProtocols.Of(port) != AppProtocol.Tcp)
                yield return new ServicePortName(parent.Name, port.Port);
            else if (parent.Port is not null || ports.Count == 1)
                Refuse("port-is-not-http", ".port", $"port {port.Port} of Service {parent.Name} declares by its name or appProtocol that it is not HTTP");
        }
    }
}
