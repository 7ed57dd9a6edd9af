using System.Net;
using NodeMesh.Compiler.Gateways;
using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Compiler.Services;

/// <summary>The ports of the node at which a Gateway's listeners stand, so that no service takes their traffic away unsaid, nor they a service's. Pure.</summary>
internal static class ListenerPorts
{
    public static Fragment Of(Gateway gateway, NodeFacts facts, NodeView node)
    {
        var to = new FragmentBuilder(new SourceKey(SourceKind.Gateway, gateway.Name), gateway.Location, node, []);
        var addresses = Sockets.AddressesOf(gateway, facts).SelectMany(a => Named(a, node)).ToList();
        foreach (var port in gateway.Listeners.Select(l => l.Port).Distinct())
            foreach (var address in addresses)
                to.Add(address, port, Protocol.Tcp, FrontendKind.NodePort, s_none, 0, GroupDraft.Nobody, GroupDraft.Nobody, null, "spec.listeners");
        return to.Build(gateway.CreatedAt, gateway);
    }

    private static readonly PortDraft s_none = new(default, "", 0);

    /// <summary>A wildcard stands for every address of the node in its family.</summary>
    private static IEnumerable<IpAddr> Named(IPAddress address, NodeView node)
    {
        var ip = IpAddr.From(address);
        return ip.IsUnspecified ? node.Addresses.Concat(NodeView.Loopbacks).Where(a => a.IsIPv4 == ip.IsIPv4) : [ip];
    }
}
