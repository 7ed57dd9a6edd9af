using System.Globalization;
using NodeMesh.Model;
using MatchType = NodeMesh.Model.MatchType;

namespace NodeMesh.Plan;

/// <summary>The proxy's configuration as text.</summary>
internal static class ProxyText
{
    public static void Write(ProxyPlan proxy, TextSections text)
    {
        text.Section("routes", proxy.Services.OrderBy(s => s.Value.Name, StringComparer.Ordinal).ThenBy(s => s.Key.Address)
            .SelectMany(s => ServiceLines(s.Key, s.Value)));
        text.Section("clusters", Clusters(proxy).DistinctBy(c => c.Name, StringComparer.Ordinal).OrderBy(c => c.Name, StringComparer.Ordinal)
            .Select(c => $"{c.Name}: {(c.Endpoints.Length == 0 ? "no endpoint" : string.Join(" ", c.Endpoints.Select(e => e.Address.WithPort(e.Port))))}"));
        text.Section("gateways", proxy.Gateways.SelectMany(GatewayLines));
    }

    public static string Match(StringMatch match) => match.Type switch
    {
        MatchType.Exact => $"= {match.Value}",
        MatchType.PathPrefix => $"{match.Value.TrimEnd('/')}/*",
        MatchType.Regex => $"~ {match.Value}",
        _ => "present",
    };

    private static IEnumerable<ClusterPlan> Clusters(ProxyPlan proxy)
    {
        var tables = proxy.Services.Values.SelectMany(s => s.Tables).Concat(proxy.Gateways.SelectMany(g => g.Hosts).Select(h => h.Routes));
        return proxy.Services.Values.Select(s => s.Cluster)
            .Concat(tables.SelectMany(t => t.Hosts).SelectMany(h => h.Entries).SelectMany(e => e.Action.Targets).Select(t => t.Cluster).OfType<ClusterPlan>());
    }

    private static IEnumerable<string> ServiceLines(ServiceAddress address, ServicePlan service)
    {
        yield return $"{service.Name} at {address.Address.WithPort(address.Port)} ({service.Protocol.ToString().ToLowerInvariant()})";
        if (service.Routes is { } routes)
            foreach (var line in TableLines(routes))
                yield return $"  {line}";
        foreach (var (ns, own) in service.ConsumerRoutes)
        {
            yield return $"  for clients in {ns}";
            foreach (var line in TableLines(own))
                yield return $"    {line}";
        }
    }

    private static IEnumerable<string> GatewayLines(GatewayPlan gateway)
    {
        yield return $"{gateway.Name} on {gateway.Address} ({gateway.Protocol.ToString().ToLowerInvariant()})";
        foreach (var host in gateway.Hosts)
        {
            yield return $"  listener {host.Listener} for {host.Hostname}";
            foreach (var certificate in host.Certificates)
                yield return $"    certificate {certificate.Name} {certificate.Fingerprint[..Math.Min(12, certificate.Fingerprint.Length)]}, valid until {certificate.NotAfter.ToUniversalTime().ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}";
            foreach (var line in TableLines(host.Routes))
                yield return $"    {line}";
        }
    }

    private static IEnumerable<string> TableLines(RouteTablePlan table)
    {
        foreach (var host in table.Hosts)
        {
            yield return $"host {host.Host}";
            foreach (var entry in host.Entries)
                yield return $"  {MatchText(entry.Match)} -> {ActionText(entry.Action)}";
        }
    }

    private static string MatchText(RouteMatch match)
    {
        var text = $"{match.Method ?? "any"} {Match(match.Path)}";
        foreach (var header in match.Headers)
            text += $", header {header.Name} {Match(new StringMatch(header.Type, header.Value))}";
        foreach (var query in match.Query)
            text += $", query {query.Name} {Match(new StringMatch(query.Type, query.Value))}";
        return text;
    }

    private static string ActionText(RouteActionPlan action)
    {
        var parts = new List<string> { $"[{action.Name}]" };
        if (action.Redirect is { } redirect)
            parts.Add($"redirect {redirect.StatusCode} {redirect.Scheme ?? "-"} {redirect.Hostname ?? "-"} {redirect.Port?.ToString(CultureInfo.InvariantCulture) ?? "-"} {PathText(redirect.Path)}");
        else if (action.Targets.Length == 0)
            parts.Add("500");
        if (action.Rewrite is { } rewrite)
            parts.Add($"rewrite {rewrite.Hostname ?? "-"} {PathText(rewrite.Path)}");
        parts.AddRange(action.RequestHeaders.Select(h => $"request {HeaderText(h)}"));
        parts.AddRange(action.ResponseHeaders.Select(h => $"response {HeaderText(h)}"));
        parts.AddRange(action.Targets.Select(t => TargetText(t)));
        if (action.Targets.Length == 0)
            return string.Join(", ", parts);
        if (action.Timeout is { } timeout)
            parts.Add(action.TimeoutCoversResponse ? $"within {Seconds(timeout)}" : $"answer begins within {Seconds(timeout)} (default)");
        if (action.BackendTimeout is { } backend)
            parts.Add($"each try {Seconds(backend)}");
        return string.Join(", ", parts);
    }

    private static string Seconds(TimeSpan time) => $"{time.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s";

    private static string TargetText(RouteTargetPlan target)
    {
        var text = $"{target.Weight} x {target.Cluster?.Name ?? "500"}";
        foreach (var header in target.RequestHeaders.Select(h => $"request {HeaderText(h)}").Concat(target.ResponseHeaders.Select(h => $"response {HeaderText(h)}")))
            text += $" with {header}";
        return text;
    }

    private static string PathText(PathRewrite? path) => path is null ? "-" : path.ReplacesPrefix ? $"prefix {path.Value}" : $"path {path.Value}";

    private static string HeaderText(HeaderFilter filter) => string.Join(" ",
        filter.Set.Select(h => $"set {h.Key}={h.Value}").Concat(filter.Add.Select(h => $"add {h.Key}={h.Value}")).Concat(filter.Remove.Select(h => $"remove {h}")));
}
