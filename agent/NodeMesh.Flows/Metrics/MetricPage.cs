using Prometheus;

namespace NodeMesh.Flows.Metrics;

/// <summary>The registered metrics, filled from counts that are kept elsewhere each time the page is read.</summary>
public sealed class MetricPage
{
    private readonly CollectorRegistry _registry = Prometheus.Metrics.NewCustomRegistry();
    private readonly Dictionary<MetricSpec, Counter> _counters = [];
    private readonly Dictionary<MetricSpec, Gauge> _gauges = [];
    private readonly Dictionary<MetricSpec, Histogram> _histograms = [];
    private readonly Dictionary<MetricSpec, HashSet<string>> _seen = [];

    public MetricPage()
    {
        var factory = Prometheus.Metrics.WithCustomRegistry(_registry);
        foreach (var spec in MetricCatalog.All)
        {
            switch (spec.Type)
            {
                case MetricType.Counter:
                    _counters.Add(spec, factory.CreateCounter(spec.Name, spec.Help, spec.Labels));
                    break;
                case MetricType.Gauge:
                    _gauges.Add(spec, factory.CreateGauge(spec.Name, spec.Help, spec.Labels));
                    break;
                case MetricType.Histogram:
                    _histograms.Add(spec, factory.CreateHistogram(spec.Name, spec.Help, spec.Labels, new HistogramConfiguration { Buckets = HistogramFeed.Bounds }));
                    break;
            }
        }
    }

    /// <summary>Called before every reading, to bring the numbers up to date. From one thread at a time.</summary>
    public void BeforeReading(Action fill) => _registry.AddBeforeCollectCallback(fill);

    /// <summary>A counter that something else counts: it never goes back, also when its owner started anew.</summary>
    public void Count(MetricSpec spec, double total, params string[] labels)
    {
        var child = _counters[spec].WithLabels(labels);
        if (total > child.Value)
            child.IncTo(total);
    }

    public void Add(MetricSpec spec, double more, params string[] labels) => _counters[spec].WithLabels(labels).Inc(more);

    public void Set(MetricSpec spec, double value, params string[] labels) => _gauges[spec].WithLabels(labels).Set(value);

    public void Observe(MetricSpec spec, TimeSpan duration, params string[] labels) => _histograms[spec].WithLabels(labels).Observe(duration.TotalSeconds);

    /// <summary>Observations that were counted elsewhere since the last reading.</summary>
    /// <param name="counts">By bucket, as <see cref="HistogramFeed.Bounds"/>, and one more for what is above them.</param>
    /// <param name="sumSeconds">Of all of them.</param>
    public void Observe(MetricSpec spec, ReadOnlySpan<long> counts, double sumSeconds, params string[] labels)
    {
        var child = _histograms[spec].WithLabels(labels);
        HistogramFeed.Feed(counts, sumSeconds, (value, count) => child.Observe(value, count));
    }

    /// <summary>Takes series away whose object is gone: those with labels other than <paramref name="alive"/>.</summary>
    public void Keep(MetricSpec spec, IReadOnlyCollection<string[]> alive)
    {
        var now = alive.Select(l => string.Join('\0', l)).ToHashSet(StringComparer.Ordinal);
        if (_seen.TryGetValue(spec, out var before))
        {
            foreach (var gone in before.Where(l => !now.Contains(l)))
            {
                if (_counters.TryGetValue(spec, out var counter))
                    counter.RemoveLabelled(gone.Split('\0'));
                else
                    _gauges[spec].RemoveLabelled(gone.Split('\0'));
            }
        }

        _seen[spec] = now;
    }

    /// <summary>The page in Prometheus' text format.</summary>
    public Task WriteAsync(Stream to, CancellationToken stop) => _registry.CollectAndExportAsTextAsync(to, stop);
}
