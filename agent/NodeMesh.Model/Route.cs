using System.Collections.Immutable;

namespace NodeMesh.Model;

/// <summary>An HTTPRoute (gateway.networking.k8s.io/v1).</summary>
/// <param name="CreatedAt">metadata.creationTimestamp; ties in precedence go to the older, then by name.</param>
/// <param name="Hostnames">Lower case, "*.example.com" allowed; empty matches every host. Ignored for Service parents.</param>
public sealed record Route(
    ObjectName Name,
    DateTimeOffset? CreatedAt,
    ImmutableArray<RouteParent> Parents,
    ImmutableArray<string> Hostnames,
    ImmutableArray<RouteRule> Rules,
    SourceLocation? Location = null);

public enum ParentKind
{
    Service,
    Gateway,
}

/// <param name="Port">Null: every port of the parent.</param>
/// <param name="SectionName">Listener of a Gateway or name of a Service's port; null: every one. With <paramref name="Port"/>, both must hold.</param>
public sealed record RouteParent(ParentKind Kind, ObjectName Name, ushort? Port, string? SectionName)
{
    /// <summary>Place in spec.parentRefs as written.</summary>
    public int Index { get; init; }

    public string Path => PathOf(Index);

    public static string PathOf(int index) => $"spec.parentRefs[{index}]";

    /// <summary>Whether it means this port of the Service.</summary>
    public bool Means(ServicePort port) => (Port is null || Port == port.Port) && (SectionName is null || SectionName == port.Name);
}

/// <param name="Name">Empty when unnamed.</param>
/// <param name="Matches">Any of them; never empty (the default is the path prefix "/").</param>
/// <param name="Backends">Empty with a redirect filter, else requests get 500.</param>
/// <param name="RequestTimeout">Null: the default of 15 s; zero: none.</param>
public sealed record RouteRule(
    string Name,
    ImmutableArray<RouteMatch> Matches,
    ImmutableArray<RouteFilter> Filters,
    ImmutableArray<RouteBackend> Backends,
    TimeSpan? RequestTimeout,
    TimeSpan? BackendTimeout);

/// <param name="Method">Upper case; null matches every method.</param>
public sealed record RouteMatch(StringMatch Path, ImmutableArray<HeaderMatch> Headers, ImmutableArray<HeaderMatch> Query, string? Method);

/// <param name="Weight">0 to 1,000,000; 0 takes no requests.</param>
/// <param name="Invalid">Null when the reference is good; else what is wrong with it (such requests get 500, as the standard asks).</param>
public sealed record RouteBackend(ObjectName Service, ushort Port, int Weight, ImmutableArray<RouteFilter> Filters, RefProblem? Invalid = null)
{
    /// <summary>Set where a Gateway may not use it: in another namespace, without a ReferenceGrant there. A route of a Service needs none (GEP-1294): the client could
    /// call that backend itself, and policy judges it as if it had.</summary>
    public RefProblem? Ungranted { get; init; }

    /// <summary>What is wrong with it for requests that come to such a parent.</summary>
    public RefProblem? ProblemAt(ParentKind parent) => parent == ParentKind.Gateway ? Ungranted ?? Invalid : Invalid;
}

/// <param name="Message">For people.</param>
public sealed record RefProblem(RefReason Reason, string Message);

/// <summary>Why a reference is not good, in the words of Gateway API (RouteReasonXxx of the condition ResolvedRefs).</summary>
public enum RefReason
{
    BackendNotFound,
    RefNotPermitted,
    InvalidKind,
    UnsupportedProtocol,
}

public abstract record RouteFilter;

public sealed record HeaderFilter(
    bool OnResponse, ImmutableArray<KeyValuePair<string, string>> Set, ImmutableArray<KeyValuePair<string, string>> Add, ImmutableArray<string> Remove) : RouteFilter;

/// <summary>301, 302, 303, 307 or 308; null members keep what the request had.</summary>
public sealed record RedirectFilter(string? Scheme, string? Hostname, ushort? Port, PathRewrite? Path, int StatusCode) : RouteFilter;

public sealed record RewriteFilter(string? Hostname, PathRewrite? Path) : RouteFilter;

/// <param name="ReplacesPrefix">True: the matched prefix is replaced; false: the whole path.</param>
public sealed record PathRewrite(bool ReplacesPrefix, string Value);
