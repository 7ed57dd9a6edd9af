using System.Globalization;
using NodeMesh.Agent.Api;

namespace NodeMesh.Agent.Output;

/// <summary>The API's answers for people.</summary>
internal static class Tables
{
    public static string Status(StatusReply s)
    {
        var up = DateTimeOffset.UtcNow - DateTimeOffset.FromUnixTimeMilliseconds(s.StartedUnixMs);
        var behind = s.DataPath.EnforcedRevision == s.DataPath.PlannedRevision ? "" : string.Create(CultureInfo.InvariantCulture, $" (planned: {s.DataPath.PlannedRevision})");
        var table = new TableText("NODE", s.NodeName)
            .Row("ready", s.Ready ? "yes" : "no: " + string.Join("; ", s.NotReadyBecause))
            .Row("agent", string.Create(CultureInfo.InvariantCulture, $"version {s.Version}, process {s.Pid}, up {up:d\\.hh\\:mm\\:ss}"))
            .Row("addresses", string.Join(", ", s.NodeAddresses))
            .Row("objects", string.Create(CultureInfo.InvariantCulture,
                $"{s.Counts.Endpoints} local pods, {s.Counts.Services} services, {s.Counts.Policies} policies, {s.Counts.Routes} routes, {s.Counts.Gateways} gateways"))
            .Row("diagnostics", Counts(s.Counts.Errors, s.Counts.Warnings))
            .Row("data path", string.Create(CultureInfo.InvariantCulture, $"{s.DataPath.AttachMode}, enforces revision {s.DataPath.EnforcedRevision}{behind}, pinned at {s.DataPath.PinPath}"))
            .Row("kernel writes", string.Create(CultureInfo.InvariantCulture, $"{s.DataPath.Writes} rows in {s.DataPath.Reconciles} rounds, {s.DataPath.Errors} refused"))
            .Row("proxy", string.Create(CultureInfo.InvariantCulture,
                $"{s.Proxy.Workers} workers, {s.Proxy.ActiveConnections} connections, {s.Proxy.Requests} requests, serves revision {s.Proxy.Revision}"));
        if (s.Cluster is { } cluster)
        {
            table.Row("cluster", string.Create(CultureInfo.InvariantCulture, $"{cluster.Server}, {cluster.Objects} objects{(cluster.Synced ? "" : ", not all heard yet")}"));
            if (cluster.Stale > 0)
                table.Row("stale", string.Create(CultureInfo.InvariantCulture, $"{cluster.Stale} objects are as they were before the agent began: not heard since"));
            foreach (var trouble in cluster.Troubles)
                table.Row("not followed", trouble);
        }

        if (s.Runtime is { } runtime)
        {
            table.Row("runtime", runtime.Problem.Length > 0 ? $"no answer at {runtime.Socket}: {runtime.Problem}; pods are found by their cgroups"
                : string.Create(CultureInfo.InvariantCulture, $"{runtime.Name} at {runtime.Socket}, {runtime.Sandboxes} sandboxes"));
        }

        foreach (var listener in s.Proxy.Listeners)
            table.Row("listener", listener);
        if (s.DataPath.Disturbances > 0)
            table.Row("disturbed", string.Create(CultureInfo.InvariantCulture, $"{s.DataPath.Disturbances} times, last: {s.DataPath.LastDisturbance}"));
        if (s.DataPath.LastError.Length > 0)
            table.Row("last problem", s.DataPath.LastError);
        var maps = new TableText("TABLE", "ROWS", "MOST", "FULL");
        foreach (var m in s.DataPath.Maps)
            maps.Row(m.Name, Number(m.Entries), Number(m.Capacity), m.Capacity == 0 ? "" : (m.Entries * 100.0 / m.Capacity).ToString("0.0", CultureInfo.InvariantCulture) + " %");
        return $"{table}\n{maps}";
    }

    public static string Endpoints(EndpointsReply reply)
    {
        var table = new TableText("NAMESPACE", "POD", "ADDRESSES", "IDENTITY", "POLICIES", "IFINDEX", "PACKETS", "DROPPED", "STATE");
        foreach (var e in reply.Endpoints)
        {
            table.Row(e.Namespace, e.Name, string.Join(",", e.Addresses), Number(e.Identity), string.Join(", ", e.Policies), e.Ifindex == 0 ? "" : Number(e.Ifindex),
                e.Packets.ToString(CultureInfo.InvariantCulture), e.DroppedPackets.ToString(CultureInfo.InvariantCulture), e.State);
        }

        return table.ToString();
    }

    public static string Connections(ConnectionsReply reply)
    {
        var table = new TableText("PROTOCOL", "STATE", "SOURCE", "DESTINATION", "POD", "OPENED BY", "WAY", "BACKEND", "EXPIRES IN");
        foreach (var c in reply.Connections)
            table.Row(c.Protocol, c.State, Socket(c.Source, c.SourcePort), Socket(c.Destination, c.DestinationPort), c.Pod, c.OpenedBy, c.Way, c.Backend, $"{Number(c.ExpiresInMs / 1000)} s");
        return reply.Cut ? $"{table}\nThere are more; see --most.\n" : table.ToString();
    }

    public static string Policies(PoliciesReply reply)
    {
        var table = new TableText("KIND", "NAMESPACE", "NAME", "TIER", "MODE", "SELECTS", "ISOLATES", "RULES IN/OUT", "LAYER", "PODS HERE");
        foreach (var p in reply.Policies)
        {
            var isolates = (p.IsolatesIngress, p.IsolatesEgress) switch { (true, true) => "ingress, egress", (true, false) => "ingress", (false, true) => "egress", _ => "" };
            var tier = p.Tier == nameof(Model.PolicyTier.Namespace) ? p.Tier : $"{p.Tier} {Number(p.Priority)}";
            table.Row(p.Kind, p.Namespace, p.Name, tier, p.Audit ? "audit" : "enforce", p.Subject, isolates, $"{Number(p.IngressRules)}/{Number(p.EgressRules)}", p.ReadsRequests ? "requests" : "packets", string.Join(",", p.Endpoints));
        }

        if (reply.Hits.Count == 0)
            return table.ToString();
        var hits = new TableText("RULE", "REASON", "CONNECTIONS");
        foreach (var h in reply.Hits)
            hits.Row(h.Rule, h.Reason, h.Connections.ToString(CultureInfo.InvariantCulture));
        return $"{table}\n{hits}";
    }

    public static string Explanation(ExplainPolicyReply reply)
    {
        var table = new TableText("FROM", "TO", "PORT", "VERDICT", "END", "SAYS", "REASON", "BECAUSE OF", "WOULD REFUSE (AUDIT)");
        foreach (var p in reply.Paths)
        {
            table.Row(p.From, p.To, p.Port, p.Verdict, "egress", p.Egress.Verdict, p.Egress.Reason, p.Egress.Because, p.Egress.Audit);
            table.Row(p.Source, p.Destination, "", "", "ingress", p.Ingress.Verdict, p.Ingress.Reason, p.Ingress.Because, p.Ingress.Audit);
        }

        return table.ToString();
    }

    public static string Changes(DiffPoliciesReply reply)
    {
        if (reply.Changes.Count == 0)
            return "nothing becomes allowed or denied\n";
        var table = new TableText("CHANGE", "FROM", "TO", "PORTS", "BEFORE", "BECAUSE OF");
        foreach (var c in reply.Changes)
            table.Row(c.Before == c.After ? "other rules for requests" : $"now {c.After}", c.From, c.To, c.Ports, c.Before, c.Because);
        return reply.Cut ? $"{table}\nThere are more; see --most.\n" : table.ToString();
    }

    public static string Diagnostics(DiagnosticsReply reply)
    {
        if (reply.Diagnostics.Count == 0)
            return "nothing to complain about\n";
        var table = new TableText("SEVERITY", "WHERE", "OBJECT", "FIELD", "PROBLEM", "IN FORCE INSTEAD");
        foreach (var d in reply.Diagnostics)
            table.Row(d.Severity, d.File.Length == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{d.File}:{d.Line} (document {d.Document})"), d.Object, d.FieldPath, $"{d.Message} [{d.Code}]", d.Consequence);
        return table.ToString();
    }

    public static string Check(CheckResult result)
    {
        var table = new TableText("FEATURE", "STATE", "FOUND", "LOST WITHOUT IT", "CURE");
        foreach (var f in result.Features)
            table.Row(f.Name, f.Ok ? "yes" : f.Required ? "MISSING" : "no", f.Detail, f.Ok ? "" : f.Lost, f.Ok ? "" : f.Cure);
        var verdict = result.Able ? $"This node can run the agent (programs attach by {result.AttachMode})." : "This node cannot run the agent: see MISSING above.";
        return $"{table}\n{verdict}\n";
    }

    /// <summary>"1 error, 2 warnings".</summary>
    public static string Counts(long errors, long warnings) => string.Create(CultureInfo.InvariantCulture,
        $"{errors} {(errors == 1 ? "error" : "errors")}, {warnings} {(warnings == 1 ? "warning" : "warnings")}");

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Socket(string address, uint port) => address.Contains(':', StringComparison.Ordinal) ? $"[{address}]:{port}" : $"{address}:{port}";
}
