using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Identities;

/// <summary>Gives addresses their identities anew where what is said about them may be something else: the result is the same as that of asking about all.</summary>
internal sealed class IdentityEdit(IdentityTable old, AddressFacts facts)
{
    private readonly RowTable<IpPrefix, uint>.Builder _rows = old.Rows.ToBuilder();
    private readonly RowTable<uint, IdentityUse>.Builder _byId = old.ById.ToBuilder();
    private readonly IdEdit _ids = new(old.Ids);

    public static IdentityTable Apply(IdentityTable old, AddressFacts facts, IReadOnlyCollection<IpPrefix> touched) =>
        old.Rows.Count == 0 ? All(facts) : new IdentityEdit(old, facts).Differing(touched) ?? All(facts);

    /// <returns>Null when numbers collide.</returns>
    private IdentityTable? Differing(IReadOnlyCollection<IpPrefix> touched)
    {
        foreach (var prefix in touched)
        {
            var next = facts.Of(prefix);
            var id = next is null ? 0 : Take(next);
            if (_rows.TryGetValue(prefix, out var was))
                Release(was);
            if (next is null)
                _rows.Remove(prefix);
            else
                _rows.Set(prefix, id);
            if (_ids.IsDisturbed)
                return null;
        }

        return old with { Facts = facts, Rows = _rows.ToTable(), ById = _byId.ToTable(), Ids = _ids.ToSpace() };
    }

    private uint Take(Identity identity)
    {
        var id = identity.Id != 0 ? identity.Id : old.Ids.Of(identity.Hash);
        if (!_byId.TryGetValue(id, out var use))
            use = new IdentityUse(identity with { Id = id }, 0);
        if (use.Rows == 0 || use.Identity.Hash != identity.Hash)
            Number(identity, take: true);
        _byId.Set(id, use with { Rows = use.Rows + 1 });
        return id;
    }

    private void Release(uint id)
    {
        _byId.TryGetValue(id, out var use);
        if (use.Rows > 1)
        {
            _byId.Set(id, use with { Rows = use.Rows - 1 });
            return;
        }

        _byId.Remove(id);
        Number(use.Identity, take: false);
    }

    private void Number(Identity identity, bool take)
    {
        if (identity.Id is > 0 and < (uint)IdentityId.First)
            return;
        if (take)
            _ids.Take(identity.Hash);
        else
            _ids.Release(identity.Hash);
    }

    private static IdentityTable All(AddressFacts facts)
    {
        var drafts = facts.Prefixes.ToDictionary(p => p, p => facts.Of(p)!);
        var wanted = new Dictionary<ContentHash, int>();
        foreach (var draft in drafts.Values)
            if (draft.Id == 0)
                wanted[draft.Hash] = 1;

        var ids = IdSpace.Assign(wanted, (uint)IdentityId.First);
        var rows = new Dictionary<IpPrefix, uint>(drafts.Count);
        var byId = new Dictionary<uint, IdentityUse>();
        foreach (var (prefix, draft) in drafts)
        {
            var id = draft.Id != 0 ? draft.Id : ids.Of(draft.Hash);
            rows.Add(prefix, id);
            var use = byId.GetValueOrDefault(id, new IdentityUse(draft with { Id = id }, 0));
            byId[id] = use with { Rows = use.Rows + 1 };
        }

        return new IdentityTable(IdentityInput.Empty, facts, RowTable<IpPrefix, uint>.From(rows), RowTable<uint, IdentityUse>.From(byId), ids);
    }
}
