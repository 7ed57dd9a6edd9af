using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Policies;

/// <summary>A rule as one pod is under it: names of its own ports are numbers now, and isolation is a rule like any other.</summary>
/// <param name="Verdict">Allow, Deny, or DefaultDeny for isolation; null: the rest of the tier has no say.</param>
/// <param name="Peers">Empty: everybody.</param>
/// <param name="Ports">Null: everything; empty: nothing (a name that the pod does not have).</param>
/// <param name="Policy">For logs.</param>
/// <param name="Name">For people and hit counts: "NetworkPolicy shop/api ingress[0]".</param>
internal sealed record SetRule(
    PolicyTier Tier,
    Plan.Abi.Verdict? Verdict,
    bool IsAudit,
    ImmutableArray<PolicyPeer> Peers,
    ImmutableArray<PortMatch>? Ports,
    ImmutableArray<HttpMatch> Http,
    string Policy,
    string Name)
{
    /// <summary>Equal rules have equal texts.</summary>
    public string Text { get; } = TextOf(Tier, Verdict, IsAudit, Peers, Ports, Http, Name);

    public ContentHash NameHash { get; } = ContentHash.Of(Name);

    public bool LooksAtRequests => Http.Length > 0;

    /// <summary>Null when it is the same to all peers.</summary>
    public PeerTerm? Term { get; } = PeerTerm.Of(Peers, Ports);

    public bool HasNamedPorts => Ports is { } ports && ports.Any(p => p.Named is not null);

    private static string TextOf(
        PolicyTier tier, Plan.Abi.Verdict? verdict, bool isAudit, ImmutableArray<PolicyPeer> peers, ImmutableArray<PortMatch>? ports, ImmutableArray<HttpMatch> http, string name)
    {
        var who = peers.Length == 0 ? "*" : Join(peers.Select(CanonicalText.Of));
        var where = ports is { } list ? Join(list.Select(CanonicalText.Of)) : "*";
        return $"{tier} {verdict?.ToString() ?? "Pass"}{(isAudit ? " audit" : "")} {name} peers={who} ports={where} {Join(http.Select(CanonicalText.Of))}";
    }

    /// <summary>Texts whose order says nothing, as one.</summary>
    public static string Join(IEnumerable<string> texts) => string.Join(" | ", texts.Order(StringComparer.Ordinal));
}

/// <param name="Rules">In the order of judging: the first that matches decides.</param>
internal sealed record DirectionRules(ImmutableArray<SetRule> Rules)
{
    public string Text => string.Join('\n', Rules.Select(r => r.Text));

    /// <summary>Places of the rules about everybody.</summary>
    public ImmutableArray<int> ForAll { get; } = [.. Enumerable.Range(0, Rules.Length).Where(r => Rules[r].Peers.Length == 0)];
}

/// <summary>Everything that policies say to a pod; pods to which the same is said share a set.</summary>
/// <param name="Policies">Names of the policies, sorted.</param>
internal sealed record PolicySet(DirectionRules Ingress, DirectionRules Egress, ImmutableSortedSet<string> Policies)
{
    /// <summary>Equal sets have equal hashes.</summary>
    public ContentHash Hash { get; } = ContentHash.Of($"ingress\n{Ingress.Text}\negress\n{Egress.Text}");

    public string Name => string.Join(", ", Policies);
}
