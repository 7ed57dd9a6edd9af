using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Identities;

internal enum IdentityKind
{
    Host,
    RemoteNode,
    Pod,
    World,
}

/// <summary>What policies can tell apart about an address; all addresses of which they can tell the same share one number.</summary>
/// <param name="Name">For people, and unique.</param>
/// <param name="Namespace">Of pods, else empty.</param>
/// <param name="Cidrs">The policies' blocks that hold the address, widest first.</param>
/// <param name="Ports">Of pods: the named ports that an egress rule speaks of, sorted.</param>
internal sealed record Identity(
    uint Id,
    string Name,
    IdentityKind Kind,
    string Namespace,
    ImmutableSortedDictionary<string, string> Labels,
    ImmutableArray<IpPrefix> Cidrs,
    ImmutableArray<NamedPort> Ports);

/// <summary>All identities of a plan and where they live.</summary>
/// <param name="All">Sorted by id.</param>
/// <param name="Rows">nm_identity without its flags.</param>
/// <param name="Owners">Which pod has an address.</param>
/// <param name="Cidrs">For addresses without a row of their own.</param>
internal sealed record IdentityTable(
    ImmutableArray<Identity> All,
    IReadOnlyDictionary<IpPrefix, uint> Rows,
    IReadOnlyDictionary<IpAddr, ObjectName> Owners,
    CidrIndex Cidrs,
    IReadOnlyDictionary<string, MeshNamespace> Namespaces)
{
    /// <summary>The identity that the longest matching row gives.</summary>
    public uint Of(IpAddr address)
    {
        var host = IpPrefix.Host(address);
        if (Rows.TryGetValue(host, out var id))
            return id;
        var around = Cidrs.Around(host);
        return Rows[around.Length > 0 ? around[^1] : address.IsIPv4 ? IpPrefix.AnyIPv4 : IpPrefix.Any];
    }
}
