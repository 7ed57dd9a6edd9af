using System.Collections.Immutable;
using NodeMesh.Compiler.Identities;
using NodeMesh.Compiler.Routes;
using NodeMesh.Compiler.Services;
using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Compiler.Gateways;

/// <summary>Sockets of the node for outside callers: the listeners on each, their certificates, and the routes attached to them.</summary>
internal static class GatewayStage
{
    public static void Run(MeshSnapshot mesh, NodeFacts node, ServiceCatalog catalog, IdentityTable identities, PlanBuilder plan)
    {
        if (mesh.Gateways.Length == 0 && !mesh.Routes.Any(r => r.Parents.Any(p => p.Kind == ParentKind.Gateway)))
            return;

        var actions = new RouteActions(ParentKind.Gateway, catalog.ClusterOfAnyFamily, plan);
        var attachments = GatewayRoutes.Attach(mesh, identities, plan);
        var certificates = mesh.Certificates.ToDictionary(c => c.Name);
        foreach (var (address, claims) in Sockets.Assign(mesh, node, plan))
        {
            var hosts = claims.Select(c => Host(c, attachments, certificates, actions, plan)).OfType<GatewayHostPlan>()
                .OrderBy(h => h.Hostname, Hostnames.MostSpecificFirst).ToImmutableArray();
            if (hosts.Length > 0)
                plan.Gateways.Add(new GatewayPlan($"{claims[0].Gateway.Name}:{address.Port}", address, claims[0].Listener.Protocol, hosts));
        }
    }

    private static GatewayHostPlan? Host(
        Sockets.Claim claim, GatewayRoutes attachments, Dictionary<ObjectName, Certificate> known, RouteActions actions, PlanBuilder plan)
    {
        var certificates = claim.Listener.Protocol == ListenerProtocol.Https ? Certificates(claim, known, plan) : [];
        if (claim.Listener.Protocol == ListenerProtocol.Https && certificates.Length == 0)
            return null;
        return new GatewayHostPlan(claim.ToString(), claim.Hostname, certificates, Table(attachments.Of(claim), actions));
    }

    // A less specific host's rules come after those of a more specific one, for requests that only they match.
    private static RouteTablePlan Table(ImmutableArray<(string Host, Route Route)> attached, RouteActions actions)
    {
        var hosts = attached.Select(a => a.Host).Distinct(StringComparer.Ordinal).Order(Hostnames.MostSpecificFirst).ToList();
        var own = hosts.ToDictionary(h => h, h => actions.Entries(attached.Where(a => a.Host == h).Select(a => a.Route).Distinct()));
        return new RouteTablePlan([.. hosts.Select(host =>
            new VirtualHostPlan(host, [.. hosts.Where(wider => Hostnames.Covers(wider, host)).SelectMany(wider => own[wider]).Distinct()]))]);
    }

    private static ImmutableArray<Certificate> Certificates(Sockets.Claim claim, Dictionary<ObjectName, Certificate> known, PlanBuilder plan)
    {
        var found = ImmutableArray.CreateBuilder<Certificate>();
        for (var i = 0; i < claim.Listener.Certificates.Length; i++)
        {
            var name = claim.Listener.Certificates[i];
            if (known.TryGetValue(name, out var certificate))
                found.Add(certificate);
            else
                plan.Report("certificate-not-usable", Severity.Error, new ObjectRef("Gateway", claim.Gateway.Name), "spec.listeners",
                    $"listener {claim.Listener.Name} needs Secret {name}, and there is no usable kubernetes.io/tls Secret of that name",
                    "a listener with no usable certificate is left out", claim.Gateway.Location);
        }

        return found.ToImmutable();
    }
}
