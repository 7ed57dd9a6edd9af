using System.Collections.Immutable;

namespace NodeMesh.Proxy.Stats;

/// <summary>All workers' counters, summed.</summary>
/// <param name="Active">Client connections now, by kind.</param>
/// <param name="Total">Client connections since the start, by the kind they became.</param>
/// <param name="ConnectionErrors">Connections that ended badly outside any request.</param>
/// <param name="Audited">Requests, and connections that carried none, that policies under audit would have refused, by rule.</param>
/// <param name="UpstreamActive">Upstream connections carrying a request or bytes.</param>
/// <param name="UpstreamIdle">Upstream connections waiting in the pools.</param>
/// <param name="BuffersRented">Buffers of 32 KiB (or 128 KiB for large heads) out with connections.</param>
public sealed record ProxySnapshot(
    ImmutableDictionary<ConnectionKind, long> Active,
    ImmutableDictionary<ConnectionKind, long> Total,
    ImmutableDictionary<CloseReason, long> ConnectionErrors,
    ImmutableDictionary<string, long> Audited,
    ImmutableArray<RequestCount> Requests,
    ImmutableArray<RouteLatency> Latencies,
    ImmutableArray<ListenerStatus> Listeners,
    long BytesFromClients,
    long BytesToClients,
    long UpstreamOpened,
    long UpstreamReused,
    long UpstreamRetries,
    long UpstreamActive,
    long UpstreamIdle,
    long BuffersRented,
    long AcceptErrors,
    long AccessLogDropped);

/// <param name="Route">The route's name, or the service's where no route speaks.</param>
/// <param name="Cluster">Chosen cluster; "-" when none was.</param>
public sealed record RequestCount(string Route, string Cluster, int Code, CloseReason Reason, long Count);

public sealed record RouteLatency(string Route, string Cluster, LatencyHistogram Histogram);

/// <summary>A listening socket as a person should see it.</summary>
/// <param name="Problem">Null when it listens; else what is wrong and what to do.</param>
public sealed record ListenerStatus(string Name, string Address, bool Listening, string? Problem);
