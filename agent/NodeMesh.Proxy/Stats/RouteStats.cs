namespace NodeMesh.Proxy.Stats;

/// <summary>What one worker counted for one route and cluster. Written by its worker only.</summary>
internal sealed class RouteStats(string route, string cluster)
{
    private (int Code, CloseReason Reason, long Count)[] _outcomes = new (int, CloseReason, long)[4];
    private int _used;

    public string Route { get; } = route;

    public string Cluster { get; } = cluster;

    public LatencyHistogram Latency { get; } = new();

    public ReadOnlySpan<(int Code, CloseReason Reason, long Count)> Outcomes => _outcomes.AsSpan(0, _used);

    public void Count(int code, CloseReason reason, long microseconds)
    {
        Latency.Add(microseconds);
        for (var i = 0; i < _used; i++)
        {
            ref var outcome = ref _outcomes[i];
            if (outcome.Code != code || outcome.Reason != reason)
                continue;
            outcome.Count++;
            return;
        }

        if (_used == _outcomes.Length)
            Array.Resize(ref _outcomes, _used * 2);
        _outcomes[_used++] = (code, reason, 1);
    }
}

/// <summary>Fixed buckets, from 0.5 ms to 60 s.</summary>
public sealed class LatencyHistogram
{
    private static readonly long[] Bounds =
        [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000];

    private readonly long[] _counts = new long[Bounds.Length + 1];

    /// <summary>Upper bounds in microseconds; the last bucket has none.</summary>
    public static ReadOnlySpan<long> BoundsMicroseconds => Bounds;

    /// <summary>Per bucket, not cumulative; one more than there are bounds.</summary>
    public ReadOnlySpan<long> Counts => _counts;

    public long SumMicroseconds { get; private set; }

    internal void Add(long microseconds)
    {
        SumMicroseconds += microseconds;
        var i = 0;
        while (i < Bounds.Length && microseconds > Bounds[i])
            i++;
        _counts[i]++;
    }

    internal void Add(LatencyHistogram other)
    {
        SumMicroseconds += other.SumMicroseconds;
        for (var i = 0; i < _counts.Length; i++)
            _counts[i] += other._counts[i];
    }
}
