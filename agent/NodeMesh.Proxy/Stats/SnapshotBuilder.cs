using System.Collections.Immutable;
using NodeMesh.Proxy.Engine;

namespace NodeMesh.Proxy.Stats;

/// <summary>Adds workers up. Each worker adds itself on its own thread, one at a time.</summary>
internal sealed class SnapshotBuilder
{
    private readonly Lock _gate = new();
    private readonly long[] _active = new long[3];
    private readonly long[] _total = new long[3];
    private readonly long[] _errors = new long[Enum.GetValues<CloseReason>().Length];
    private readonly Dictionary<string, long> _audited = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Route, string Cluster, int Code, CloseReason Reason), long> _requests = new();
    private readonly Dictionary<(string Route, string Cluster), LatencyHistogram> _latencies = new();
    private long _in, _out, _opened, _reused, _retries, _upActive, _idle, _buffers, _acceptErrors, _dropped;

    public void Add(Worker worker)
    {
        var stats = worker.Stats;
        lock (_gate)
        {
            for (var i = 0; i < _active.Length; i++)
            {
                _active[i] += stats.ActiveConnections[i];
                _total[i] += stats.TotalConnections[i];
            }

            for (var i = 0; i < _errors.Length; i++)
                _errors[i] += stats.ConnectionErrors[i];
            foreach (var (rule, count) in stats.Audited)
                _audited[rule] = _audited.GetValueOrDefault(rule) + count;
            foreach (var route in stats.Routes)
                Add(route);
            _in += stats.BytesFromClients;
            _out += stats.BytesToClients;
            _opened += stats.UpstreamOpened;
            _reused += stats.UpstreamReused;
            _retries += stats.UpstreamRetries;
            _upActive += stats.UpstreamActive;
            _idle += worker.Pool.IdleCount;
            _buffers += worker.Buffers.Rented;
            _acceptErrors += stats.AcceptErrors;
            _dropped += stats.AccessLogDropped;
        }
    }

    public ProxySnapshot Build(ImmutableArray<ListenerStatus> listeners)
    {
        lock (_gate)
        {
            return new ProxySnapshot(
                ByEnum<ConnectionKind>(_active),
                ByEnum<ConnectionKind>(_total),
                ByEnum<CloseReason>(_errors),
                _audited.ToImmutableDictionary(StringComparer.Ordinal),
                [.. _requests.Select(r => new RequestCount(r.Key.Route, r.Key.Cluster, r.Key.Code, r.Key.Reason, r.Value))],
                [.. _latencies.Select(l => new RouteLatency(l.Key.Route, l.Key.Cluster, l.Value))],
                listeners,
                _in,
                _out,
                _opened,
                _reused,
                _retries,
                _upActive,
                _idle,
                _buffers,
                _acceptErrors,
                _dropped);
        }
    }

    private void Add(RouteStats route)
    {
        foreach (var (code, reason, count) in route.Outcomes)
        {
            var key = (route.Route, route.Cluster, code, reason);
            _requests[key] = _requests.GetValueOrDefault(key) + count;
        }

        var at = (route.Route, route.Cluster);
        if (!_latencies.TryGetValue(at, out var histogram))
            _latencies[at] = histogram = new LatencyHistogram();
        histogram.Add(route.Latency);
    }

    private static ImmutableDictionary<T, long> ByEnum<T>(long[] values)
        where T : struct, Enum =>
        Enum.GetValues<T>().ToImmutableDictionary(v => v, v => values[Convert.ToInt32(v, System.Globalization.CultureInfo.InvariantCulture)]);
}
