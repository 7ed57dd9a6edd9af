using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Identities;

/// <param name="Rows">How many addresses and blocks have it.</param>
internal readonly record struct IdentityUse(Identity Identity, int Rows);

/// <summary>What the identities were made from.</summary>
internal sealed record IdentityInput(
    ImmutableArray<MeshNamespace> Namespaces,
    ImmutableArray<MeshNode> Nodes,
    ImmutableArray<Workload> Workloads,
    NodeFacts Node,
    PolicyTerms Terms,
    AddressOwners Owners)
{
    public static readonly IdentityInput Empty = new([], [], [], new NodeFacts("", [], []), PolicyTerms.Empty, AddressOwners.Empty);
}

/// <summary>All identities of a plan and where they live, and what made them, so that a change costs what it changes.</summary>
/// <param name="Rows">nm_identity without its flags.</param>
/// <param name="ById">Those that some row has.</param>
/// <param name="Ids">The numbers in use, but for the reserved ones.</param>
internal sealed record IdentityTable(IdentityInput Input, AddressFacts Facts, RowTable<IpPrefix, uint> Rows, RowTable<uint, IdentityUse> ById, IdSpace Ids)
{
    public static readonly IdentityTable Empty = new(
        IdentityInput.Empty, AddressFacts.Empty, RowTable<IpPrefix, uint>.Empty, RowTable<uint, IdentityUse>.Empty, IdSpace.From((uint)IdentityId.First));

    public IEnumerable<Identity> All => ById.Values.Select(u => u.Identity);

    public IReadOnlyDictionary<string, MeshNamespace> Namespaces => Facts.Namespaces;

    public ImmutableArray<Diagnostic> Findings => Input.Owners.Findings;

    /// <summary>False: another pod has the address.</summary>
    public bool Owns(Workload pod, IpAddr address) => Facts.Owners[address].Name == pod.Name;

    /// <summary>The identity that the longest matching row gives.</summary>
    public uint Of(IpAddr address)
    {
        var host = IpPrefix.Host(address);
        if (Rows.TryGetValue(host, out var id))
            return id;
        var around = Facts.Cidrs.Around(host);
        return Rows[around.Length > 0 ? around[^1] : address.IsIPv4 ? IpPrefix.AnyIPv4 : IpPrefix.Any];
    }

    /// <summary>Identities that only one of the two tables has, or that stand for something else there.</summary>
    public static List<(Identity? Old, Identity? New)> Difference(IdentityTable old, IdentityTable now)
    {
        var touched = new List<uint>();
        RowTable<uint, IdentityUse>.AddDifference(old.ById, now.ById, touched);
        var found = new List<(Identity?, Identity?)>();
        foreach (var id in touched)
        {
            var was = old.ById.TryGetValue(id, out var use) ? use.Identity : null;
            var next = now.ById.TryGetValue(id, out use) ? use.Identity : null;
            if (was?.Name != next?.Name || was?.Hash != next?.Hash)
                found.Add((was, next));
        }

        return found;
    }
}
