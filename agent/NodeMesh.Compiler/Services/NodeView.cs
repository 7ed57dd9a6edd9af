using System.Collections.Immutable;
using System.Net;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Services;

/// <summary>What services need to know of the node.</summary>
/// <param name="Zone">Empty when unknown.</param>
/// <param name="NodePortAddresses">Where NodePorts are served.</param>
/// <param name="LoopbackNodePorts">Whether also on 127.0.0.1.</param>
internal sealed record NodeView(
    string Name, string Zone, ImmutableArray<IpAddr> Addresses, ImmutableArray<IpAddr> NodePortAddresses, bool LoopbackNodePorts, Balancing Balancing, int TableSize)
{
    public static readonly IpAddr Loopback = IpAddr.From(IPAddress.Loopback);

    private const string ZoneLabel = "topology.kubernetes.io/zone";

    public static NodeView Of(MeshSnapshot mesh, NodeFacts node)
    {
        var blocks = node.NodePortBlocks;
        bool Serves(IpAddr address) => blocks.Length == 0 || blocks.Any(b => b.Covers(IpPrefix.Host(address)));
        return new NodeView(
            node.NodeName,
            mesh.Nodes.FirstOrDefault(n => n.Name == node.NodeName)?.Labels.GetValueOrDefault(ZoneLabel) ?? "",
            node.Addresses,
            [.. node.Addresses.Where(Serves)],
            Serves(Loopback),
            node.Balancing,
            node.MaglevTableSize);
    }

    public bool SameAs(NodeView other) =>
        this with { Addresses = default, NodePortAddresses = default } == other with { Addresses = default, NodePortAddresses = default }
        && Addresses.AsSpan().SequenceEqual(other.Addresses.AsSpan()) && NodePortAddresses.AsSpan().SequenceEqual(other.NodePortAddresses.AsSpan());
}
