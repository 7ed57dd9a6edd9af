using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Identities;

internal enum IdentityKind
{
    Host,
    RemoteNode,
    Pod,
    World,
}

/// <summary>What policies can tell apart about an address; all addresses of which they can tell the same share one number.</summary>
/// <param name="Id">0 until it has one.</param>
/// <param name="Hash">Of what it stands for; default where the number is reserved.</param>
/// <param name="Name">For people, and unique.</param>
/// <param name="Namespace">Of pods, else empty.</param>
/// <param name="Cidrs">The policies' blocks that hold the address, widest first.</param>
/// <param name="Ports">Of pods: the named ports that an egress rule speaks of, sorted.</param>
internal sealed record Identity(
    uint Id,
    ContentHash Hash,
    string Name,
    IdentityKind Kind,
    string Namespace,
    ImmutableSortedDictionary<string, string> Labels,
    ImmutableArray<IpPrefix> Cidrs,
    ImmutableArray<NamedPort> Ports)
{
    private static readonly ImmutableSortedDictionary<string, string> s_noLabels = ImmutableSortedDictionary<string, string>.Empty;

    public static readonly Identity Host = Reserved(IdentityId.Host, "host", IdentityKind.Host);
    public static readonly Identity World = Reserved(IdentityId.World, "world", IdentityKind.World);
    private static readonly Identity s_remoteNode = Reserved(IdentityId.RemoteNode, "remote-node", IdentityKind.RemoteNode);

    /// <summary>Another node. A block may name it (the API server's, say), so the reserved number is only for nodes that none names.</summary>
    public static Identity RemoteNode(ImmutableArray<IpPrefix> around) =>
        around.Length == 0 ? s_remoteNode : Numbered($"remote-node in {string.Join(",", around)}", IdentityKind.RemoteNode, around);

    /// <summary>An address of which nothing is known but the blocks around it.</summary>
    public static Identity Outside(ImmutableArray<IpPrefix> around) =>
        Numbered(around.Length == 1 ? $"cidr {around[0]}" : $"cidr {around[^1]} in {string.Join(",", around[..^1])}", IdentityKind.World, around);

    public static Identity Pod(Workload pod, MeshNamespace ns, ImmutableArray<IpPrefix> around, ImmutableArray<NamedPort> ports)
    {
        var name = $"pod {ns.Name}";
        if (pod.Labels.Count > 0)
            name += $" {CanonicalText.Of(pod.Labels)}";
        if (around.Length > 0)
            name += $" in {string.Join(",", around)}";
        if (ports.Length > 0)
            name += $" ports {string.Join(",", ports.Select(p => $"{p.Name}:{p.Number}/{p.Protocol}"))}";
        var hash = ContentHash.Of($"{name} namespace-labels {CanonicalText.Of(ns.Labels)}");
        return new Identity(0, hash, name, IdentityKind.Pod, ns.Name, pod.Labels, around, ports);
    }

    private static Identity Reserved(IdentityId id, string name, IdentityKind kind) => new((uint)id, default, name, kind, "", s_noLabels, [], []);

    private static Identity Numbered(string name, IdentityKind kind, ImmutableArray<IpPrefix> around) =>
        new(0, ContentHash.Of(name), name, kind, "", s_noLabels, around, []);
}
