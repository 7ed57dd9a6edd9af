using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Proxy.Http;

namespace NodeMesh.Proxy.Filters;

/// <summary>What a filter may know and change of one request. One object per stream, reused.</summary>
internal sealed class FilterContext(int filterCount)
{
    public ProxyPlan Plan { get; internal set; } = ProxyPlan.Empty;

    public RequestHead Request { get; internal set; } = null!;

    /// <summary>Set from OnResponseHeaders on.</summary>
    public ResponseHead? Response { get; internal set; }

    public HeaderEdits RequestEdits { get; } = new();

    public HeaderEdits ResponseEdits { get; } = new();

    public IpAddr Client { get; internal set; }

    public EndpointAddress Endpoint { get; internal set; }

    /// <summary>Request rules of the client's egress toward this endpoint; null when its verdict needs none.</summary>
    public HttpPolicyPlan? EgressRules { get; internal set; }

    /// <summary>Request rules of the endpoint's ingress from this client; null when its verdict needs none.</summary>
    public HttpPolicyPlan? IngressRules { get; internal set; }

    /// <summary>The rule of a policy under audit that would have refused the request; null: none would.</summary>
    public string? Audited { get; set; }

    /// <summary>The filter's own answer, with Respond.</summary>
    public LocalReply Reply { get; set; }

    /// <summary>One cell per filter of the chain, cleared per stream.</summary>
    public long[] Slots { get; } = new long[filterCount];

    /// <summary>With Pause: how the stream goes on, from any thread. To be read within the filter's call.</summary>
    public PausedStream Stream { get; internal set; }

    internal void Reset()
    {
        Plan = ProxyPlan.Empty;
        Response = null;
        RequestEdits.Reset();
        ResponseEdits.Reset();
        EgressRules = IngressRules = null;
        Audited = null;
        Reply = default;
        Slots.AsSpan().Clear();
    }
}

/// <summary>An answer that the proxy gives itself.</summary>
/// <param name="Body">text/plain, short; null: "Reason phrase".</param>
/// <param name="Detail">RESPONSE_CODE_DETAILS of the access log, from a bounded set.</param>
internal readonly record struct LocalReply(int Status, CloseReason Reason, string? Body, string? Detail);
