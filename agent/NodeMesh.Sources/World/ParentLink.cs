using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.World;

/// <summary>Whether what a route names as its parents exists.</summary>
internal static class ParentLink
{
    /// <param name="found">Takes those that do not.</param>
    /// <param name="gateways">Of our class.</param>
    public static void Check(
        List<Diagnostic> found, ObjectSite source, Route route, IReadOnlyDictionary<ObjectName, Service> services,
        Dictionary<ObjectName, Gateway> gateways, HashSet<ObjectName> allGateways)
    {
        foreach (var p in route.Parents)
        {
            var why = p.Kind == ParentKind.Service
                ? WhyNoParent(p, services.GetValueOrDefault(p.Name))
                : gateways.TryGetValue(p.Name, out var gateway) ? WhyNoParent(p, gateway)
                : allGateways.Contains(p.Name) ? null : $"there is no Gateway {p.Name}";
            if (why is not null)
                found.Add(new Diagnostic("unknown-parent", Severity.Warning, source.Ref, p.Path, why, "the route takes no requests there until it exists", source.Location));
        }
    }

    private static string? WhyNoParent(RouteParent parent, Service? service)
    {
        if (service is null)
            return $"there is no usable Service {parent.Name}";
        if (service.ClusterIps.Length == 0)
            return $"Service {parent.Name} has no cluster address to which requests could be sent";
        if (service.Ports.Any(parent.Means))
            return null;
        return $"Service {parent.Name} has no port{Named(parent)}";
    }

    private static string? WhyNoParent(RouteParent parent, Gateway gateway)
    {
        if (gateway.Listeners.Any(l => (parent.SectionName ?? l.Name) == l.Name && (parent.Port ?? l.Port) == l.Port))
            return null;
        return $"Gateway {parent.Name} has no usable listener{Named(parent)}";
    }

    /// <summary>"80", "named 'http'" or both, as far as the parent says.</summary>
    private static string Named(RouteParent parent) =>
        (parent.Port is { } port ? $" {(parent.Kind == ParentKind.Gateway ? "on port " : "")}{port}" : "") + (parent.SectionName is { } section ? $" named '{section}'" : "");
}
