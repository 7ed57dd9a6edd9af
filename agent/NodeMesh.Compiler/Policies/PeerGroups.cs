using NodeMesh.Compiler.Identities;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Policies;

/// <summary>
/// Identities in groups, such that every rule of the node's policies names all of a group or none. Sets of rules have rows for groups, not for identities: a namespace with fifty
/// applications that is named as a whole is one row.
/// </summary>
/// <param name="Terms">Of all rules, by hash.</param>
/// <param name="Of">By the identity's number. Those that no term names are left out.</param>
/// <param name="ByHash">All groups.</param>
/// <param name="Ids">The numbers of groups, each with how many identities it has.</param>
internal sealed record PeerGroups(
    RowTable<ContentHash, PeerTerm> Terms, RowTable<uint, PeerGroup> Of, RowTable<ContentHash, PeerGroup> ByHash, IdSpace Ids, RowTable<PeerGroupKey, PeerGroupEntry> Rows)
{
    public static readonly PeerGroups Empty = new(
        RowTable<ContentHash, PeerTerm>.Empty, RowTable<uint, PeerGroup>.Empty, RowTable<ContentHash, PeerGroup>.Empty, IdSpace.Empty, RowTable<PeerGroupKey, PeerGroupEntry>.Empty);

    /// <summary>0: no rule names it.</summary>
    public uint NumberOf(uint identity) => Rows.TryGetValue(new PeerGroupKey { Identity = identity }, out var entry) ? entry.Group : 0;

    /// <param name="terms">Of the rules of the node's policies.</param>
    /// <param name="identities">Those that came, went or stand for something else since.</param>
    /// <param name="old">What it was before; the result is the same without it.</param>
    public static PeerGroups Run(RowTable<ContentHash, PeerTerm> terms, IReadOnlyList<(Identity? Old, Identity? New)> identities, PeerMatcher peers, PeerGroups old)
    {
        var (come, gone) = (new List<PeerTerm>(), new HashSet<ContentHash>());
        var touched = new List<ContentHash>();
        RowTable<ContentHash, PeerTerm>.AddDifference(old.Terms, terms, touched);
        foreach (var hash in touched)
            if (!terms.TryGetValue(hash, out var term))
                gone.Add(hash);
            else if (!old.Terms.ContainsKey(hash))
                come.Add(term);
        if (come.Count + gone.Count + identities.Count == 0)
            return old;

        // Where numbers collide, they depend on each other, and all are given anew.
        return (old.Terms.Count > 0 ? new PeerGroupsEdit(old, peers).Run(terms, come, gone, identities) : null) ?? All(terms, peers);
    }

    public static RowTable<ContentHash, PeerTerm> TermsOf(IEnumerable<PolicySet> sets)
    {
        var terms = new Dictionary<ContentHash, PeerTerm>();
        foreach (var rule in sets.SelectMany(s => s.Ingress.Rules.Concat(s.Egress.Rules)))
            if (rule.Term is { } term)
                terms.TryAdd(term.Hash, term);
        return RowTable<ContentHash, PeerTerm>.From(terms);
    }

    private static PeerGroups All(RowTable<ContentHash, PeerTerm> terms, PeerMatcher peers)
    {
        var of = terms.Values.SelectMany(t => t.Matching(peers)).GroupBy(m => m.Identity.Id, m => m.Match).ToDictionary(m => m.Key, PeerGroup.Of);
        var ids = IdSpace.Assign(of.Values.GroupBy(g => g.Hash).ToDictionary(g => g.Key, g => g.Count()));
        return new PeerGroups(
            terms,
            RowTable<uint, PeerGroup>.From(of),
            RowTable<ContentHash, PeerGroup>.From(of.Values.DistinctBy(g => g.Hash).ToDictionary(g => g.Hash)),
            ids,
            RowTable<PeerGroupKey, PeerGroupEntry>.From(of.ToDictionary(g => new PeerGroupKey { Identity = g.Key }, g => PeerGroupsEdit.Row(ids.Of(g.Value.Hash)))));
    }
}
