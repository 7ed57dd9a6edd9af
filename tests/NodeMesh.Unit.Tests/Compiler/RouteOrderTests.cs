using System.Collections.Immutable;
using NodeMesh.Compiler.Routes;
using NodeMesh.Model;
using MatchType = NodeMesh.Model.MatchType;

namespace NodeMesh.Unit.Tests.Compiler;

public sealed class RouteOrderTests
{
    private static readonly DateTimeOffset s_day = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static RouteMatch Match(MatchType type, string path, string? method = null, int headers = 0, int query = 0) => new(
        new StringMatch(type, path), [.. Enumerable.Range(0, headers).Select(i => new HeaderMatch($"h{i}", MatchType.Exact, "1"))],
        [.. Enumerable.Range(0, query).Select(i => new HeaderMatch($"q{i}", MatchType.Exact, "1"))], method);

    private static Route Route(string name, DateTimeOffset? created, params RouteMatch[] matches) => new(
        new ObjectName("shop", name), created, [], [], [.. matches.Select(m => new RouteRule("", [m], [], [], null, null))]);

    private static IEnumerable<RouteCandidate> Candidates(params Route[] routes) =>
        routes.SelectMany(route => route.Rules.Select((_, r) => new RouteCandidate(route, r, 0)));

    [Test]
    public void The_order_is_that_of_the_standard()
    {
        ImmutableArray<RouteMatch> expected =
        [
            Match(MatchType.Exact, "/a", headers: 1),
            Match(MatchType.Exact, "/a"),
            Match(MatchType.PathPrefix, "/long/prefix"),
            Match(MatchType.PathPrefix, "/long", "GET"),
            Match(MatchType.PathPrefix, "/long", headers: 2),
            Match(MatchType.PathPrefix, "/long", headers: 1, query: 2),
            Match(MatchType.PathPrefix, "/long", headers: 1, query: 1),
            Match(MatchType.Regex, "/.*", "GET"),
            Match(MatchType.Regex, "/.*"),
            Match(MatchType.PathPrefix, "/", "GET"),
            Match(MatchType.PathPrefix, "/"),
        ];
        var shuffled = expected.ToArray();
        new Random(1).Shuffle(shuffled);
        var sorted = Candidates(Route("r", null, shuffled)).Order(RouteOrder.Instance).Select(c => c.Match);
        Assert.That(sorted, Is.EqualTo(expected));
    }

    [Test]
    public void Ties_go_to_the_older_route_then_to_its_name_then_to_the_earlier_rule()
    {
        var same = Match(MatchType.PathPrefix, "/");
        var sorted = Candidates(Route("b", null, same, same), Route("a", null, same), Route("z", s_day, same), Route("y", s_day.AddDays(1), same))
            .Order(RouteOrder.Instance).Select(c => $"{c.Route.Name.Name}{c.RuleIndex}");
        Assert.That(sorted, Is.EqualTo(new[] { "z0", "y0", "a0", "b0", "b1" }));
    }
}
