using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Sources.Translate;

/// <summary>HTTPRouteFilter. A filter that is not supported makes the route unusable: going on without it would not be what was asked.</summary>
internal static class RouteFilters
{
    /// <param name="matches">Those of the rule: a prefix can be replaced only where one is matched.</param>
    public static ImmutableArray<RouteFilter> Read(ImmutableArray<Value> items, ImmutableArray<RouteMatch> matches, bool onBackend)
    {
        var filters = ImmutableArray.CreateBuilder<RouteFilter>();
        var seen = new HashSet<string>();
        foreach (var item in items)
        {
            using var f = item.Map();
            if (f is null)
                continue;
            var type = f.Require("type")?.OneOf("RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite", "RequestMirror", "ExtensionRef", "CORS");
            f.Ignore("requestMirror", "extensionRef", "cors");
            if (type is null)
            {
                f.Ignore("requestHeaderModifier", "responseHeaderModifier", "requestRedirect", "urlRewrite");
                continue;
            }
            if (!seen.Add(type))
                f.Error("duplicate", $"{type} stands twice in one list; merge them");
            var filter = Filter(f, type, matches, onBackend);
            if (filter is not null)
                filters.Add(filter);
        }
        if (filters.Any(f => f is RedirectFilter) && filters.FirstOrDefault(f => f is RewriteFilter) is not null)
            items[0].Error("incompatible-filters", "RequestRedirect and URLRewrite cannot stand in one rule; keep one");
        return filters.ToImmutable();
    }

    private static RouteFilter? Filter(Fields f, string type, ImmutableArray<RouteMatch> matches, bool onBackend)
    {
        if (type is "RequestMirror" or "ExtensionRef" or "CORS" || (onBackend && type is "RequestRedirect" or "URLRewrite"))
        {
            f.Ignore("requestRedirect", "urlRewrite");
            f.Get("type")?.Error("unsupported", $"the filter {type} is not supported{(onBackend ? " on a backend" : "")}; remove it");
            return null;
        }
        var field = type switch
        {
            "RequestHeaderModifier" => "requestHeaderModifier",
            "ResponseHeaderModifier" => "responseHeaderModifier",
            "RequestRedirect" => "requestRedirect",
            _ => "urlRewrite",
        };
        using var body = f.Require(field)?.Map();
        if (body is null)
            return null;
        return type switch
        {
            "RequestHeaderModifier" => Headers(body, onResponse: false),
            "ResponseHeaderModifier" => Headers(body, onResponse: true),
            "RequestRedirect" => Redirect(body, matches),
            _ => new RewriteFilter(Hostname(body), Path(body, matches)),
        };
    }

    private static HeaderFilter Headers(Fields body, bool onResponse)
    {
        var remove = new List<string>();
        foreach (var item in body.Items("remove"))
        {
            if (item.Text() is not { } name)
                continue;
            if (!Names.IsToken(name))
                item.Error("bad-value", $"'{name}' is not a header's name");
            CheckName(item, name.ToLowerInvariant(), hostMayBeSet: false);
            remove.Add(name.ToLowerInvariant());
        }
        return new HeaderFilter(
            onResponse, Pairs(body.Items("set"), hostMayBeSet: !onResponse), Pairs(body.Items("add"), hostMayBeSet: false), [.. remove.Distinct()]);
    }

    /// <summary>What the proxy would not do is said here, so that no filter is dropped without a word.</summary>
    private static void CheckName(Value at, string name, bool hostMayBeSet)
    {
        if (HttpParts.IsFraming(name))
            at.Error("bad-value", $"'{name}' frames the message or belongs to one connection, which the proxy sees to; remove it from the filter");
        else if (name == "host" && !hostMayBeSet)
            at.Error("bad-value", "'host' can only be set on requests; use 'set' in a RequestHeaderModifier, or URLRewrite with a hostname");
    }

    private static ImmutableArray<KeyValuePair<string, string>> Pairs(ImmutableArray<Value> items, bool hostMayBeSet)
    {
        var result = ImmutableArray.CreateBuilder<KeyValuePair<string, string>>();
        foreach (var item in items)
        {
            using var h = item.Map();
            if (h is null)
                continue;
            var name = HttpParts.HeaderName(h);
            if (name is not null && h.Get("name") is { } nameAt)
                CheckName(nameAt, name, hostMayBeSet);
            var at = h.Require("value");
            if (at?.Text() is not { } value || name is null)
                continue;
            if (!Names.IsHeaderValue(value))
                at.Value.Error("bad-value", "the value has characters that a header cannot carry");
            if (result.Any(p => p.Key == name))
                h.Report.Warning("duplicate", h.Path, h.At, $"the header '{name}' stands twice in one list; write it once", "the first entry counts");
            else
                result.Add(new(name, value));
        }
        return result.ToImmutable();
    }

    private static RedirectFilter Redirect(Fields body, ImmutableArray<RouteMatch> matches)
    {
        var status = 302;
        if (body.Get("statusCode") is { } at && at.Integer(100, 599) is { } code)
        {
            status = (int)code;
            if (status is not (301 or 302 or 303 or 307 or 308))
                at.Error("bad-value", $"{status} is no redirect's status; use 301, 302, 303, 307 or 308");
        }
        return new RedirectFilter(body.Get("scheme")?.OneOf("http", "https"), Hostname(body), Ports.Number(body.Get("port")), Path(body, matches), status);
    }

    private static string? Hostname(Fields body)
    {
        if (body.Get("hostname") is not { } at || at.Text() is not { } host)
            return null;
        if (!Names.IsHostname(host, wildcard: false))
            at.Error("bad-value", $"'{host}' is not a lower-case host such as example.com");
        return host;
    }

    private static PathRewrite? Path(Fields body, ImmutableArray<RouteMatch> matches)
    {
        using var path = body.Map("path");
        if (path is null)
            return null;
        var type = path.Require("type")?.OneOf("ReplaceFullPath", "ReplacePrefixMatch");
        var full = path.Get("replaceFullPath");
        var prefix = path.Get("replacePrefixMatch");
        if (type is null)
            return null;
        var isPrefix = type == "ReplacePrefixMatch";
        (isPrefix ? full : prefix)?.Error("bad-value", $"the path's type is {type}; remove this field or change the type");
        if ((isPrefix ? prefix : full) is not { } at)
        {
            path.Error("missing-field", $"a path of type {type} needs '{(isPrefix ? "replacePrefixMatch" : "replaceFullPath")}'");
            return null;
        }
        if (isPrefix && matches.Any(m => m.Path.Type != MatchType.PathPrefix))
            path.Error("bad-value", "a prefix can be replaced only when every match of the rule is a PathPrefix");
        if (at.Text() is not { } text)
            return null;
        if (!(isPrefix && text.Length == 0) && (text.Length == 0 || text[0] != '/' || text.Length > 1024 || text.AsSpan().ContainsAnyExceptInRange('!', '~')))
            at.Error("bad-value", $"the path must begin with '/' and be at most 1024 characters of visible ASCII");
        return new PathRewrite(isPrefix, text);
    }
}
