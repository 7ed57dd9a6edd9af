using System.Globalization;
using NodeMesh.Agent.Api;

namespace NodeMesh.Agent.Output;

/// <summary>Services for people: a line for each port, then its addresses and backends.</summary>
internal static class ServiceTable
{
    public static string Of(ServicesReply reply)
    {
        var table = new TableText("NAMESPACE", "SERVICE", "TYPE", "PORT", "BY", "POLICY IN/OUT", "TRAITS", "ROUTES", "SERVED AT", "BACKENDS");
        foreach (var s in reply.Services)
        {
            table.Row(s.Namespace, s.Name, s.Type, string.Create(CultureInfo.InvariantCulture, $"{s.Port}/{s.Protocol}{(s.PortName.Length > 0 ? $" ({s.PortName})" : "")}"), s.HandledBy,
                $"{s.InternalTrafficPolicy}/{s.ExternalTrafficPolicy}", Traits(s), string.Join(",", s.Routes), string.Join(", ", s.Frontends.Select(Text)),
                s.Endpoints.Count == 0 ? "none" : string.Join(", ", s.Endpoints.Select(Text)));
        }

        return table.ToString();
    }

    private static string Traits(Service s)
    {
        var traits = new List<string>();
        if (s.AffinitySeconds > 0)
            traits.Add(string.Create(CultureInfo.InvariantCulture, $"affinity {s.AffinitySeconds} s"));
        if (s.TrafficDistribution.Length > 0)
            traits.Add(s.TrafficDistribution);
        if (s.Balancing != "random")
            traits.Add(s.Balancing);
        if (s.HealthCheckNodePort > 0)
            traits.Add(string.Create(CultureInfo.InvariantCulture, $"health at {s.HealthCheckNodePort}"));
        return string.Join(", ", traits);
    }

    private static string Text(Frontend f) =>
        $"{(f.Kind == "cluster IP" ? "" : f.Kind + " ")}{f.Address}{(f.SourceRanges.Length > 0 ? $" for {f.SourceRanges}" : "")}";

    private static string Text(Backend b)
    {
        var notes = new[] { b.State == "ready" ? "" : b.State, b.Local ? "here" : "", b.Zone, b.Chosen || b.State != "ready" ? "" : "not chosen", b.Connections == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{b.Connections} open") }.Where(n => n.Length > 0);
        return string.Join(" ", [b.Address, .. notes.Select(n => $"[{n}]")]);
    }
}
