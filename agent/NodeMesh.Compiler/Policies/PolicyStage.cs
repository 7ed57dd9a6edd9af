using System.Collections.Immutable;
using NodeMesh.Compiler.Identities;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Policies;

/// <summary>This node's pods, the sets of rules they are under, and for each set: peers in classes, verdicts by class and port.</summary>
internal static class PolicyStage
{
    public static void Run(MeshSnapshot mesh, NodeFacts node, IdentityTable identities, PlanBuilder plan)
    {
        var pods = LocalPods(mesh, node, plan);
        var sets = new Dictionary<Workload, PolicySet>();
        foreach (var pod in pods)
            if (PolicySets.Of(pod, mesh.Policies, identities) is { } set)
                sets.Add(pod, set);

        var ids = ContentIds.Assign(sets.Values.Select(s => s.Text), first: 1);
        var matcher = new PeerMatcher(identities);
        var seenByProxy = new HashSet<uint>();
        foreach (var group in sets.Values.GroupBy(s => s.Text, StringComparer.Ordinal))
        {
            var id = ids[group.Key];
            plan.PolicySetNames[id] = string.Join(", ", group.SelectMany(s => s.Policies).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
            if (WriteDirection(id, Direction.Ingress, group.First().Ingress, identities, matcher, plan))
                seenByProxy.Add(id);
            WriteDirection(id, Direction.Egress, group.First().Egress, identities, matcher, plan);
        }

        foreach (var pod in pods)
            AddEndpoint(pod, sets.TryGetValue(pod, out var set) ? ids[set.Text] : 0, identities, seenByProxy, plan);
    }

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

    private static void AddEndpoint(Workload pod, uint set, IdentityTable identities, HashSet<uint> seenByProxy, PlanBuilder plan)
    {
        ImmutableArray<IpAddr> addresses = [.. pod.Addresses.Where(a => identities.Owners[a] == pod.Name).Distinct()];
        var identity = addresses.Length > 0 ? identities.Of(addresses[0]) : (uint)IdentityId.Unknown;
        plan.Endpoints.Add(new EndpointPlan(pod.Name, pod.Attachment, addresses, identity, set));
        if (!seenByProxy.Contains(set))
            return;
        foreach (var address in addresses)
            plan.MayBeDialled(address);
    }

    /// <returns>Whether some class must be seen by the proxy.</returns>
    private static bool WriteDirection(
        uint set, Direction direction, DirectionRules rules, IdentityTable identities, PeerMatcher matcher, PlanBuilder plan)
    {
        var redirects = false;
        foreach (var klass in PeerClasses.Of(rules, identities, matcher))
        {
            var redirectsClass = false;
            foreach (var row in VerdictTable.Of(rules.Isolated, klass.Rules))
            {
                var key = row.Ports.Key(set, klass.Id, direction);
                plan.Verdicts.Add(key, new VerdictEntry { Verdict = (byte)row.Verdict });
                if (row.Http is { } http)
                    plan.Http.Add(key, http);
                redirectsClass |= row.Verdict == Verdict.Redirect;
            }

            foreach (var member in klass.Members)
            {
                if (klass.Id != 0)
                    plan.Classes.Add(new ClassKey { Set = set, Identity = member.Id, Direction = (byte)direction }, new ClassEntry { Klass = klass.Id });
                if (redirectsClass && direction == Direction.Egress)
                    plan.MayBeDialled(member.Id);
            }

            redirects |= redirectsClass;
        }

        return redirects;
    }
}
