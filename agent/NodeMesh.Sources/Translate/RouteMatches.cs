using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Sources.Translate;

/// <summary>HTTPRouteMatch.</summary>
internal static class RouteMatches
{
    public static RouteMatch? Read(Value item)
    {
        using var m = item.Map();
        if (m is null)
            return null;
        var path = Path(m.Get("path"));
        var headers = Values(m.Items("headers"), isHeader: true);
        var query = Values(m.Items("queryParams"), isHeader: false);
        var method = m.Get("method")?.OneOf("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH");
        return new RouteMatch(path, headers, query, method);
    }

    private static StringMatch Path(Value? value)
    {
        var any = new StringMatch(MatchType.PathPrefix, "/");
        using var p = value?.Map();
        if (p is null)
            return any;
        var type = p.Get("type")?.OneOf("Exact", "PathPrefix", "RegularExpression") ?? "PathPrefix";
        if (p.Get("value") is not { } at || at.Text() is not { } text)
            return type == "Exact" ? new StringMatch(MatchType.Exact, "/") : any;
        if (type == "RegularExpression")
        {
            HttpParts.CheckRegex(at, text);
            return new StringMatch(MatchType.Regex, text);
        }
        HttpParts.CheckPath(at, text);
        return type == "Exact" ? new StringMatch(MatchType.Exact, text) : new StringMatch(MatchType.PathPrefix, HttpParts.TrimPrefix(text));
    }

    private static ImmutableArray<HeaderMatch> Values(ImmutableArray<Value> items, bool isHeader)
    {
        var result = ImmutableArray.CreateBuilder<HeaderMatch>();
        foreach (var item in items)
        {
            using var h = item.Map();
            if (h is null)
                continue;
            var type = h.Get("type")?.OneOf("Exact", "RegularExpression") ?? "Exact";
            var name = isHeader ? HttpParts.HeaderName(h) : QueryName(h);
            var at = h.Require("value");
            if (at?.Text() is not { } text || name is null)
                continue;
            if (result.Any(o => o.Name == name))
            {
                h.Report.Warning("duplicate", h.Path, h.At, $"'{name}' stands twice in one match; write it once", "the first entry counts");
                continue;
            }
            if (type == "RegularExpression")
                HttpParts.CheckRegex(at.Value, text);
            else if (isHeader && !Names.IsHeaderValue(text))
                at.Value.Error("bad-value", "the value has characters that a header cannot carry");
            result.Add(new HeaderMatch(name, type == "Exact" ? MatchType.Exact : MatchType.Regex, text));
        }
        return result.ToImmutable();
    }

    /// <summary>Query parameters keep their case. Gateway API gives them the form of a header's name.</summary>
    private static string? QueryName(Fields q)
    {
        if (q.Require("name") is not { } at || at.Text() is not { } name)
            return null;
        if (!Names.IsToken(name))
            at.Error("bad-value", $"'{name}' is not a query parameter's name");
        return name;
    }
}
