using System.Collections.Immutable;
using NodeMesh.Compiler.Services;
using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Compiler.Routes;

/// <summary>What the proxy does with the requests to a service: the rules of all routes attached to its port, merged.</summary>
internal static class RouteStage
{
    public static void Run(ServiceCatalog catalog, RouteAttachments attachments, List<L7Frontend> frontends, PlanBuilder plan)
    {
        var previous = plan.Previous.Services;
        var families = new[] { true, false }.ToDictionary(ipv4 => ipv4, ipv4 => new RouteActions(ParentKind.Service, port => catalog.Cluster(port, ipv4), plan));
        foreach (var frontend in frontends)
        {
            var ipv4 = frontend.Address.IsIPv4;
            RouteTablePlan Table(IEnumerable<Route> routes) => new([new VirtualHostPlan("*", families[ipv4].Entries(routes))]);

            // A route beside its Service speaks for everyone, one of another namespace for its own namespace's pods, who then hear no other (GEP-1426).
            var home = frontend.Port.Service.Namespace;
            var byNamespace = attachments.Of(frontend.Port).ToLookup(r => r.Name.Namespace, StringComparer.Ordinal);
            var service = new ServicePlan(
                frontend.Port.ToString(),
                AppProtocols.Of(catalog.FindTcpPort(frontend.Port)!),
                byNamespace.Contains(home) ? Table(byNamespace[home]) : null,
                catalog.Cluster(frontend.Port, ipv4)!)
            {
                ConsumerRoutes = byNamespace.Where(g => g.Key != home).ToImmutableSortedDictionary(g => g.Key, Table, StringComparer.Ordinal),
            };

            var address = new ServiceAddress(frontend.Address, frontend.Port.Port);
            if (previous.TryGetValue(address, out var old) && PlanEquality.Same(old, service))
                service = old;
            plan.Services.Add(address, service);
            MarkDialled(service, plan);
        }
    }

    // The proxy dials them from its reserved source ports in the client's name; so pods must keep off these ports.
    private static void MarkDialled(ServicePlan service, PlanBuilder plan)
    {
        var clusters = service.Tables.SelectMany(t => t.Hosts).SelectMany(h => h.Entries).SelectMany(e => e.Action.Targets).Select(t => t.Cluster).Append(service.Cluster);
        foreach (var endpoint in clusters.Where(c => c is not null).Distinct().SelectMany(c => c!.Endpoints))
            plan.MayBeDialled(endpoint.Address);
    }
}
