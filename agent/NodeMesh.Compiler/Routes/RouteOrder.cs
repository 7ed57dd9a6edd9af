using NodeMesh.Model;
using MatchType = NodeMesh.Model.MatchType;

namespace NodeMesh.Compiler.Routes;

/// <summary>One match of one rule of one route, with what its rank depends on.</summary>
internal sealed record RouteCandidate(Route Route, int RuleIndex, int MatchIndex)
{
    public RouteRule Rule => Route.Rules[RuleIndex];

    public RouteMatch Match => Rule.Matches[MatchIndex];
}

/// <summary>Gateway API's precedence (HTTPRouteRule.matches): exact path, longest prefix, method, most headers, most query parameters, oldest
/// route, its name, order in it.</summary>
/// <remarks>Where a regular expression stands is left to us: after every prefix but "/", which matches anything and would hide it.</remarks>
internal sealed class RouteOrder : IComparer<RouteCandidate>
{
    public static readonly RouteOrder Instance = new();

    public int Compare(RouteCandidate? a, RouteCandidate? b)
    {
        var (x, y) = (a!.Match, b!.Match);
        var c = PathRank(x.Path).CompareTo(PathRank(y.Path));
        if (c == 0 && x.Path.Type == MatchType.PathPrefix)
            c = y.Path.Value.Length.CompareTo(x.Path.Value.Length);
        if (c == 0)
            c = (x.Method is null).CompareTo(y.Method is null);
        if (c == 0)
            c = y.Headers.Length.CompareTo(x.Headers.Length);
        if (c == 0)
            c = y.Query.Length.CompareTo(x.Query.Length);
        if (c == 0)
            c = (a.Route.CreatedAt ?? DateTimeOffset.MaxValue).CompareTo(b.Route.CreatedAt ?? DateTimeOffset.MaxValue);
        if (c == 0)
            c = a.Route.Name.CompareTo(b.Route.Name);
        if (c == 0)
            c = a.RuleIndex.CompareTo(b.RuleIndex);
        return c != 0 ? c : a.MatchIndex.CompareTo(b.MatchIndex);
    }

    private static int PathRank(StringMatch path) => path.Type switch
    {
        MatchType.Exact => 0,
        MatchType.PathPrefix when path.Value != "/" => 1,
        MatchType.Regex => 2,
        _ => 3,
    };
}
