using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Identities;

/// <summary>Tells who every address is: pods by what selectors and blocks see of them, nodes, blocks that policies name, and the rest.</summary>
internal static class IdentityStage
{
    private static readonly ImmutableSortedDictionary<string, string> NoLabels = ImmutableSortedDictionary<string, string>.Empty;

    public static IdentityTable Run(MeshSnapshot mesh, NodeFacts node, PlanBuilder plan)
    {
        var cidrs = new CidrIndex(mesh.Policies);
        var namespaces = NamespaceTable.Build(mesh);
        var drafts = new Dictionary<IpPrefix, Identity>
        {
            [IpPrefix.AnyIPv4] = Reserved(IdentityId.World),
            [IpPrefix.Any] = Reserved(IdentityId.World),
        };

        foreach (var block in cidrs.Blocks)
            drafts[block] = Outside(cidrs.Around(block));
        var owners = AddPods(mesh, cidrs, namespaces, drafts, plan);
        AddNodes(mesh, node, cidrs, drafts);
        return Number(drafts, owners, cidrs, namespaces);
    }

    private static Dictionary<IpAddr, ObjectName> AddPods(
        MeshSnapshot mesh, CidrIndex cidrs, Dictionary<string, MeshNamespace> namespaces, Dictionary<IpPrefix, Identity> drafts, PlanBuilder plan)
    {
        var egressPorts = mesh.Policies.SelectMany(p => p.Egress).SelectMany(r => r.Ports)
            .Where(p => p.Named is not null).Select(p => p.Named!).ToHashSet(StringComparer.Ordinal);
        var owners = new Dictionary<IpAddr, ObjectName>();

        // A pod on its way out may still be listed with an address that a new pod has already got.
        foreach (var pod in mesh.Workloads.Where(w => !w.HostNetwork).OrderBy(w => w.Terminating).ThenBy(w => w.Name))
        {
            ImmutableArray<NamedPort> ports = egressPorts.Count == 0
                ? []
                : [.. pod.Ports.Where(p => egressPorts.Contains(p.Name)).Distinct().OrderBy(p => p.Name, StringComparer.Ordinal).ThenBy(p => p.Protocol).ThenBy(p => p.Number)];
            foreach (var address in pod.Addresses)
            {
                if (owners.TryGetValue(address, out var owner))
                {
                    if (owner != pod.Name && !pod.Terminating)
                        plan.Report("duplicate-address", Severity.Warning, new ObjectRef("Pod", pod.Name), "status.podIPs",
                            $"{address} is also the address of Pod {owner}", $"the address is taken for Pod {owner}", pod.Location);
                    continue;
                }

                owners.Add(address, pod.Name);
                var host = IpPrefix.Host(address);
                drafts[host] = Pod(pod, namespaces[pod.Name.Namespace], cidrs.Around(host), ports);
            }
        }

        return owners;
    }

    private static void AddNodes(MeshSnapshot mesh, NodeFacts node, CidrIndex cidrs, Dictionary<IpPrefix, Identity> drafts)
    {
        bool IsHere(string name) => name == node.NodeName;

        // Pods on the host's network have the node's addresses; where no Node object says them, they do.
        var remote = mesh.Nodes.Where(n => !IsHere(n.Name)).SelectMany(n => n.Addresses)
            .Concat(mesh.Workloads.Where(w => w.HostNetwork && w.NodeName.Length > 0 && !IsHere(w.NodeName)).SelectMany(w => w.Addresses));
        foreach (var address in remote)
        {
            var host = IpPrefix.Host(address);
            drafts[host] = RemoteNode(cidrs.Around(host));
        }

        var here = node.Addresses
            .Concat(mesh.Nodes.Where(n => IsHere(n.Name)).SelectMany(n => n.Addresses))
            .Concat(mesh.Workloads.Where(w => w.HostNetwork && (w.NodeName.Length == 0 || IsHere(w.NodeName))).SelectMany(w => w.Addresses));
        foreach (var address in here)
            drafts[IpPrefix.Host(address)] = Reserved(IdentityId.Host);
    }

    private static IdentityTable Number(
        Dictionary<IpPrefix, Identity> drafts, Dictionary<IpAddr, ObjectName> owners, CidrIndex cidrs, Dictionary<string, MeshNamespace> namespaces)
    {
        string TextOf(Identity identity) => identity.Kind != IdentityKind.Pod
            ? identity.Name
            : $"{identity.Name} namespace-labels {CanonicalText.Of(namespaces[identity.Namespace].Labels)}";

        var texts = new Dictionary<IpPrefix, string>(drafts.Count);
        foreach (var (prefix, identity) in drafts)
            texts[prefix] = TextOf(identity);

        var reserved = drafts.Where(d => d.Value.Id != 0).Select(d => texts[d.Key]).ToHashSet(StringComparer.Ordinal);
        var ids = ContentIds.Assign(texts.Values.Where(t => !reserved.Contains(t)), (uint)IdentityId.First);
        var rows = new Dictionary<IpPrefix, uint>(drafts.Count);
        var all = new Dictionary<uint, Identity>();
        foreach (var (prefix, draft) in drafts)
        {
            var id = draft.Id != 0 ? draft.Id : ids[texts[prefix]];
            rows[prefix] = id;
            if (!all.ContainsKey(id))
                all.Add(id, draft with { Id = id });
        }

        return new IdentityTable([.. all.Values.OrderBy(i => i.Id)], rows, owners, cidrs, namespaces);
    }

    private static Identity Reserved(IdentityId id) => id switch
    {
        IdentityId.Host => new Identity((uint)id, "host", IdentityKind.Host, "", NoLabels, [], []),
        IdentityId.RemoteNode => new Identity((uint)id, "remote-node", IdentityKind.RemoteNode, "", NoLabels, [], []),
        _ => new Identity((uint)id, "world", IdentityKind.World, "", NoLabels, [], []),
    };

    // A block may name another node (the API server's, say), so the reserved number is only for nodes that none names.
    private static Identity RemoteNode(ImmutableArray<IpPrefix> around) => around.Length == 0
        ? Reserved(IdentityId.RemoteNode)
        : new Identity(0, $"remote-node in {string.Join(",", around)}", IdentityKind.RemoteNode, "", NoLabels, around, []);

    private static Identity Outside(ImmutableArray<IpPrefix> around) =>
        new(0, around.Length == 1 ? $"cidr {around[0]}" : $"cidr {around[^1]} in {string.Join(",", around[..^1])}", IdentityKind.World, "", NoLabels, around, []);

    private static Identity Pod(Workload pod, MeshNamespace ns, ImmutableArray<IpPrefix> around, ImmutableArray<NamedPort> ports)
    {
        var name = $"pod {ns.Name}";
        if (pod.Labels.Count > 0)
            name += $" {CanonicalText.Of(pod.Labels)}";
        if (around.Length > 0)
            name += $" in {string.Join(",", around)}";
        if (ports.Length > 0)
            name += $" ports {string.Join(",", ports.Select(p => $"{p.Name}:{p.Number}/{p.Protocol}"))}";
        return new Identity(0, name, IdentityKind.Pod, ns.Name, pod.Labels, around, ports);
    }
}
