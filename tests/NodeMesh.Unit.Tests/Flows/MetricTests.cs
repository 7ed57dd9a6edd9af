using System.Text;
using System.Text.RegularExpressions;
using NodeMesh.Flows.Metrics;

namespace NodeMesh.Unit.Tests.Flows;

public class MetricTests
{
    private static async Task<string> ReadAsync(MetricPage page)
    {
        using var stream = new MemoryStream();
        await page.WriteAsync(stream, CancellationToken.None);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    [Test]
    public void Names_follow_the_rule_and_are_unique()
    {
        Assert.That(MetricCatalog.All.Select(m => m.Name), Is.Unique);
        foreach (var m in MetricCatalog.All)
        {
            Assert.That(Regex.IsMatch(m.Name, "^nodemesh_[a-z]+(_[a-z0-9]+)*$"), m.Name);
            Assert.That(m.Name.EndsWith("_total", StringComparison.Ordinal), Is.EqualTo(m.Type == MetricType.Counter), m.Name);
            Assert.That(m.Help, Is.Not.Empty.And.Not.EndsWith("."), m.Name);
        }
    }

    [Test]
    public async Task The_page_has_every_metric_with_its_help()
    {
        var text = await ReadAsync(new MetricPage());
        foreach (var m in MetricCatalog.All)
            Assert.That(text, Does.Contain($"# HELP {m.Name} "));
    }

    [Test]
    public async Task A_counter_never_goes_back()
    {
        var page = new MetricPage();
        page.Count(MetricCatalog.Drops, 5, "policy_denied", "ingress");
        page.Count(MetricCatalog.Drops, 3, "policy_denied", "ingress");
        Assert.That(await ReadAsync(page), Does.Contain("nodemesh_datapath_drops_total{reason=\"policy_denied\",direction=\"ingress\"} 5"));
    }

    [Test]
    public async Task Series_of_what_is_gone_are_taken_away()
    {
        var page = new MetricPage();
        string[] a = ["shop", "a", "ingress"], b = ["shop", "b", "ingress"];
        page.Count(MetricCatalog.PodPackets, 1, a);
        page.Count(MetricCatalog.PodPackets, 1, b);
        page.Keep(MetricCatalog.PodPackets, [a, b]);
        page.Keep(MetricCatalog.PodPackets, [b]);
        Assert.That(await ReadAsync(page), Does.Not.Contain("pod=\"a\"").And.Contain("pod=\"b\""));
    }

    [TestCase(0.0003, 1, 0)]
    [TestCase(0.31, 2, 8)]
    [TestCase(400, 3, 16)]
    public async Task Counts_and_sums_that_the_proxy_kept_are_exact(double each, int times, int bucket)
    {
        var page = new MetricPage();
        var counts = new long[HistogramFeed.Bounds.Length + 1];
        counts[bucket == 8 ? 9 : bucket] = times;
        page.Observe(MetricCatalog.RequestDuration, counts, each * times, "r", "c");
        var text = await ReadAsync(page);
        var sum = double.Parse(Regex.Match(text, "duration_seconds_sum\\{.*\\} (\\S+)").Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        Assert.That(sum, Is.EqualTo(each * times).Within(1e-6 * times));
        Assert.That(text, Does.Contain($"duration_seconds_count{{route=\"r\",cluster=\"c\"}} {times}"));
    }

    [Test]
    public void A_mix_of_durations_keeps_each_bucket_and_the_sum()
    {
        var counts = new long[HistogramFeed.Bounds.Length + 1];
        (counts[0], counts[4], counts[^1]) = (10, 5, 1);
        var seen = new List<(double Value, long Count)>();
        HistogramFeed.Feed(counts, 0.002 + 0.04 + 90, (value, count) => seen.Add((value, count)));
        Assert.That(seen.Select(s => s.Count), Is.EqualTo((long[])[10, 5, 1]));
        Assert.That(seen.Sum(s => s.Value * s.Count), Is.EqualTo(90.042).Within(1e-6));
    }
}
