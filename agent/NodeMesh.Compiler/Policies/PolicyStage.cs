using System.Collections.Immutable;
using NodeMesh.Compiler.Identities;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Policies;

/// <summary>
/// This node's pods, the sets of rules they are under, and the rows of each set. Three things are kept, each as long as what it is a function of is the same: which
/// policies select a pod, what those together say to it (its set), and the rows of a set, into which groups of peers that came or went are put one by one.
/// </summary>
internal static class PolicyStage
{
    /// <param name="old">What was compiled before; the result is the same without it.</param>
    public static PolicyTables Run(MeshSnapshot mesh, NodeFacts node, NodePods here, IdentityTable identities, PolicyTables old)
    {
        var local = LocalPods.Run(here, old.Local);
        var selections = Selections.Run(local.Pods, mesh.Policies, node.AuditsPolicies, identities, old);
        var isSameRules = ReferenceEquals(selections, old.Selections) || (selections.Sets.Count == old.Sets.Count && selections.Sets.Keys.All(old.Sets.ContainsKey));
        var (ruleIds, ruleNames, terms) = isSameRules ? (old.RuleIds, old.RuleNames, old.Groups.Terms) : Rules(selections.Sets.Values);
        var difference = old.Sets.Count == 0 ? [] : IdentityTable.Difference(old.Identities, identities);
        var groups = PeerGroups.Run(terms, difference, new PeerMatcher(identities), old.Groups);
        var sets = Rows(selections.Sets, ruleIds, groups, isSameRules, old);
        var next = Join([.. PolicyFit.Choose(sets.Values, node.PolicyRoom)], old) with
        {
            Policies = mesh.Policies,
            AreAudited = node.AuditsPolicies,
            Local = local,
            Identities = identities,
            Groups = groups,
            Selections = selections,
            Sets = sets,
            RuleIds = ruleIds,
            RuleNames = ruleNames,
            SetNames = ReferenceEquals(selections, old.Selections) ? old.SetNames : Names(selections, sets, old.SetNames),
        };

        var findings = local.Findings.ToBuilder();
        var inForce = next.Fitting.Select(rows => rows.Id).ToHashSet();
        var endpoints = ImmutableArray.CreateBuilder<EndpointPlan>(selections.Pods.Length);
        var dialled = new HashSet<IpAddr>();
        foreach (var pod in selections.Pods)
        {
            var rows = pod.Set is { } set ? sets[set.Hash] : null;
            var isHeld = rows is not null && !inForce.Contains(rows.Id);
            var endpoint = Endpoint(pod.Pod, rows?.Id ?? 0, isHeld, identities);
            endpoints.Add(endpoint);
            if (isHeld)
                findings.Add(PolicyFit.Finding(pod.Pod, rows!, next.SetNames[rows!.Id], node.PolicyRoom));
            else if (rows is { AsksProxy: true })
                dialled.UnionWith(endpoint.Addresses);
        }

        return next with
        {
            Endpoints = endpoints.MoveToImmutable(),
            Dialled = new Dialled(dialled, next.Fitting.SelectMany(rows => rows.Dialled(identities, groups)).ToHashSet()),
            Findings = findings.ToImmutable(),
        };
    }

    private static (IdSpace Ids, ImmutableSortedDictionary<uint, string> Names, RowTable<ContentHash, PeerTerm> Terms) Rules(IEnumerable<PolicySet> sets)
    {
        var names = new Dictionary<ContentHash, string>();
        foreach (var rule in sets.SelectMany(s => s.Ingress.Rules.Concat(s.Egress.Rules)))
            names[rule.NameHash] = rule.Name;
        var ids = IdSpace.Assign(names.Keys.ToDictionary(h => h, _ => 1));
        return (ids, names.ToImmutableSortedDictionary(n => ids.Of(n.Key), n => n.Value), PeerGroups.TermsOf(sets));
    }

    private static IReadOnlyDictionary<ContentHash, SetRows> Rows(IReadOnlyDictionary<ContentHash, PolicySet> sets, IdSpace ruleIds, PeerGroups groups, bool isSameRules, PolicyTables old)
    {
        if (isSameRules && ReferenceEquals(groups, old.Groups))
            return old.Sets;
        var ids = IdSpace.Assign(sets.Keys.ToDictionary(h => h, _ => 1));
        var byTerm = new Lazy<ILookup<ContentHash, PeerGroup>>(() => groups.ByHash.Values.SelectMany(g => g.Matches.Select(m => (m.Term.Hash, Group: g))).ToLookup(m => m.Hash, m => m.Group));
        var (gone, come) = Difference(old.Groups, groups);

        // Where numbers of rules or groups collide, they depend on each other.
        bool AreSame(IdSpace was, IdSpace now) => ReferenceEquals(was, now) || (was.Displaced.Count == 0 && now.Displaced.Count == 0);
        var areNumbersSame = AreSame(old.RuleIds, ruleIds) && AreSame(old.Groups.Ids, groups.Ids);
        var rows = new Dictionary<ContentHash, SetRows>(sets.Count);
        foreach (var (hash, set) in sets)
        {
            var id = ids.Of(hash);
            var was = areNumbersSame && old.Sets.TryGetValue(hash, out var before) && before.Id == id ? before : null;
            var edited = was is null || gone.Count + come.Count == 0 ? was : SetEdit.Of(was, gone, come, groups.Ids, ruleIds);
            rows.Add(hash, edited ?? SetEdit.Of(id, set, groups, byTerm.Value, ruleIds));
        }

        return rows;
    }

    private static (List<PeerGroup> Gone, List<PeerGroup> Come) Difference(PeerGroups old, PeerGroups now)
    {
        var touched = new List<ContentHash>();
        RowTable<ContentHash, PeerGroup>.AddDifference(old.ByHash, now.ByHash, touched);
        return (Among(old), Among(now));

        List<PeerGroup> Among(PeerGroups groups) => [.. touched.Select(h => groups.ByHash.TryGetValue(h, out var group) ? group : null).OfType<PeerGroup>()];
    }

    /// <summary>The rows of all sets that fit, by way of what differs.</summary>
    private static PolicyTables Join(ImmutableArray<SetRows> fitting, PolicyTables old)
    {
        if (fitting.AsSpan().SequenceEqual(old.Fitting.AsSpan(), ReferenceEqualityComparer.Instance))
            return old;
        var (classes, verdicts, http) = (old.Classes.ToBuilder(), old.Verdicts.ToBuilder(), old.Http.ToBuilder());
        var before = old.Fitting.ToDictionary(rows => rows.Id);
        foreach (var rows in fitting)
        {
            before.Remove(rows.Id, out var was);
            Apply(was ?? SetRows.None(rows.Id, rows.Set), rows);
        }

        foreach (var gone in before.Values)
            Apply(gone, SetRows.None(gone.Id, gone.Set));
        return old with { Fitting = fitting, Classes = classes.ToTable(), Verdicts = verdicts.ToTable(), Http = http.ToTable() };

        void Apply(SetRows was, SetRows now)
        {
            classes.Apply(was.Classes, now.Classes);
            verdicts.Apply(was.Verdicts, now.Verdicts);
            http.Apply(was.Http, now.Http);
        }
    }

    private static ImmutableSortedDictionary<uint, string> Names(Selections selections, IReadOnlyDictionary<ContentHash, SetRows> sets, ImmutableSortedDictionary<uint, string> old)
    {
        // Policies that say nothing to a pod are in its set's name alone: of pods with one set the first names it.
        var names = new Dictionary<uint, string>();
        foreach (var pod in selections.Pods)
            if (pod.Set is { } set)
                names.TryAdd(sets[set.Hash].Id, set.Name);
        return names.Count == old.Count && names.All(n => old.TryGetValue(n.Key, out var name) && name == n.Value) ? old : names.ToImmutableSortedDictionary();
    }

    private static EndpointPlan Endpoint(Workload pod, uint set, bool isHeld, IdentityTable identities)
    {
        var addresses = AreItsOwn(pod, identities) ? pod.Addresses : [.. pod.Addresses.Where(a => identities.Owns(pod, a)).Distinct()];
        var identity = addresses.Length > 0 ? identities.Of(addresses[0]) : (uint)IdentityId.Unknown;
        return new EndpointPlan(pod.Name, pod.Attachment, addresses, identity, set) { IsHeld = isHeld };
    }

    /// <summary>Each of its addresses, and each named once.</summary>
    private static bool AreItsOwn(Workload pod, IdentityTable identities)
    {
        for (var i = 0; i < pod.Addresses.Length; i++)
            if (!identities.Owns(pod, pod.Addresses[i]) || pod.Addresses.AsSpan()[..i].Contains(pod.Addresses[i]))
                return false;
        return true;
    }
}
