using System.Collections.Immutable;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Policies;

/// <summary>What is so in a block of ports.</summary>
/// <param name="Rule">The rule that decides; null: none does, which allows.</param>
/// <param name="Audit">What would refuse it if policies under audit were enforced; None: nothing would.</param>
/// <param name="AuditRule">The rule that would.</param>
/// <param name="Http">Of Redirect only.</param>
internal readonly record struct Judgement(Verdict Verdict, string? Rule, Verdict Audit, string? AuditRule, HttpPolicyPlan? Http);

/// <summary>One row of a class: what is so in its block and in no longer one.</summary>
internal readonly record struct VerdictRow(PortPrefix Ports, Judgement Says);

/// <summary>The rows of one class. Longest prefix wins in the kernel, so each row is judged by all rules around it.</summary>
internal static class VerdictTable
{
    /// <summary>The row for everything first; a row that says no more than the one around it is left out.</summary>
    /// <param name="rules">In the order of judging.</param>
    public static List<VerdictRow> Of(ImmutableArray<ClassRule> rules)
    {
        var blocks = new SortedDictionary<PortPrefix, List<int>> { [PortPrefix.Everything] = [] };
        for (var place = 0; place < rules.Length; place++)
        {
            var covered = rules[place].Ports is { } list ? list.SelectMany(PortPrefixes.Of).Distinct() : [PortPrefix.Everything];
            foreach (var block in covered)
            {
                if (!blocks.TryGetValue(block, out var inBlock))
                    blocks.Add(block, inBlock = []);
                inBlock.Add(place);
            }
        }

        // Wider blocks come first, so what lies around a block is complete when its turn comes.
        var rows = new Dictionary<PortPrefix, VerdictRow>();
        var covering = new Dictionary<PortPrefix, int[]>();
        foreach (var (block, own) in blocks)
        {
            int[] all = NearestAround(block, covering) is { } wider ? [.. covering[wider].Union(own).Order()] : [.. own];
            covering.Add(block, all);
            var says = PolicyWalk.Judge([.. all.Select(place => rules[place].Rule)]);
            if (NearestAround(block, rows) is not { } around || !Same(rows[around].Says, says))
                rows.Add(block, new VerdictRow(block, says));
        }

        return [.. rows.Values.OrderBy(r => r.Ports)];
    }

    private static bool Same(Judgement a, Judgement b) =>
        a with { Http = null } == b with { Http = null } && (a.Http is null ? b.Http is null : b.Http is not null && PlanEquality.Same(a.Http, b.Http));

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
