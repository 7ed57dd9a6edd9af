using NodeMesh.Plan;

namespace NodeMesh.Compiler;

/// <summary>Who holds a number, and how often it is wanted.</summary>
internal readonly record struct IdHolder(ContentHash Hash, int Count);

/// <summary>
/// Numbers in use, a function of the contents that are wanted and of nothing else: docs/adr/0001-content-derived-ids.md. Of two contents that would like
/// one number the smaller hash has it; the other takes the next free one after all had theirs.
/// </summary>
/// <param name="First">Smaller numbers are reserved.</param>
/// <param name="Displaced">Contents that could not have their own number.</param>
internal sealed record IdSpace(uint First, RowTable<uint, IdHolder> Holders, RowTable<ContentHash, uint> Displaced)
{
    public static readonly IdSpace Empty = From(1);

    /// <summary>One of which no number is in use.</summary>
    public static IdSpace From(uint first) => new(first, RowTable<uint, IdHolder>.Empty, RowTable<ContentHash, uint>.Empty);

    /// <param name="wanted">Contents, and how often each is wanted.</param>
    public static IdSpace Assign(IReadOnlyDictionary<ContentHash, int> wanted, uint first = 1)
    {
        var holders = new Dictionary<uint, IdHolder>(wanted.Count);
        var displaced = new SortedSet<ContentHash>();
        foreach (var (hash, _) in wanted)
        {
            if (!holders.TryGetValue(hash.Natural(first), out var rival) || hash.CompareTo(rival.Hash) < 0)
                holders[hash.Natural(first)] = new IdHolder(hash, wanted[hash]);
            if (rival != default)
                displaced.Add(holders[hash.Natural(first)].Hash == hash ? rival.Hash : hash);
        }

        var places = new Dictionary<ContentHash, uint>();
        foreach (var hash in displaced)
        {
            var id = hash.Natural(first);
            while (!holders.TryAdd(id, new IdHolder(hash, wanted[hash])))
                id = id == uint.MaxValue ? first : id + 1;
            places.Add(hash, id);
        }

        return new IdSpace(first, RowTable<uint, IdHolder>.From(holders), RowTable<ContentHash, uint>.From(places));
    }

    /// <summary>The number of a content that is wanted.</summary>
    public uint Of(ContentHash hash) => Displaced.Count > 0 && Displaced.TryGetValue(hash, out var id) ? id : hash.Natural(First);
}

/// <summary>An <see cref="IdSpace"/> under change. Where contents collide it gives up, and all is to be assigned anew: a matter of one plan in a hundred thousand.</summary>
internal sealed class IdEdit(IdSpace old)
{
    private readonly RowTable<uint, IdHolder>.Builder _holders = old.Holders.ToBuilder();

    /// <summary>A collision came or went: nothing that this object says holds.</summary>
    public bool IsDisturbed { get; private set; }

    public IdSpace ToSpace() => old with { Holders = _holders.ToTable() };

    /// <returns>Whether it was not wanted before.</returns>
    public bool Take(ContentHash hash)
    {
        var id = old.Of(hash);
        if (!_holders.TryGetValue(id, out var holder))
        {
            _holders.Set(id, new IdHolder(hash, 1));
            return true;
        }

        IsDisturbed |= holder.Hash != hash;
        _holders.Set(id, holder with { Count = holder.Count + 1 });
        return false;
    }

    /// <returns>Whether nobody wants it any more.</returns>
    public bool Release(ContentHash hash)
    {
        var id = old.Of(hash);
        if (!_holders.TryGetValue(id, out var holder) || holder.Hash != hash)
        {
            IsDisturbed = true;
            return false;
        }

        if (holder.Count > 1)
        {
            _holders.Set(id, holder with { Count = holder.Count - 1 });
            return false;
        }

        _holders.Remove(id);

        // Somebody who was displaced may have been looking for this place.
        foreach (var (other, place) in old.Displaced)
            IsDisturbed |= other == hash || id - other.Natural(old.First) <= place - other.Natural(old.First);
        return true;
    }
}
