using System.Collections.Immutable;
using NodeMesh.Plan;

namespace NodeMesh.Proxy.Transport;

/// <summary>Makes TLS transports over accepted sockets, with the certificates of the gateway's plan. Called by every worker: thread safe.</summary>
public interface ITlsContextSource
{
    /// <summary>Prepares (or finds again) the contexts for a gateway of a plan that is about to be published. Throws nothing: a certificate
    /// that OpenSSL refuses is reported by the returned text, and the last good one stays.</summary>
    /// <returns>Null when all is well.</returns>
    string? Prepare(GatewayPlan gateway);

    /// <summary>Lets go of every gateway that is not among <paramref name="gateways"/>. Handshakes and connections under way keep what they use.</summary>
    void Retain(ImmutableArray<GatewayPlan> gateways);

    /// <summary>Called on the worker's thread at accept; the transport owns <paramref name="fd"/> from here on.</summary>
    internal ITransport Accept(GatewayPlan gateway, int fd);
}
