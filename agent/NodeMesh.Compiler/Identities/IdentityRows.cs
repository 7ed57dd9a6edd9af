using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Identities;

/// <summary>Whom the proxy may dial in a pod's name.</summary>
internal sealed record Dialled(IReadOnlySet<IpAddr> Addresses, IReadOnlySet<uint> Identities)
{
    public static readonly Dialled Nobody = new(ImmutableHashSet<IpAddr>.Empty, ImmutableHashSet<uint>.Empty);

    public Dialled And(IReadOnlySet<IpAddr> addresses) => addresses.Count == 0 ? this : this with { Addresses = Addresses.Concat(addresses).ToHashSet() };
}

/// <summary>The rows of nm_identity: who has an address, and whether the proxy may dial it, which also gives it a row of its own.</summary>
internal sealed record IdentityRows(IdentityTable Identities, Dialled Dialled, RowTable<IdentityKey, IdentityEntry> Rows)
{
    public static readonly IdentityRows Empty = new(IdentityTable.Empty, Dialled.Nobody, RowTable<IdentityKey, IdentityEntry>.Empty);

    /// <param name="old">What was made before; the result is the same without it.</param>
    public static IdentityRows Of(IdentityTable identities, Dialled dialled, IdentityRows old)
    {
        var now = new IdentityRows(identities, dialled, old.Rows);
        if (old.Rows.Count == 0)
            return now with { Rows = RowTable<IdentityKey, IdentityEntry>.From(now.All()) };

        var rows = old.Rows.ToBuilder();
        foreach (var prefix in now.Touched(old))
            if (now.EntryOf(prefix) is { } entry)
                rows.Set(Key(prefix), entry);
            else
                rows.Remove(Key(prefix));
        return now with { Rows = rows.ToTable() };
    }

    private Dictionary<IdentityKey, IdentityEntry> All() =>
        Identities.Rows.Keys.Concat(Dialled.Addresses.Select(IpPrefix.Host)).Distinct().ToDictionary(Key, p => EntryOf(p)!.Value);

    private HashSet<IpPrefix> Touched(IdentityRows old)
    {
        var touched = new HashSet<IpPrefix>();
        if (!ReferenceEquals(Identities, old.Identities))
        {
            RowTable<IpPrefix, uint>.AddDifference(old.Identities.Rows, Identities.Rows, touched);

            // An address without an identity of its own has that of what lies around it.
            touched.UnionWith(Dialled.Addresses.Select(IpPrefix.Host).Where(p => !Identities.Rows.ContainsKey(p)));
        }

        touched.UnionWith(OnlyInOne(Dialled.Addresses, old.Dialled.Addresses).Select(IpPrefix.Host));
        var otherwise = OnlyInOne(Dialled.Identities, old.Dialled.Identities);
        if (otherwise.Count > 0)
            touched.UnionWith(Identities.Rows.Where(r => otherwise.Contains(r.Value)).Select(r => r.Key));
        return touched;
    }

    /// <summary>Null: there is no row.</summary>
    private IdentityEntry? EntryOf(IpPrefix prefix)
    {
        var isDialled = prefix.Bits == 128 && Dialled.Addresses.Contains(prefix.Address);
        if (!Identities.Rows.TryGetValue(prefix, out var identity))
        {
            if (!isDialled)
                return null;
            identity = Identities.Of(prefix.Address);
        }

        return new IdentityEntry { Identity = identity, Flags = isDialled || Dialled.Identities.Contains(identity) ? (uint)IdentityFlag.Backend : 0 };
    }

    private static HashSet<T> OnlyInOne<T>(IReadOnlySet<T> a, IReadOnlySet<T> b)
    {
        if (ReferenceEquals(a, b))
            return [];
        var only = a.Where(x => !b.Contains(x)).ToHashSet();
        only.UnionWith(b.Where(x => !a.Contains(x)));
        return only;
    }

    private static IdentityKey Key(IpPrefix prefix) => new() { PrefixBits = (uint)prefix.Bits, Addr = Addr.From(prefix.Address) };
}
