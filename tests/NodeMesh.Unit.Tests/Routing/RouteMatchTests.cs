using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Proxy.Routing;
using MatchType = NodeMesh.Model.MatchType;

namespace NodeMesh.Unit.Tests.Routing;

public sealed class RouteMatchTests
{
    [TestCase("example.com", "example.com", true)]
    [TestCase("example.com", "EXAMPLE.com:8080", true)]
    [TestCase("example.com", "example.com.", true)]
    [TestCase("example.com", "www.example.com", false)]
    [TestCase("*.example.com", "www.example.com", true)]
    [TestCase("*.example.com", "a.b.example.com:80", true)]
    [TestCase("*.example.com", "example.com", false)]
    [TestCase("*.example.com", "badexample.com", false)]
    [TestCase("*", "[2001:db8::1]:80", true)]
    public void Host_patterns_match_as_Gateway_API_says(string pattern, string host, bool expected)
    {
        var table = Routes.Table((pattern, [Routes.Entry(Routes.Prefix("/"), "r")]));
        Assert.That(CompiledRoutes.For(table).Match(Heads.Get("/", host)) is not null, Is.EqualTo(expected));
    }

    [TestCase(MatchType.Exact, "/a", "/a", true)]
    [TestCase(MatchType.Exact, "/a", "/a/", false)]
    [TestCase(MatchType.Exact, "/a", "/a?q=1", true)]
    [TestCase(MatchType.Exact, "/a", "/A", false)]
    [TestCase(MatchType.PathPrefix, "/", "/anything", true)]
    [TestCase(MatchType.PathPrefix, "/a", "/a", true)]
    [TestCase(MatchType.PathPrefix, "/a", "/a/b", true)]
    [TestCase(MatchType.PathPrefix, "/a", "/ab", false)]
    [TestCase(MatchType.PathPrefix, "/a/", "/a", true)]
    [TestCase(MatchType.PathPrefix, "/a/", "/a/b", true)]
    [TestCase(MatchType.Regex, "/v[0-9]+/x", "/v12/x", true)]
    [TestCase(MatchType.Regex, "/v[0-9]+/x", "/v12/xy", false)]
    [TestCase(MatchType.Regex, "/a|/b", "/bc", false)]
    [TestCase(MatchType.Regex, "(broken", "/a", false)]
    public void Paths_match_by_kind(MatchType type, string value, string target, bool expected)
    {
        var match = new RouteMatch(new StringMatch(type, value), [], [], null);
        var table = Routes.Table(("*", [Routes.Entry(match, "r")]));
        Assert.That(CompiledRoutes.For(table).Match(Heads.Get(target)) is not null, Is.EqualTo(expected));
    }

    [TestCase(MatchType.Exact, "blue", "X-Color: blue", true)]
    [TestCase(MatchType.Exact, "blue", "x-color:  blue ", true)]
    [TestCase(MatchType.Exact, "blue", "X-Color: Blue", false)]
    [TestCase(MatchType.Exact, "blue", "Y: blue", false)]
    [TestCase(MatchType.Exact, "blue,red", "X-Color: blue|X-Color: red", true)]
    [TestCase(MatchType.Exact, "blue", "X-Color: blue|X-Color: red", false)]
    [TestCase(MatchType.Regex, "b.*", "X-Color: blue", true)]
    [TestCase(MatchType.Regex, "lu", "X-Color: blue", false)]
    [TestCase(MatchType.Present, "", "X-Color:", true)]
    public void Headers_match_by_kind(MatchType type, string value, string lines, bool expected)
    {
        var match = Routes.Prefix("/") with { Headers = [new HeaderMatch("x-color", type, value)] };
        var table = Routes.Table(("*", [Routes.Entry(match, "r")]));
        Assert.That(CompiledRoutes.For(table).Match(Heads.Get("/", "h", lines.Split('|'))) is not null, Is.EqualTo(expected));
    }

    [TestCase(MatchType.Exact, "1", "/?a=1", true)]
    [TestCase(MatchType.Exact, "1", "/?b=2&a=1", true)]
    [TestCase(MatchType.Exact, "1", "/?a=2&a=1", false, Description = "the first counts")]
    [TestCase(MatchType.Exact, "x y", "/?a=x%20y", true)]
    [TestCase(MatchType.Exact, "x+y", "/?a=x+y", true)]
    [TestCase(MatchType.Exact, "1", "/?%61=1", true)]
    [TestCase(MatchType.Exact, "", "/?a", true)]
    [TestCase(MatchType.Exact, "1", "/", false)]
    [TestCase(MatchType.Regex, "[0-9]+", "/?a=12", true)]
    [TestCase(MatchType.Regex, "[0-9]+", "/?a=12x", false)]
    public void Query_parameters_match_decoded_and_first(MatchType type, string value, string target, bool expected)
    {
        var match = Routes.Prefix("/") with { Query = [new HeaderMatch("a", type, value)] };
        var table = Routes.Table(("*", [Routes.Entry(match, "r")]));
        Assert.That(CompiledRoutes.For(table).Match(Heads.Get(target)) is not null, Is.EqualTo(expected));
    }

    [Test]
    public void First_entry_of_the_most_specific_host_wins_and_others_fall_through()
    {
        var routes = CompiledRoutes.For(Routes.Table(
            ("www.example.com", [Routes.Entry(Routes.Prefix("/a/b"), "ab"), Routes.Entry(Routes.Prefix("/a"), "a")]),
            ("*.example.com", [Routes.Entry(Routes.Prefix("/c"), "c")]),
            ("*", [Routes.Entry(Routes.Prefix("/") with { Method = "POST" }, "post")])));
        Assert.That(Name("/a/b/c"), Is.EqualTo("ab"));
        Assert.That(Name("/a/c"), Is.EqualTo("a"));
        Assert.That(Name("/c"), Is.EqualTo("c"));
        Assert.That(Name("/d"), Is.Null);
        Assert.That(routes.Match(Heads.Request("POST", "/d", "other"))?.Action.Name, Is.EqualTo("post"));

        string? Name(string target) => routes.Match(Heads.Get(target, "www.example.com"))?.Action.Name;
    }

    /// <summary>Gateway API's conformance asks for five points at 500 requests.</summary>
    [TestCase(70, 30)]
    [TestCase(90, 10)]
    [TestCase(99, 1)]
    [TestCase(1, 1)]
    [TestCase(1, 1, 1)]
    [TestCase(5, 3, 1, 1)]
    [TestCase(1_000_000, 1_000_000)]
    public void Five_hundred_requests_are_shared_out_within_a_point(params int[] weights)
    {
        // Wherever the sequence begins.
        for (var start = 0; start < 200; start++)
        {
            var route = new CompiledRoute(new RouteEntryPlan(Routes.Prefix("/"), Routes.Action("r", targets: [.. weights.Select((w, i) => Routes.Target($"{i}", w))])));
            var counts = new int[weights.Length];
            for (var i = 0; i < 500; i++)
                counts[int.Parse(route.Choose()!.Plan.Cluster!.Name, System.Globalization.CultureInfo.InvariantCulture)]++;
            for (var i = 0; i < weights.Length; i++)
                Assert.That(counts[i], Is.EqualTo(500.0 * weights[i] / weights.Sum()).Within(5), $"{string.Join(' ', counts)}");
        }
    }

    [Test]
    public void A_rule_without_backends_chooses_none() => Assert.That(new CompiledRoute(Routes.Entry(Routes.Prefix("/"), "none")).Choose(), Is.Null);

    [Test]
    public void Matching_and_choosing_allocate_nothing()
    {
        var match = Routes.Prefix("/a") with { Headers = [new HeaderMatch("x-color", MatchType.Exact, "blue")], Method = "GET" };
        var routes = CompiledRoutes.For(Routes.Table(("*.example.com", [new RouteEntryPlan(match, Routes.Action("r", targets: [Routes.Target("a", 1), Routes.Target("b", 1)]))])));
        var head = Heads.Get("/a/b", "www.example.com:80", "X-Color: blue");
        Assert.That(routes.Match(head), Is.Not.Null);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            routes.Match(head)!.Choose();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }
}
