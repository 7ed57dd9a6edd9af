using System.Net;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Gateways;

/// <summary>Shares the node's sockets out among the listeners of all Gateways.</summary>
internal static class Sockets
{
    /// <summary>A Gateway's listener.</summary>
    internal sealed record Claim(Gateway Gateway, GatewayListener Listener)
    {
        public string Hostname => Listener.Hostname ?? Hostnames.Any;

        public override string ToString() => $"{Gateway.Name}/{Listener.Name}";
    }

    /// <summary>Listeners by socket, in order of Gateway and listener; who comes first keeps what two want.</summary>
    public static List<(IPEndPoint Address, List<Claim> Claims)> Assign(MeshSnapshot mesh, NodeFacts node, PlanBuilder plan)
    {
        var sockets = new List<(IPEndPoint Address, List<Claim> Claims)>();
        foreach (var gateway in mesh.Gateways)
        {
            ReportAddresses(gateway, node, plan);
            var addresses = AddressesOf(gateway, node);
            foreach (var listener in gateway.Listeners)
            {
                var claim = new Claim(gateway, listener);
                foreach (var address in addresses)
                {
                    var endpoint = new IPEndPoint(address, claim.Listener.Port);
                    var claims = sockets.FirstOrDefault(s => s.Address.Equals(endpoint)).Claims;
                    if (claims is null)
                        sockets.Add((endpoint, claims = []));
                    if (!Clashes(claim, claims, plan))
                        claims.Add(claim);
                }
            }
        }

        return sockets;
    }

    private static bool Clashes(Claim claim, List<Claim> claims, PlanBuilder plan)
    {
        // By name: a listener's place in the model is not its place in the object where others were left out.
        void Refuse(string code, string message) => plan.Report(
            code, Severity.Error, new ObjectRef("Gateway", claim.Gateway.Name), "spec.listeners", $"listener {claim.Listener.Name}: {message}",
            "the listener is left out", claim.Gateway.Location);

        if (claims.FirstOrDefault(c => c.Listener.Protocol != claim.Listener.Protocol) is { } other)
        {
            Refuse("listener-protocol-clash",
                $"port {claim.Listener.Port} is already {other.Listener.Protocol.ToString().ToUpperInvariant()} for listener {other}");
            return true;
        }

        if (claims.FirstOrDefault(c => c.Hostname == claim.Hostname) is { } twin)
        {
            Refuse("listener-hostname-clash", $"host {claim.Hostname} on port {claim.Listener.Port} is already that of listener {twin}");
            return true;
        }

        return false;
    }

    /// <summary>Where a Gateway's listeners stand on this node; a wildcard stands for itself.</summary>
    public static List<IPAddress> AddressesOf(Gateway gateway, NodeFacts node)
    {
        if (gateway.Addresses.Length == 0)
            return node.GatewayAddresses.Length == 0 ? [IPAddress.Any, IPAddress.IPv6Any] : [.. node.GatewayAddresses.Distinct().Select(a => a.ToIPAddress())];
        return [.. gateway.Addresses.Where(a => IsHere(a, node)).Select(a => a.ToIPAddress()).Distinct()];
    }

    private static void ReportAddresses(Gateway gateway, NodeFacts node, PlanBuilder plan)
    {
        for (var i = 0; i < gateway.Addresses.Length; i++)
            if (!IsHere(gateway.Addresses[i], node))
                plan.Report("address-not-here", Severity.Warning, new ObjectRef("Gateway", gateway.Name), $"spec.addresses[{i}]",
                    $"{gateway.Addresses[i]} is not an address of this node", "nothing listens on it here", gateway.Location);
    }

    // Without facts (nodemesh plan) every address may be the node's.
    private static bool IsHere(IpAddr address, NodeFacts node) =>
        node.Addresses.Length == 0 || node.Addresses.Contains(address) || node.GatewayAddresses.Contains(address) || address.IsUnspecified
        || IPAddress.IsLoopback(address.ToIPAddress());
}
