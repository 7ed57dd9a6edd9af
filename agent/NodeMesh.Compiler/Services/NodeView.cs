using System.Collections.Immutable;
using System.Net;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Services;

/// <summary>What services need to know of the node.</summary>
/// <param name="Zone">Empty when unknown.</param>
/// <param name="NodePortAddresses">Where NodePorts are served.</param>
/// <param name="GatewayAddresses">Where Gateways listen that name no address; none: everywhere.</param>
/// <param name="LoopbackNodePorts">At which loopback addresses they are, too: for processes of the node.</param>
/// <param name="ServesOutside">Whether node ports, host ports, external and load balancer addresses are ours; otherwise kube-proxy has them.</param>
internal sealed record NodeView(
    string Name, string Zone, ImmutableArray<IpAddr> Addresses, ImmutableArray<IpAddr> GatewayAddresses, ImmutableArray<IpAddr> NodePortAddresses,
    ImmutableArray<IpAddr> LoopbackNodePorts, Balancing Balancing, int TableSize, bool ServesOutside = true)
{
    public static readonly ImmutableArray<IpAddr> Loopbacks = [IpAddr.From(IPAddress.Loopback), IpAddr.From(IPAddress.IPv6Loopback)];

    private const string ZoneLabel = "topology.kubernetes.io/zone";

    public static NodeView Of(MeshSnapshot mesh, NodeFacts node)
    {
        var blocks = node.NodePortBlocks;
        bool Serves(IpAddr address) => blocks.Length == 0 || blocks.Any(b => b.Covers(IpPrefix.Host(address)));
        return new NodeView(
            node.NodeName,
            mesh.Nodes.FirstOrDefault(n => n.Name == node.NodeName)?.Labels.GetValueOrDefault(ZoneLabel) ?? "",
            node.Addresses,
            node.GatewayAddresses,
            [.. node.Addresses.Where(Serves)],
            [.. Loopbacks.Where(Serves)],
            node.Balancing,
            node.MaglevTableSize,
            node.ReplacesKubeProxy);
    }

    public bool SameAs(NodeView other) =>
        Plain(this) == Plain(other) && Same(Addresses, other.Addresses) && Same(GatewayAddresses, other.GatewayAddresses)
        && Same(NodePortAddresses, other.NodePortAddresses) && Same(LoopbackNodePorts, other.LoopbackNodePorts);

    private static NodeView Plain(NodeView of) => of with { Addresses = [], GatewayAddresses = [], NodePortAddresses = [], LoopbackNodePorts = [] };

    private static bool Same(ImmutableArray<IpAddr> a, ImmutableArray<IpAddr> b) => a.AsSpan().SequenceEqual(b.AsSpan());
}
