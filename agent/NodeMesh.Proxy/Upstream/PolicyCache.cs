using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Proxy.Upstream;

/// <summary>What policy says about one client and one endpoint.</summary>
/// <param name="Allowed">False: refused whatever the request is.</param>
/// <param name="Egress">Request rules of the client's egress, when there are any.</param>
/// <param name="Ingress">Request rules of the endpoint's ingress, when there are any.</param>
internal sealed record PolicyDecision(bool Allowed, HttpPolicyPlan? Egress, HttpPolicyPlan? Ingress)
{
    public static readonly PolicyDecision Allow = new(true, null, null);
    public static readonly PolicyDecision Deny = new(false, null, null);

    /// <summary>Bytes that are no HTTP may pass: no request rule could refuse them.</summary>
    public bool AllowsAnyBytes => Allowed && Passes(Egress) && Passes(Ingress);

    private static bool Passes(HttpPolicyPlan? rules) => rules is null || (rules.AllowAll && rules.Deny.IsEmpty);
}

/// <summary>Verdicts of one worker under one plan. Judging costs up to 129 lookups for an unknown address, so it is done once per pair.</summary>
internal sealed class PolicyCache
{
    private const int Bound = 65536;
    private readonly Dictionary<(IpAddr Client, EndpointAddress Endpoint), PolicyDecision> _decisions = new();
    private ProxyPlan _plan = ProxyPlan.Empty;

    public PolicyDecision Judge(ProxyPlan plan, IpAddr client, EndpointAddress endpoint)
    {
        if (client == endpoint.Address)
            return PolicyDecision.Allow; // a pod may always reach itself
        if (!ReferenceEquals(plan, _plan) || _decisions.Count >= Bound)
        {
            _decisions.Clear();
            _plan = plan;
        }

        if (!_decisions.TryGetValue((client, endpoint), out var decision))
            _decisions[(client, endpoint)] = decision = Decide(plan, client, endpoint);
        return decision;
    }

    private static PolicyDecision Decide(ProxyPlan plan, IpAddr client, EndpointAddress endpoint)
    {
        HttpPolicyPlan? egress = null, ingress = null;
        if (plan.LocalPods.TryGetValue(client, out var from)
            && !Passes(plan.Policy, from.PolicySet, Direction.Egress, endpoint.Address, endpoint.Port, out egress))
            return PolicyDecision.Deny;
        if (plan.LocalPods.TryGetValue(endpoint.Address, out var to)
            && !Passes(plan.Policy, to.PolicySet, Direction.Ingress, client, endpoint.Port, out ingress))
            return PolicyDecision.Deny;
        return egress is null && ingress is null ? PolicyDecision.Allow : new PolicyDecision(true, egress, ingress);
    }

    private static bool Passes(PolicyPlan policy, uint set, Direction direction, IpAddr peer, ushort port, out HttpPolicyPlan? rules)
    {
        rules = null;
        if (set == 0)
            return true;
        var verdict = PolicyJudge.Judge(policy, set, direction, PolicyJudge.IdentityOf(policy, peer), Protocol.Tcp, port, out rules);
        return verdict switch
        {
            Verdict.Allow => true,
            Verdict.Redirect => rules is not null,
            _ => false,
        };
    }
}
