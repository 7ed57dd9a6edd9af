using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Policies;

/// <summary>One row of a class: what is so in its block and in no longer one.</summary>
/// <param name="Http">Of Redirect rows only.</param>
internal readonly record struct VerdictRow(PortPrefix Ports, Verdict Verdict, HttpPolicyPlan? Http);

/// <summary>The rows of one class. Longest prefix wins in the kernel, so each row is judged by all rules around it.</summary>
internal static class VerdictTable
{
    /// <summary>The row for everything first; a row that says no more than the one around it is left out.</summary>
    public static List<VerdictRow> Of(bool isolated, ImmutableArray<ClassRule> rules)
    {
        var blocks = new SortedDictionary<PortPrefix, List<SetRule>> { [PortPrefix.Everything] = [] };
        foreach (var (rule, ports) in rules)
        {
            var covered = ports is { } list ? list.SelectMany(PortPrefixes.Of).Distinct() : [PortPrefix.Everything];
            foreach (var block in covered)
            {
                if (!blocks.TryGetValue(block, out var inBlock))
                    blocks.Add(block, inBlock = []);
                inBlock.Add(rule);
            }
        }

        // Wider blocks come first, so what lies around a block is complete when its turn comes.
        var rows = new Dictionary<PortPrefix, VerdictRow>();
        var covering = new Dictionary<PortPrefix, ImmutableArray<SetRule>>();
        foreach (var (block, own) in blocks)
        {
            var around = NearestAround(block, covering);
            var all = around is { } wider ? Union(covering[wider], own) : [.. own];
            covering.Add(block, all);
            var (verdict, http) = Judge(isolated, all);
            var outer = NearestAround(block, rows) is { } r ? rows[r] : default;
            if (outer.Verdict != verdict || !SameHttp(outer.Http, http))
                rows.Add(block, new VerdictRow(block, verdict, http));
        }

        return [.. rows.Values.OrderBy(r => r.Ports)];
    }

    /// <summary>Deny beats what must be seen by the proxy, which beats Allow, which beats the default.</summary>
    private static (Verdict Verdict, HttpPolicyPlan? Http) Judge(bool isolated, ImmutableArray<SetRule> rules)
    {
        if (rules.Any(r => r.Action == PolicyAction.Deny && !r.LooksAtRequests))
            return (Verdict.Deny, null);

        var allowAll = !isolated || rules.Any(r => r.Action == PolicyAction.Allow && !r.LooksAtRequests);
        var allow = rules.Where(r => r.Action == PolicyAction.Allow && r.LooksAtRequests).ToList();
        var deny = rules.Where(r => r.Action == PolicyAction.Deny && r.LooksAtRequests).ToList();
        if (!allowAll && allow.Count == 0)
            return (Verdict.DefaultDeny, null);
        if (allowAll && deny.Count == 0)
            return (Verdict.Allow, null);
        return (Verdict.Redirect, new HttpPolicyPlan(allowAll, allowAll ? [] : Conditions(allow), Conditions(deny)));
    }

    private static ImmutableArray<HttpRulePlan> Conditions(List<SetRule> rules) =>
        [.. rules.OrderBy(r => r.Text, StringComparer.Ordinal).SelectMany(r => r.Http.Select(h => new HttpRulePlan(r.Source, h)))];

    private static bool SameHttp(HttpPolicyPlan? a, HttpPolicyPlan? b) =>
        a is null ? b is null : b is not null && PlanEquality.Same(a, b);

    private static ImmutableArray<SetRule> Union(ImmutableArray<SetRule> around, List<SetRule> own) => [.. around.Union(own, ReferenceEqualityComparer.Instance).Cast<SetRule>()];

    private static PortPrefix? NearestAround<T>(PortPrefix block, Dictionary<PortPrefix, T> blocks)
    {
        while (block.Bits > PortPrefix.Everything.Bits)
        {
            block = block.Parent;
            if (blocks.ContainsKey(block))
                return block;
        }

        return null;
    }
}
