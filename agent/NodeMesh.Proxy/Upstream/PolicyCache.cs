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

    /// <summary>The rule of a policy under audit that would have refused whatever the request is; null: none would.</summary>
    public string? Audit { get; init; }

    /// <summary>Bytes that are no HTTP may pass: no request rule could refuse them.</summary>
    public bool AllowsAnyBytes => Allowed && Egress is null or { PassesAnything: true } && Ingress is null or { PassesAnything: true };

    /// <summary>As <see cref="Audit"/>, for bytes that are no HTTP.</summary>
    public string? AuditOfBytes => Audit ?? RuleOf(Egress?.Audit) ?? RuleOf(Ingress?.Audit);

    private static string? RuleOf(HttpPolicyPlan? rules) => rules is null or { PassesAnything: true } ? null : rules.Deny.Concat(rules.Allow).First().Rule;
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
        var (egress, ingress) = (PolicyDecision.Allow, PolicyDecision.Allow);
        if (plan.LocalPods.TryGetValue(client, out var from))
            egress = Decide(plan.Policy, from.PolicySet, Direction.Egress, endpoint.Address, endpoint.Port);
        if (egress.Allowed && plan.LocalPods.TryGetValue(endpoint.Address, out var to))
            ingress = Decide(plan.Policy, to.PolicySet, Direction.Ingress, client, endpoint.Port);
        return !egress.Allowed || !ingress.Allowed ? PolicyDecision.Deny
            : egress == PolicyDecision.Allow && ingress == PolicyDecision.Allow ? PolicyDecision.Allow
            : new PolicyDecision(true, egress.Egress, ingress.Ingress) { Audit = egress.Audit ?? ingress.Audit };
    }

    private static PolicyDecision Decide(PolicyPlan policy, uint set, Direction direction, IpAddr peer, ushort port)
    {
        if (set == 0)
            return PolicyDecision.Allow;
        if (PolicyJudge.Find(policy, set, direction, PolicyJudge.IdentityOf(policy, peer), Protocol.Tcp, port) is not { } row)
            return PolicyDecision.Deny;
        var rules = policy.Http.GetValueOrDefault(row.Key);
        var passes = (Verdict)row.Value.Verdict switch
        {
            Verdict.Allow => true,
            Verdict.Redirect => rules is not null,
            _ => false,
        };
        if (!passes)
            return PolicyDecision.Deny;
        return new PolicyDecision(true, direction == Direction.Egress ? rules : null, direction == Direction.Ingress ? rules : null)
        {
            Audit = row.Value.Audit == 0 ? null : policy.Rules.GetValueOrDefault(row.Value.AuditRule) ?? direction.ToString(),
        };
    }
}
