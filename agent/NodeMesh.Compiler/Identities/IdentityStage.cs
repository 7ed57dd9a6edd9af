using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Compiler.Identities;

/// <summary>Tells who every address is: pods by what selectors and blocks see of them, nodes, blocks that policies name, and the rest.</summary>
internal static class IdentityStage
{
    /// <param name="old">What was compiled before; the result is the same without it.</param>
    public static IdentityTable Run(MeshSnapshot mesh, NodeFacts node, IdentityTable old)
    {
        var (blocks, portNames, namespaces) = (new HashSet<IpPrefix>(), new HashSet<string>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        var pods = SortedLists.Difference(old.Input.Workloads, mesh.Workloads, w => w.Name).ToList();
        var terms = PolicyTerms.Run(mesh.Policies, old.Input.Terms, blocks, portNames);
        var owners = AddressOwners.Run(mesh.Workloads, pods, old.Input.Owners);
        var (here, remote) = AreNodesSame() ? (old.Facts.Here, old.Facts.Remote) : NodeAddresses.Of(mesh, node);
        var facts = new AddressFacts(
            terms.Cidrs, terms.PortNames,
            NamespaceTable.Build(mesh, pods.Select(p => p.New).OfType<Workload>(), old.Input.Namespaces, old.Facts.Namespaces, namespaces),
            owners.Table, here, remote);

        var table = IdentityEdit.Apply(old, facts, old.Rows.Count == 0 ? [] : Touched(old, facts, blocks, portNames, namespaces));
        return table with { Input = new IdentityInput(mesh.Namespaces, mesh.Nodes, mesh.Workloads, node, terms, owners) };

        bool AreNodesSame() => old.Input.Nodes == mesh.Nodes && old.Input.Node.NodeName == node.NodeName && old.Input.Node.Addresses.AsSpan().SequenceEqual(node.Addresses.AsSpan())
            && !pods.Exists(p => p.Old is { HostNetwork: true } || p.New is { HostNetwork: true });
    }

    /// <summary>Addresses and blocks about which something else is said than before.</summary>
    private static HashSet<IpPrefix> Touched(IdentityTable old, AddressFacts facts, HashSet<IpPrefix> blocks, HashSet<string> portNames, HashSet<string> namespaces)
    {
        var addresses = new List<IpAddr>();
        RowTable<IpAddr, Workload>.AddDifference(old.Facts.Owners, facts.Owners, addresses);
        if (!ReferenceEquals(old.Facts.Here, facts.Here))
            addresses.AddRange(old.Facts.Here.SymmetricExcept(facts.Here));
        if (!ReferenceEquals(old.Facts.Remote, facts.Remote))
            addresses.AddRange(old.Facts.Remote.SymmetricExcept(facts.Remote));
        if (portNames.Count + namespaces.Count > 0)
            addresses.AddRange(facts.Owners.Where(o => namespaces.Contains(o.Value.Name.Namespace) || o.Value.Ports.Any(p => portNames.Contains(p.Name))).Select(o => o.Key));

        var touched = addresses.Select(IpPrefix.Host).ToHashSet();
        if (blocks.Count == 0)
            return touched;
        touched.UnionWith(blocks);
        var changed = new CidrIndex(Tally<IpPrefix>.Of(blocks));
        touched.UnionWith(old.Rows.Keys.Where(changed.Covers));
        return touched;
    }
}
