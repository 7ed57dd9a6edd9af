using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Explain;

/// <summary>What becomes of a connection.</summary>
public enum PolicyEffect
{
    Denied,

    /// <summary>The proxy decides by request.</summary>
    ByRequest,

    Allowed,
}

/// <param name="From">Pods that are alike, or who an address is: "Pod shop/front-0 and 4 more", "world".</param>
/// <param name="Ports">"8080/TCP, SCTP".</param>
/// <param name="Before">Equal to <paramref name="After"/> where the rules for requests changed.</param>
/// <param name="Because">The rule that decides now.</param>
public sealed record PolicyChange(string From, string To, string Ports, PolicyEffect Before, PolicyEffect After, string Because);

/// <param name="More">Whether there are more changes than were asked for.</param>
public sealed record PolicyChanges(ImmutableArray<PolicyChange> Changes, bool More);

/// <summary>
/// What other policies would newly allow or deny between the pods that exist, and between them and the outside. Pods that are alike before and after are looked
/// at once, and a pair of them only when something about one of them changed.
/// </summary>
public sealed class PolicyDifference
{
    private readonly Side _before;
    private readonly Side _after;
    private readonly bool _sameServices;
    private readonly Dictionary<(Speech From, Speech To), ImmutableArray<Step>> _known = [];

    private PolicyDifference(MeshSnapshot before, MeshSnapshot after, NodeFacts node)
    {
        _before = new Side(before, node);
        _after = new Side(after, node);
        _sameServices = before.Services == after.Services;
    }

    /// <param name="after">The same pods, perhaps with other labels; a pod that is only in one of the two is left out.</param>
    public static PolicyChanges Between(MeshSnapshot before, MeshSnapshot after, NodeFacts node, int most)
    {
        var difference = new PolicyDifference(before, after, node);
        var changes = difference.All().Take(most + 1).ToList();
        return new PolicyChanges([.. changes.Take(most)], changes.Count > most);
    }

    private IEnumerable<PolicyChange> All()
    {
        // Numbers come from content: where neither end's did change, nothing between them did, unless a rule is about a service's backends.
        var groups = Groups();
        foreach (var from in groups)
            foreach (var to in groups.Where(to => (from.Pods > 0 || to.Pods > 0) && (from.Changed || to.Changed || !_sameServices) && !(ReferenceEquals(from, to) && from.Pods == 1)))
                foreach (var change in Changes(from, to))
                    yield return change;
    }

    private IEnumerable<PolicyChange> Changes(Party from, Party to)
    {
        var egress = new Speech(_before.Class(from.Before, Direction.Egress, to.Before), _after.Class(from.After, Direction.Egress, to.After));
        var ingress = new Speech(_before.Class(to.Before, Direction.Ingress, from.Before), _after.Class(to.After, Direction.Ingress, from.After));
        if (!_known.TryGetValue((egress, ingress), out var steps))
            _known.Add((egress, ingress), steps = Steps(egress, ingress));
        return steps.Select(s => new PolicyChange(from.Name, to.Name, s.Ports, s.Before, s.After, s.Because));
    }

    private ImmutableArray<Step> Steps(Speech egress, Speech ingress)
    {
        var (wasOut, wasIn, isOut, isIn) = (_before.Line(egress.Before), _before.Line(ingress.Before), _after.Line(egress.After), _after.Line(ingress.After));
        int[] starts = [.. new SortedSet<int>(((VerdictStep[][])[wasOut, wasIn, isOut, isIn]).SelectMany(l => l.Select(s => s.First))), VerdictLine.End];
        var found = new List<(int First, int Last, PolicyEffect Before, PolicyEffect After, string Because)>();
        for (var i = 0; i + 1 < starts.Length; i++)
        {
            var was = Both(VerdictLine.At(wasOut, starts[i]), VerdictLine.At(wasIn, starts[i]));
            var now = Both(VerdictLine.At(isOut, starts[i]), VerdictLine.At(isIn, starts[i]));
            if (was.Effect == now.Effect && (now.Effect != PolicyEffect.ByRequest || (Same(was.Out, now.Out) && Same(was.In, now.In))))
                continue;
            found.Add((starts[i], starts[i + 1] - 1, was.Effect, now.Effect, _after.RuleName(now.Rule, now.Effect)));
        }

        return
        [
            .. found.GroupBy(f => (f.Before, f.After, f.Because))
                .Select(g => new Step(string.Join(", ", Joined(g.Select(f => (f.First, f.Last))).Select(r => VerdictLine.Text(r.First, r.Last))), g.Key.Before, g.Key.After, g.Key.Because)),
        ];
    }

    private static List<(int First, int Last)> Joined(IEnumerable<(int First, int Last)> ranges)
    {
        var joined = new List<(int First, int Last)>();
        foreach (var (first, last) in ranges)
        {
            if (joined.Count > 0 && joined[^1].Last + 1 == first)
                joined[^1] = (joined[^1].First, last);
            else
                joined.Add((first, last));
        }

        return joined;
    }

    private static (PolicyEffect Effect, uint Rule, HttpPolicyPlan? Out, HttpPolicyPlan? In) Both(VerdictStep egress, VerdictStep ingress)
    {
        var (from, to) = (EffectOf(egress), EffectOf(ingress));
        var decides = from < to || (from == to && egress.Entry.Rule != 0) ? egress : ingress;
        return (from < to ? from : to, decides.Entry.Rule, egress.Http, ingress.Http);
    }

    private static PolicyEffect EffectOf(VerdictStep step) => (Verdict)step.Entry.Verdict switch
    {
        Verdict.Allow => PolicyEffect.Allowed,
        Verdict.Redirect => PolicyEffect.ByRequest,
        _ => PolicyEffect.Denied,
    };

    private static bool Same(HttpPolicyPlan? a, HttpPolicyPlan? b) => a is null ? b is null : b is not null && PlanEquality.Same(a, b);

    /// <summary>Pods by who they are and what they are under, before and after; then whoever else policies can tell apart.</summary>
    private List<Party> Groups()
    {
        var groups = new List<Party>();
        var pods = _after.Pods.Where(p => _before.Pods.ContainsKey(p.Key)).Select(p => (Name: p.Key, Before: _before.Pods[p.Key], After: p.Value));
        foreach (var group in pods.GroupBy(p => (p.Before, p.After)).OrderBy(g => g.Min(p => p.Name)))
        {
            var first = group.Min(p => p.Name);
            var count = group.Count();
            var changed = group.Key.Before.Set != group.Key.After.Set || group.Key.Before.Identity != group.Key.After.Identity;
            groups.Add(new Party(count == 1 ? $"Pod {first}" : $"Pod {first} and {count - 1} more", count, group.Key.Before, group.Key.After, changed));
        }

        var blocks = _before.Blocks.Concat(_after.Blocks).Distinct();
        var outside = blocks.Select(b => (Before: _before.IdentityOf(b), After: _after.IdentityOf(b))).Distinct();
        groups.AddRange(outside.Where(o => !_before.IsPod(o.Before) && !_after.IsPod(o.After)).OrderBy(o => o.After)
            .Select(o => new Party(_after.NameOf(o.After), 0, new Who(o.Before, 0), new Who(o.After, 0), o.Before != o.After)));
        return groups;
    }

    /// <param name="Set">0: under no policy.</param>
    private readonly record struct Who(uint Identity, uint Set);

    /// <param name="Pods">How many they are; 0: not pods. One alone always reaches itself.</param>
    private sealed record Party(string Name, int Pods, Who Before, Who After, bool Changed);

    private readonly record struct Table(uint Set, uint Class, Direction Direction);

    private readonly record struct Speech(Table Before, Table After);

    private sealed record Step(string Ports, PolicyEffect Before, PolicyEffect After, string Because);

    private sealed class Side
    {
        private readonly MeshPlan _plan;
        private readonly ILookup<Table, KeyValuePair<VerdictKey, VerdictEntry>> _rows;
        private readonly Dictionary<Table, VerdictStep[]> _lines = [];
        private readonly HashSet<uint> _podIdentities;

        public Side(MeshSnapshot mesh, NodeFacts node)
        {
            // Of all pods at once, which no node has.
            _plan = PolicyLens.Of(mesh, node with { PolicyRoom = PolicyRoom.Unbounded }, _ => true).Plan;
            _rows = _plan.Kernel.Verdicts.ToLookup(v => new Table(v.Key.Set, v.Key.Klass, (Direction)v.Key.Direction));
            Pods = _plan.Kernel.Endpoints.Where(e => e.Addresses.Length > 0).ToDictionary(e => e.Name, e => new Who(e.Identity, e.PolicySet));
            _podIdentities = [.. Pods.Values.Select(p => p.Identity)];
            Blocks =
            [
                .. _plan.Kernel.Identities.Where(r => r.Value.Identity != (uint)IdentityId.Host && !_podIdentities.Contains(r.Value.Identity))
                    .Select(r => IpPrefix.Create(r.Key.Addr.ToIpAddr(), (int)r.Key.PrefixBits)),
            ];
        }

        public Dictionary<ObjectName, Who> Pods { get; }

        public HashSet<IpPrefix> Blocks { get; }

        public bool IsPod(uint identity) => _podIdentities.Contains(identity);

        public string NameOf(uint identity) => _plan.Names.Identities.GetValueOrDefault(identity, "world");

        public string RuleName(uint rule, PolicyEffect effect) =>
            rule != 0 ? _plan.Names.Rules.GetValueOrDefault(rule, "?") : effect == PolicyEffect.ByRequest ? "rules about requests" : "no rule is about it";

        public uint IdentityOf(IpPrefix block) => PolicyJudge.IdentityOf(_plan.Proxy.Policy, block);

        public Table Class(Who subject, Direction direction, Who peer) =>
            new(subject.Set, PolicyJudge.ClassOf(_plan.Proxy.Policy, subject.Set, direction, peer.Identity), direction);

        public VerdictStep[] Line(Table table)
        {
            if (!_lines.TryGetValue(table, out var line))
                _lines.Add(table, line = VerdictLine.Of(_rows[table], _plan.Proxy.Policy.Http));
            return line;
        }
    }
}
