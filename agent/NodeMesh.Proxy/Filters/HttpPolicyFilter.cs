using NodeMesh.Plan;

namespace NodeMesh.Proxy.Filters;

/// <summary>Refuses what the client's egress rules or the endpoint's ingress rules do not let through. The access log's detail names the policy;
/// the answer to the client does not.</summary>
internal sealed class HttpPolicyFilter : IFilter
{
    /// <summary>Detail when no rule allows the request; with a deciding rule it is that rule's policy.</summary>
    public const string NothingAllows = "policy_no_rule_allows";

    public const string AmbiguousPath = "policy_ambiguous_path";

    public FilterAction OnRequestHeaders(FilterContext context)
    {
        if (!Check(context, context.EgressRules) || !Check(context, context.IngressRules))
            return FilterAction.Respond;
        return FilterAction.Continue;
    }

    public FilterAction OnResponseHeaders(FilterContext context) => FilterAction.Continue;

    private static bool Check(FilterContext context, HttpPolicyPlan? rules)
    {
        if (rules is null)
            return true;
        var judgement = HttpPolicyJudge.For(rules).Judge(context.Request);
        switch (judgement.Verdict)
        {
            case HttpVerdict.Allow:
                Audit(context, rules.Audit);
                return true;
            case HttpVerdict.AmbiguousPath:
                context.Reply = new LocalReply(400, CloseReason.DownstreamProtocolError, "The path can be read in two ways.\n", AmbiguousPath);
                return false;
            default:
                context.Reply = new LocalReply(403, CloseReason.PolicyDenied, "Refused by policy.\n", judgement.Policy ?? NothingAllows);
                return false;
        }
    }

    private static void Audit(FilterContext context, HttpPolicyPlan? rules)
    {
        if (rules is null || context.Audited is not null)
            return;
        var judgement = HttpPolicyJudge.For(rules).Judge(context.Request);
        context.Audited = judgement.Verdict switch
        {
            HttpVerdict.Allow => null,
            HttpVerdict.AmbiguousPath => AmbiguousPath,
            _ => judgement.Rule ?? rules.Rest ?? NothingAllows,
        };
    }
}
