using NodeMesh.Compiler.Identities;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Policies;

/// <summary>Groups under change: only identities that terms which came or went are about, or that are others now, are looked at.</summary>
internal sealed class PeerGroupsEdit(PeerGroups old, PeerMatcher peers)
{
    private readonly RowTable<uint, PeerGroup>.Builder _of = old.Of.ToBuilder();
    private readonly RowTable<ContentHash, PeerGroup>.Builder _byHash = old.ByHash.ToBuilder();
    private readonly RowTable<PeerGroupKey, PeerGroupEntry>.Builder _rows = old.Rows.ToBuilder();
    private readonly IdEdit _ids = new(old.Ids);

    public static PeerGroupEntry Row(uint group) => new() { Group = group, Next = group };

    /// <param name="terms">All that there are now.</param>
    /// <param name="come">Of those, the ones that are new.</param>
    /// <returns>Null when numbers collide.</returns>
    public PeerGroups? Run(
        RowTable<ContentHash, PeerTerm> terms, IReadOnlyCollection<PeerTerm> come, HashSet<ContentHash> gone, IReadOnlyList<(Identity? Old, Identity? New)> identities)
    {
        foreach (var (id, matches) in Touched(come, gone, identities, terms))
            Move(id, matches);
        return _ids.IsDisturbed ? null : new PeerGroups(terms, _of.ToTable(), _byHash.ToTable(), _ids.ToSpace(), _rows.ToTable());
    }

    /// <summary>What terms now say about each identity of which they may say something else.</summary>
    private Dictionary<uint, List<PeerMatch>> Touched(
        IReadOnlyCollection<PeerTerm> come, HashSet<ContentHash> gone, IReadOnlyList<(Identity? Old, Identity? New)> identities, RowTable<ContentHash, PeerTerm> now)
    {
        var touched = new Dictionary<uint, List<PeerMatch>>();
        foreach (var (id, match) in come.SelectMany(t => t.Matching(peers)))
            Of(id.Id).Add(match);
        if (gone.Count > 0)
        {
            var concerned = old.ByHash.Values.Where(g => g.Matches.Any(m => gone.Contains(m.Term.Hash))).Select(g => g.Hash).ToHashSet();
            foreach (var (id, group) in old.Of)
                if (concerned.Contains(group.Hash))
                    Of(id);
        }

        foreach (var (was, next) in identities)
        {
            if (was is not null)
                touched[was.Id] = [];
            if (next is not null)
                touched[next.Id] = [.. now.Values.Select(t => t.Matches(next, peers)).OfType<PeerMatch>()];
        }

        return touched;

        List<PeerMatch> Of(uint id)
        {
            if (!touched.TryGetValue(id, out var matches))
                touched.Add(id, matches = old.Of.TryGetValue(id, out var group) ? [.. group.Matches.Where(m => !gone.Contains(m.Term.Hash))] : []);
            return matches;
        }
    }

    private void Move(uint id, List<PeerMatch> matches)
    {
        var was = old.Of.TryGetValue(id, out var group) ? group : null;
        var next = matches.Count == 0 ? null : PeerGroup.Of(matches);
        if (was?.Hash == next?.Hash)
            return;
        var key = new PeerGroupKey { Identity = id };
        if (next is not null)
        {
            if (_ids.Take(next.Hash))
                _byHash.Set(next.Hash, next);
            else if (_byHash.TryGetValue(next.Hash, out var same))
                next = same;
            _of.Set(id, next);
            _rows.Set(key, Row(old.Ids.Of(next.Hash)));
        }

        if (was is not null && _ids.Release(was.Hash))
            _byHash.Remove(was.Hash);
        if (next is null)
        {
            _of.Remove(id);
            _rows.Remove(key);
        }
    }
}
