using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>gateway.networking.k8s.io/v1 HTTPRoute. Whether its references lead anywhere is the link stage's question.</summary>
internal static class HttpRouteTranslator
{
    private const int MaxWeight = 1_000_000;
    private static readonly RouteMatch Anything = new(new StringMatch(MatchType.PathPrefix, "/"), [], [], null);

    public static RouteDraft Translate(ApiObject obj, Fields root)
    {
        var meta = Metadata.Read(root, obj);
        root.Ignore("status");
        using var spec = root.Require("spec")?.Map();
        if (spec is null)
            return new RouteDraft(new Route(obj.Name, null, [], [], [], obj.Location), []);

        spec.Refuse("useDefaultGateways");
        var parentItems = spec.Items("parentRefs");
        if (parentItems.Length == 0 && !spec.Report.Failed)
            spec.Report.Warning("no-parent", spec.Path, spec.At, "the route has no parentRefs; name a Service or a Gateway", "the route is used nowhere");
        var parents = parentItems.Select((p, i) => Parent(p, i, obj.Name.Namespace)).OfType<RouteParent>().ToImmutableArray();
        var hostnames = spec.Items("hostnames").Select(Hostname).OfType<string>().Distinct().ToImmutableArray();

        var rules = ImmutableArray.CreateBuilder<RouteRule>();
        var lines = ImmutableArray.CreateBuilder<ImmutableArray<int>>();
        if (!spec.Has("rules"))
        {
            rules.Add(new RouteRule("", [Anything], [], [], null, null));
            lines.Add([]);
        }
        foreach (var item in spec.Items("rules"))
            if (Rule(item, obj.Name.Namespace, out var backendLines) is { } rule)
            {
                rules.Add(rule);
                lines.Add(backendLines);
            }
        var route = new Route(obj.Name, meta.CreatedAt, parents, hostnames, rules.ToImmutable(), obj.Location);
        return new RouteDraft(route, lines.ToImmutable());
    }

    private static string? Hostname(Value value)
    {
        if (value.Text() is not { } host)
            return null;
        if (!Names.IsHostname(host, wildcard: true))
            value.Error("bad-value", $"'{host}' is not a lower-case host such as example.com or *.example.com; no address, no port");
        return host;
    }

    private static RouteParent? Parent(Value item, int index, string ownNamespace)
    {
        using var p = item.Map();
        if (p is null)
            return null;
        var group = p.Text("group") ?? Kinds.GatewayGroup;
        var kind = p.Text("kind") ?? "Gateway";
        var ns = p.Text("namespace") ?? ownNamespace;
        var name = p.Require("name")?.Text();
        var port = Ports.Number(p.Get("port"));
        var section = p.Text("sectionName");
        if (name is null)
            return null;

        ParentKind? known = (group, kind) switch
        {
            ("", "Service") => ParentKind.Service,
            (Kinds.GatewayGroup, "Gateway") => ParentKind.Gateway,
            _ => null,
        };
        if (known is { } parent)
            return new RouteParent(parent, new ObjectName(ns, name), port, section) { Index = index };
        p.Report.Warning("unsupported", p.Path, p.At, $"a parent of kind {kind} ({(group.Length == 0 ? "core" : group)}) is not supported; use a Service or a Gateway",
            "this parent is left out");
        return null;
    }

    private static RouteRule? Rule(Value item, string ownNamespace, out ImmutableArray<int> backendLines)
    {
        backendLines = [];
        using var r = item.Map();
        if (r is null)
            return null;
        r.Refuse("retry");
        r.Refuse("sessionPersistence");
        var name = r.Text("name") ?? "";
        var matches = r.Items("matches").Select(RouteMatches.Read).OfType<RouteMatch>().ToImmutableArray();
        if (matches.Length == 0)
            matches = [Anything];
        var filterItems = r.Items("filters");
        var filters = RouteFilters.Read(filterItems, matches, onBackend: false);

        var backends = ImmutableArray.CreateBuilder<RouteBackend>();
        var lines = ImmutableArray.CreateBuilder<int>();
        foreach (var b in r.Items("backendRefs"))
            if (Backend(b, ownNamespace, matches) is { } backend)
            {
                backends.Add(backend);
                lines.Add(b.Node.At.Line);
            }
        if (backends.Count > 0 && filters.Any(f => f is RedirectFilter))
            r.Error("bad-value", "a rule with a RequestRedirect sends no request on; remove the filter or the backendRefs");
        backendLines = lines.ToImmutable();

        TimeSpan? request = null, backendTimeout = null;
        using var timeouts = r.Map("timeouts");
        if (timeouts is not null)
        {
            request = Durations.Read(timeouts.Get("request"));
            backendTimeout = Durations.Read(timeouts.Get("backendRequest"));
            if (request > TimeSpan.Zero && backendTimeout > request)
                timeouts.Error("bad-value", "backendRequest must not be longer than request, which contains it");
        }
        return new RouteRule(name, matches, filters, backends.ToImmutable(), request, backendTimeout);
    }

    private static RouteBackend? Backend(Value item, string ownNamespace, ImmutableArray<RouteMatch> matches)
    {
        using var b = item.Map();
        if (b is null)
            return null;
        var group = b.Text("group") ?? "";
        var kind = b.Text("kind") ?? "Service";
        var name = b.Require("name")?.Text();
        var ns = b.Text("namespace") ?? ownNamespace;
        var port = Ports.Number(b.Get("port"));
        var weight = (int)(b.Get("weight")?.Integer(0, MaxWeight) ?? 1);
        var filters = RouteFilters.Read(b.Items("filters"), matches, onBackend: true);
        if (name is null)
            return null;
        if (group.Length > 0 || kind != "Service")
        {
            const string why = "only Services can be backends";
            b.Report.Partly("invalid-backend", b.Path, b.At, $"{kind} {name} is not a Service; {why}", "requests for this backend get 500");
            return new RouteBackend(new ObjectName(ns, name), port ?? 0, weight, filters, new RefProblem(RefReason.InvalidKind, why));
        }
        if (port is null)
            b.Error("missing-field", "a backend that is a Service needs a 'port'");
        return new RouteBackend(new ObjectName(ns, name), port ?? 0, weight, filters);
    }
}
