using System.Text;
using NodeMesh.Model;
using MatchType = NodeMesh.Model.MatchType;
using NodeMesh.Plan;
using NodeMesh.Proxy.Http;

namespace NodeMesh.Proxy.Routing;

/// <summary>One match of one rule, ready to be compared, and what then happens to the request.</summary>
internal sealed class CompiledRoute
{
    /// <summary>Of 2^32.</summary>
    private const uint GoldenRatio = 0x9E3779B9;

    private readonly ValueMatcher _path;
    private readonly bool _isPrefix;
    private readonly byte[]? _method;
    private readonly HeaderMatcher[] _headers;
    private readonly QueryMatcher[] _query;
    private readonly CompiledTarget[] _targets;
    private readonly byte[]? _rewriteHost;
    private readonly PathTemplate? _rewritePath;
    private readonly PathTemplate? _redirectPath;
    private uint _drawn = (uint)Random.Shared.NextInt64();

    public CompiledRoute(RouteEntryPlan entry)
    {
        var match = entry.Match;
        Action = entry.Action;
        _isPrefix = match.Path.Type == MatchType.PathPrefix;
        _path = new ValueMatcher(match.Path.Type, match.Path.Value);
        _method = match.Method is null ? null : Encoding.ASCII.GetBytes(match.Method);
        _headers = [.. match.Headers.Select(h => new HeaderMatcher(h))];
        _query = [.. match.Query.Select(q => new QueryMatcher(q))];
        _targets = [.. Action.Targets.Select(t => new CompiledTarget(t))];
        RequestHeaders = HeaderMutation.From(Action.RequestHeaders);
        ResponseHeaders = HeaderMutation.From(Action.ResponseHeaders);
        _rewriteHost = Action.Rewrite?.Hostname is { } host ? Encoding.ASCII.GetBytes(host) : null;
        _rewritePath = Template(Action.Rewrite?.Path);
        _redirectPath = Template(Action.Redirect?.Path);
    }

    public RouteActionPlan Action { get; }

    public HeaderMutation RequestHeaders { get; }

    public HeaderMutation ResponseHeaders { get; }

    public bool Matches(RequestHead head)
    {
        if (!_path.Matches(head.Path) || (_method is not null && !head.Method.SequenceEqual(_method)) || !HeaderMatcher.All(_headers, head))
            return false;
        foreach (var query in _query)
        {
            if (!query.Matches(head.Query))
                return false;
        }

        return true;
    }

    /// <summary>The backend of the next request; null when the rule has none. Draws are multiples of the golden ratio, of which any few hundred in a row lie evenly:
    /// shares are what the weights say at once, from which chance would stray by points. All workers draw from this one sequence.</summary>
    public CompiledTarget? Choose() => _targets.Length switch
    {
        0 => null,
        1 => _targets[0],
        _ => Choose(Interlocked.Add(ref _drawn, GoldenRatio)),
    };

    /// <summary>The backend for a number out of all 32-bit values.</summary>
    private CompiledTarget Choose(uint drawn)
    {
        var point = (long)(((ulong)drawn * (ulong)Action.TotalWeight) >> 32);
        foreach (var target in _targets)
        {
            point -= target.Plan.Weight;
            if (point < 0)
                return target;
        }

        return _targets[^1];
    }

    /// <summary>Host and path rewrites of the rule, into the edits of the request.</summary>
    public void Rewrite(RequestHead head, HeaderEdits edits)
    {
        if (_rewriteHost is not null)
            edits.SetAuthority(_rewriteHost);
        _rewritePath?.Rewrite(head, edits);
    }

    /// <summary>The Location of this rule's redirect (Gateway API HTTPRequestRedirectFilter).</summary>
    /// <param name="encrypted">How the request came: its scheme where the filter names none.</param>
    /// <param name="listenerPort">The port the request came to: the port where the filter names neither port nor scheme.</param>
    public string Location(RequestHead head, bool encrypted, ushort listenerPort)
    {
        var redirect = Action.Redirect ?? throw new InvalidOperationException($"route {Action.Name} has no redirect");
        var path = _redirectPath is null ? Encoding.Latin1.GetString(head.Path) : _redirectPath.Replace(Encoding.Latin1.GetString(head.Path));
        var query = head.Query.IsEmpty ? "" : "?" + Encoding.Latin1.GetString(head.Query);
        var host = redirect.Hostname ?? Encoding.Latin1.GetString(HostPattern.HostOf(head.Authority));
        if (host.Length == 0)
            return path + query;

        var scheme = redirect.Scheme is { Length: > 0 } named ? named : encrypted ? "https" : "http";
        int port = redirect.Port ?? (redirect.Scheme is { Length: > 0 } ? DefaultPort(scheme) ?? listenerPort : listenerPort);
        return port == DefaultPort(scheme)
            ? $"{scheme}://{host}{path}{query}"
            : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{scheme}://{host}:{port}{path}{query}");
    }

    private static ushort? DefaultPort(string scheme) => scheme switch
    {
        "http" => 80,
        "https" => 443,
        _ => null,
    };

    private PathTemplate? Template(PathRewrite? rewrite) =>
        rewrite is null || (rewrite.ReplacesPrefix && !_isPrefix) ? null : new PathTemplate(rewrite, _path.PrefixLength);
}
