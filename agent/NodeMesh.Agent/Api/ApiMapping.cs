using System.Reflection;
using NodeMesh.Agent.Cri;
using NodeMesh.Agent.Hosting;
using NodeMesh.Datapath;
using NodeMesh.Datapath.Tables;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;
using NodeMesh.Proxy.Stats;
using NodeMesh.Sources.Kubernetes;

namespace NodeMesh.Agent.Api;

/// <summary>From what the agent knows to what the API says. Pure.</summary>
internal static class ApiMapping
{
    public static string Version { get; } = typeof(ApiMapping).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    public static EndpointsReply Endpoints(MeshPlan plan, ReconcileReport? report, IReadOnlyList<CounterRow> counters)
    {
        var found = report?.Endpoints.ToDictionary(e => e.Name) ?? [];
        var reply = new EndpointsReply();
        foreach (var e in plan.Kernel.Endpoints)
        {
            found.TryGetValue(e.Name, out var status);
            var rows = status is { Ifindex: > 0 } ? counters.Where(c => c.Ifindex == status.Ifindex).ToArray() : [];
            var endpoint = new Endpoint
            {
                Namespace = e.Name.Namespace,
                Name = e.Name.Name,
                Identity = e.Identity,
                IdentityName = plan.Names.Identities.GetValueOrDefault(e.Identity, ""),
                PolicySet = e.PolicySet,
                Interface = e.Attachment.HostInterface ?? "",
                Ifindex = (uint)(status?.Ifindex ?? 0),
                State = status switch { null => "waiting for the data path", { Attached: true } => "enforced", { Problem.Length: > 0 } => status.Problem, _ => "not attached" },
                Packets = Sum(rows.Where(r => r.IsPassed), r => r.Packets),
                Bytes = Sum(rows.Where(r => r.IsPassed), r => r.Bytes),
                DroppedPackets = Sum(rows.Where(r => ReasonText.IsDrop(r.Reason)), r => r.Packets),
            };
            endpoint.Addresses.AddRange(e.Addresses.Select(a => a.ToString()));
            if (e.PolicySet != 0 && plan.Names.PolicySets.TryGetValue(e.PolicySet, out var policies))
                endpoint.Policies.Add(policies);
            reply.Endpoints.Add(endpoint);
        }

        return reply;
    }

    /// <param name="allAudit">All policies of the node are under audit.</param>
    public static PoliciesReply Policies(MeshSnapshot snapshot, MeshPlan plan, IReadOnlyList<RuleHit> hits, bool allAudit = false)
    {
        var reply = new PoliciesReply();
        reply.Hits.AddRange(hits.Select(h => new RuleHits { Id = h.Rule, Rule = RuleName(plan, h.Rule), Reason = ReasonText.Label(h.Reason), Connections = h.Connections })
            .OrderBy(h => h.Rule, StringComparer.Ordinal).ThenBy(h => h.Reason, StringComparer.Ordinal));
        foreach (var p in snapshot.Policies)
        {
            var policy = new Policy
            {
                Kind = p.Kind.ToString(),
                Namespace = p.Name.Namespace,
                Name = p.Name.Name,
                Subject = p.Subject.ToString(),
                IsolatesIngress = p.IsolatesIngress,
                IsolatesEgress = p.IsolatesEgress,
                IngressRules = p.Ingress.Length,
                EgressRules = p.Egress.Length,
                Tier = p.Tier.ToString(),
                Priority = p.Priority,
                Audit = p.IsAudit || allAudit,
                ReadsRequests = p.Ingress.Concat(p.Egress).Any(r => r.Http.Length > 0),
                Location = p.Location?.ToString() ?? "",
            };
            var name = p.Ref.ToString();
            policy.Endpoints.AddRange(plan.Kernel.Endpoints
                .Where(e => e.PolicySet != 0 && Names(plan, e.PolicySet).Contains(name, StringComparer.Ordinal))
                .Select(e => e.Name.ToString()));
            reply.Policies.Add(policy);
        }

        return reply;
    }

    /// <summary>A rule as people know it; its number where the plan no longer has it, but the kernel still does for some pod.</summary>
    public static string RuleName(MeshPlan plan, uint rule) => plan.Names.Rules.TryGetValue(rule, out var name) ? name : $"rule {rule:x8}";

    public static DiagnosticsReply Diagnostics(IEnumerable<Diagnostic> diagnostics)
    {
        var reply = new DiagnosticsReply();
        reply.Diagnostics.AddRange(diagnostics.Select(Finding));
        return reply;
    }

    public static Finding Finding(Diagnostic d) => new()
    {
        Code = d.Code,
        Severity = d.Severity.ToString().ToLowerInvariant(),
        Object = d.Object.ToString(),
        FieldPath = d.FieldPath,
        Message = d.Message,
        Consequence = d.Consequence,
        File = d.Location?.File ?? "",
        Document = d.Location?.Document ?? 0,
        Line = d.Location?.Line ?? 0,
    };

    public static DataPath DataPath(ObservedState state, IEnumerable<MapFill> fill, bool tcx, string pinPath)
    {
        var path = new DataPath
        {
            EnforcedRevision = state.Enforced,
            PlannedRevision = state.Mesh.Plan.Revision,
            AttachMode = tcx ? "tcx" : "clsact",
            PinPath = pinPath,
            Reconciles = (ulong)state.Work.Rounds,
            Writes = (ulong)state.Work.Writes,
            Errors = (ulong)state.Work.Errors,
            LastError = state.Work.LastError,
            Disturbances = (ulong)Enum.GetValues<DisturbanceKind>().Sum(state.Disturbances),
            LastDisturbance = state.LastDisturbance,
        };
        path.Maps.AddRange(fill.Select(m => new KernelMap { Name = m.Map, Entries = m.Rows, Capacity = m.MaxRows }));
        return path;
    }

    public static Proxy Proxy(ProxySnapshot snapshot, ulong revision, int workers)
    {
        var proxy = new Proxy { Workers = workers, Revision = revision };
        proxy.ActiveConnections = snapshot.Active.Values.Sum();
        proxy.Requests = (ulong)snapshot.Requests.Sum(r => r.Count);
        proxy.Listeners.AddRange(snapshot.Listeners.Select(l => l.Listening ? $"{l.Name} {l.Address}" : $"{l.Name} {l.Address}: {l.Problem}"));
        return proxy;
    }

    public static Cluster Cluster(KubernetesState state)
    {
        var cluster = new Cluster
        {
            Server = state.Server,
            Synced = state.IsSynced,
            Objects = state.Resources.Sum(r => r.Objects),
            Stale = state.Stale,
            CacheBytes = state.CacheBytes,
            TroubledSinceUnixMs = state.TroubledSince?.ToUnixTimeMilliseconds() ?? 0,
        };
        cluster.Troubles.AddRange(state.Troubles);
        return cluster;
    }

    public static Runtime Runtime(RuntimeState state) => new() { Socket = state.Socket, Name = state.Name, Problem = state.Problem, Sandboxes = state.Sandboxes };

    public static Counts Counts(MeshSnapshot snapshot, MeshPlan plan) => new()
    {
        Endpoints = plan.Kernel.Endpoints.Length,
        Services = snapshot.Services.Length,
        Policies = snapshot.Policies.Length,
        Routes = snapshot.Routes.Length,
        Gateways = snapshot.Gateways.Length,
        Errors = plan.Diagnostics.Count(d => d.Severity == Severity.Error),
        Warnings = plan.Diagnostics.Count(d => d.Severity == Severity.Warning),
    };

    private static IEnumerable<string> Names(MeshPlan plan, uint set) =>
        plan.Names.PolicySets.GetValueOrDefault(set, "").Split(',', StringSplitOptions.TrimEntries);

    private static ulong Sum(IEnumerable<CounterRow> rows, Func<CounterRow, ulong> what) => rows.Aggregate(0UL, (sum, row) => sum + what(row));
}
