using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Compiler.Identities;

/// <summary>All that tells who an address is. Who has it is a function of this and of nothing else, and of each address for itself.</summary>
/// <param name="Cidrs">Blocks that policies name, excepted ones included.</param>
/// <param name="PortNames">Names of ports that egress rules speak of: only of those it matters which number they have at a pod.</param>
/// <param name="Owners">Which pod has an address.</param>
/// <param name="Here">Addresses of this node.</param>
/// <param name="Remote">Addresses of other nodes.</param>
internal sealed record AddressFacts(
    CidrIndex Cidrs,
    Tally<string> PortNames,
    IReadOnlyDictionary<string, MeshNamespace> Namespaces,
    RowTable<IpAddr, Workload> Owners,
    ImmutableHashSet<IpAddr> Here,
    ImmutableHashSet<IpAddr> Remote)
{
    public static readonly AddressFacts Empty = new(
        CidrIndex.Empty, Tally<string>.Empty, new Dictionary<string, MeshNamespace>(), RowTable<IpAddr, Workload>.Empty, [], []);

    /// <summary>Everything that has an identity of its own.</summary>
    public IEnumerable<IpPrefix> Prefixes => Owners.Keys.Concat(Here).Concat(Remote).Select(IpPrefix.Host).Concat(Cidrs.Blocks.Items)
        .Append(IpPrefix.AnyIPv4).Append(IpPrefix.Any).Distinct();

    /// <summary>Null: what lies there has the identity of what lies around it.</summary>
    public Identity? Of(IpPrefix prefix)
    {
        if (prefix.Bits == 128)
        {
            if (Here.Contains(prefix.Address))
                return Identity.Host;
            if (Remote.Contains(prefix.Address))
                return Identity.RemoteNode(Cidrs.Around(prefix));
            if (Owners.TryGetValue(prefix.Address, out var pod))
                return Identity.Pod(pod, Namespaces[pod.Name.Namespace], Cidrs.Around(prefix), PortsOf(pod));
        }

        return Cidrs.Contains(prefix) ? Identity.Outside(Cidrs.Around(prefix))
            : prefix == IpPrefix.AnyIPv4 || prefix == IpPrefix.Any ? Identity.World
            : null;
    }

    private ImmutableArray<NamedPort> PortsOf(Workload pod) => PortNames.Count == 0
        ? []
        : [.. pod.Ports.Where(p => PortNames.Contains(p.Name)).Distinct().OrderBy(p => p.Name, StringComparer.Ordinal).ThenBy(p => p.Protocol).ThenBy(p => p.Number)];
}
