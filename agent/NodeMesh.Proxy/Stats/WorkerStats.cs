namespace NodeMesh.Proxy.Stats;

/// <summary>How a client connection is being treated.</summary>
public enum ConnectionKind : byte
{
    /// <summary>Not known yet: TLS handshake, sniffing.</summary>
    Opening,
    Http,
    Tcp,
}

/// <summary>One worker's counters; plain fields, one writer.</summary>
internal sealed class WorkerStats
{
    private readonly Dictionary<(string Route, string Cluster), RouteStats> _routes = new();
    private RouteStats? _last;

    public readonly long[] ActiveConnections = new long[3];
    public readonly long[] TotalConnections = new long[3];

    /// <summary>Connections that ended before or outside a request, by reason.</summary>
    public readonly long[] ConnectionErrors = new long[Enum.GetValues<CloseReason>().Length];

    public long BytesFromClients;
    public long BytesToClients;
    public long UpstreamOpened;
    public long UpstreamReused;
    public long UpstreamRetries;
    public long UpstreamActive;
    public long AcceptErrors;
    public long AccessLogDropped;

    /// <summary>What policies under audit would have refused, by rule.</summary>
    public Dictionary<string, long> Audited { get; } = new(StringComparer.Ordinal);

    public IEnumerable<RouteStats> Routes => _routes.Values;

    /// <summary>Rules come and go with policies, so there is a bound; those beyond it share one count.</summary>
    public void CountAudited(string rule)
    {
        const int MaxRules = 1024;
        const string Others = "others";
        var key = Audited.Count < MaxRules || Audited.ContainsKey(rule) ? rule : Others;
        Audited[key] = Audited.GetValueOrDefault(key) + 1;
    }

    public RouteStats Route(string route, string cluster)
    {
        if (_last is { } last && ReferenceEquals(last.Route, route) && ReferenceEquals(last.Cluster, cluster))
            return last;
        if (!_routes.TryGetValue((route, cluster), out var stats))
            _routes[(route, cluster)] = stats = new RouteStats(route, cluster);
        return _last = stats;
    }
}
