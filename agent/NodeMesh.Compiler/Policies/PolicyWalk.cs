using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Policies;

/// <summary>The order of judging (docs/policies.md): walks the rules that match, from the first on.</summary>
internal static class PolicyWalk
{
    /// <summary>What enforced policies say, and whether those under audit would have refused what these let through.</summary>
    /// <param name="rules">Those that match, in order.</param>
    public static Judgement Judge(ImmutableArray<SetRule> rules)
    {
        var enforced = Walk(rules, withAudited: false);
        if (Refuses(enforced.Verdict) || !rules.Any(r => r.IsAudit))
            return enforced;

        var all = Walk(rules, withAudited: true);
        if (Refuses(all.Verdict))
            return enforced with { Audit = all.Verdict, AuditRule = all.Rule };
        if (all.Http is null || (enforced.Http is { } same && PlanEquality.Same(same, all.Http)))
            return enforced;

        // Only the proxy can tell which requests would have been refused.
        return enforced with { Verdict = Verdict.Redirect, Http = (enforced.Http ?? HttpPolicyPlan.Open) with { Audit = all.Http } };
    }

    private static bool Refuses(Verdict verdict) => verdict is Verdict.Deny or Verdict.DefaultDeny;

    private static Judgement Walk(ImmutableArray<SetRule> rules, bool withAudited)
    {
        var (allow, deny) = (new List<SetRule>(), new List<SetRule>());
        PolicyTier? passed = null;
        SetRule? decides = null;
        foreach (var rule in rules)
        {
            if ((rule.IsAudit && !withAudited) || rule.Tier == passed)
                continue;
            if (rule.Verdict is null)
            {
                passed = rule.Tier;
            }
            else if (rule.LooksAtRequests)
            {
                (rule.Verdict == Verdict.Deny ? deny : allow).Add(rule);
            }
            else
            {
                decides = rule;
                break;
            }
        }

        // Rules about requests came before the one that decides about the rest: where they can change its answer, the proxy asks them.
        var verdict = decides?.Verdict ?? Verdict.Allow;
        var opens = verdict == Verdict.Allow;
        if (opens ? deny.Count == 0 : allow.Count == 0)
            return new Judgement(verdict, decides?.Name, Verdict.None, null, null);
        var http = new HttpPolicyPlan(opens, opens ? [] : Conditions(allow), Conditions(deny)) { Rest = decides?.Name };
        return new Judgement(Verdict.Redirect, deny.Concat(allow).First().Name, Verdict.None, null, http);
    }

    private static ImmutableArray<HttpRulePlan> Conditions(List<SetRule> rules) =>
        [.. rules.SelectMany(r => r.Http.Select(h => new HttpRulePlan(r.Policy, h) { Rule = r.Name }))];
}
