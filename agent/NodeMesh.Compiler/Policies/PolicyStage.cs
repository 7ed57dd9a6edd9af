using System.Collections.Immutable;
using NodeMesh.Compiler.Identities;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Policies;

/// <summary>This node's pods, the sets of rules they are under, and the rows of each set.</summary>
internal static class PolicyStage
{
    public static void Run(MeshSnapshot mesh, NodeFacts node, IdentityTable identities, PlanBuilder plan)
    {
        var pods = LocalPods(mesh, node, plan);
        var sets = new Dictionary<Workload, PolicySet>();
        foreach (var pod in pods)
            if (PolicySets.Of(pod, mesh.Policies, identities, node.AuditsPolicies) is { } set)
                sets.Add(pod, set);

        var groups = sets.GroupBy(s => s.Value.Text, StringComparer.Ordinal).ToList();
        var ids = ContentIds.Assign(groups.Select(g => g.Key), first: 1);
        var rules = ContentIds.Assign(groups.SelectMany(g => RuleNames(g.First().Value)), first: 1);
        foreach (var (name, id) in rules)
            plan.RuleNames[id] = name;

        var matcher = new PeerMatcher(identities);
        var all = new List<SetRows>();
        foreach (var group in groups)
        {
            var id = ids[group.Key];
            all.Add(SetRows.Of(id, group.First().Value, identities, matcher, rules));
            plan.PolicySetNames[id] = string.Join(", ", group.First().Value.Policies);
        }

        var fitting = PolicyFit.Choose(all, node.PolicyRoom).ToDictionary(rows => rows.Id);
        foreach (var rows in fitting.Values)
            plan.Add(rows);
        foreach (var pod in pods)
        {
            var set = sets.TryGetValue(pod, out var under) ? ids[under.Text] : 0;
            var isHeld = set != 0 && !fitting.ContainsKey(set);
            AddEndpoint(pod, set, isHeld, identities, fitting.GetValueOrDefault(set)?.AsksProxy ?? false, plan);
            if (isHeld)
                PolicyFit.Report(pod, all.Single(rows => rows.Id == set), plan.PolicySetNames[set], node.PolicyRoom, plan);
        }
    }

    private static IEnumerable<string> RuleNames(PolicySet set) => set.Ingress.Rules.Concat(set.Egress.Rules).Select(r => r.Name);

    private static List<Workload> LocalPods(MeshSnapshot mesh, NodeFacts node, PlanBuilder plan)
    {
        var local = new List<Workload>();
        foreach (var pod in mesh.Workloads.Where(w => !w.HostNetwork))
        {
            var isHere = pod.NodeName == node.NodeName && node.NodeName.Length > 0;
            if (pod.Attachment.IsKnown && (isHere || pod.NodeName.Length == 0))
                local.Add(pod);
            else if (isHere)
                plan.Report("not-attached", Severity.Warning, new ObjectRef("Pod", pod.Name), "metadata.annotations",
                    "the pod is of this node, but nothing says where its interface is; annotate it with nodemesh.io/netns or nodemesh.io/host-interface",
                    "no policy is enforced for it here", pod.Location);
        }

        return local;
    }

    private static void AddEndpoint(Workload pod, uint set, bool isHeld, IdentityTable identities, bool asksProxy, PlanBuilder plan)
    {
        ImmutableArray<IpAddr> addresses = [.. pod.Addresses.Where(a => identities.Owners[a] == pod.Name).Distinct()];
        var identity = addresses.Length > 0 ? identities.Of(addresses[0]) : (uint)IdentityId.Unknown;
        plan.Endpoints.Add(new EndpointPlan(pod.Name, pod.Attachment, addresses, identity, set) { IsHeld = isHeld });
        if (!asksProxy)
            return;
        foreach (var address in addresses)
            plan.MayBeDialled(address);
    }
}
