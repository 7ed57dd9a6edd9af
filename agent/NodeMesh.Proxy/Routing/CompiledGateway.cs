using System.Runtime.CompilerServices;
using System.Text;
using NodeMesh.Plan;

namespace NodeMesh.Proxy.Routing;

/// <summary>Which of a socket's Gateway listeners a host name belongs to.</summary>
internal sealed class CompiledGateway
{
    private static readonly ConditionalWeakTable<GatewayPlan, CompiledGateway> Made = [];

    private readonly (HostPattern Host, GatewayHostPlan Plan)[] _hosts;

    private CompiledGateway(GatewayPlan plan) => _hosts = [.. plan.Hosts.Select(h => (new HostPattern(h.Hostname), h))];

    public static CompiledGateway For(GatewayPlan plan) => Made.GetValue(plan, static p => new CompiledGateway(p));

    /// <param name="authority">Host header, with or without a port; empty finds only a listener for every host.</param>
    public GatewayHostPlan? Select(ReadOnlySpan<byte> authority)
    {
        var host = HostPattern.HostOf(authority);
        foreach (var (pattern, plan) in _hosts)
        {
            if (pattern.IsAny || (!host.IsEmpty && pattern.Matches(host)))
                return plan;
        }

        return null;
    }

    /// <param name="serverName">SNI; null when the client sent none.</param>
    public GatewayHostPlan? Select(string? serverName) => Select(serverName is null ? default : Encoding.ASCII.GetBytes(serverName).AsSpan());
}
