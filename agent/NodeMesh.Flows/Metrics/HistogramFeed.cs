namespace NodeMesh.Flows.Metrics;

/// <summary>Gives a library that only takes observations what was already counted in buckets, keeping every bucket's count and the sum exact.</summary>
public static class HistogramFeed
{
    /// <summary>Upper bounds in seconds: half a millisecond to a minute, as the proxy counts.</summary>
    public static readonly double[] Bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

    // Inside its bucket, above the bound below.
    private const double JustAbove = 1e-9;

    /// <param name="counts">Bounds.Length + 1 of them; not cumulative.</param>
    /// <param name="observe">Called once per bucket that has any, with one value for all of them.</param>
    public static void Feed(ReadOnlySpan<long> counts, double sum, Action<double, long> observe)
    {
        if (counts.Length != Bounds.Length + 1)
            throw new ArgumentException($"{Bounds.Length + 1} buckets expected, got {counts.Length}", nameof(counts));

        // Every true sum lies between all at the lower and all at the upper bounds, so one fraction places them all.
        double low = 0, room = 0;
        for (var i = 0; i < Bounds.Length; i++)
        {
            low += counts[i] * Lower(i);
            room += counts[i] * (Bounds[i] - Lower(i));
        }

        var above = counts[^1];
        var left = sum - low - above * Lower(Bounds.Length);
        var part = room > 0 ? Math.Clamp(left / room, 0, 1) : 0;
        for (var i = 0; i < Bounds.Length; i++)
            if (counts[i] > 0)
                observe(Lower(i) + part * (Bounds[i] - Lower(i)), counts[i]);
        if (above > 0)
            observe(Lower(Bounds.Length) + Math.Max(0, left - part * room) / above, above);
    }

    private static double Lower(int bucket) => bucket == 0 ? 0 : Bounds[bucket - 1] + JustAbove;
}
