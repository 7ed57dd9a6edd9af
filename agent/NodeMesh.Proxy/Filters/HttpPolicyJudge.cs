using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;
using NodeMesh.Plan;
using NodeMesh.Proxy.Http;
using NodeMesh.Proxy.Routing;

namespace NodeMesh.Proxy.Filters;

internal enum HttpVerdict : byte
{
    Allow,
    Deny,

    /// <summary>A rule looks at paths and this one can be read in two ways: 400.</summary>
    AmbiguousPath,
}

/// <param name="Policy">The deciding rule's policy, "MeshPolicy shop/read-only"; null when no rule decided (default deny, or allow by a rule without conditions).</param>
/// <param name="Rule">The deciding rule's name, for counts; null as <paramref name="Policy"/>.</param>
internal readonly record struct HttpJudgement(HttpVerdict Verdict, string? Policy, string? Rule = null);

/// <summary>An <see cref="HttpPolicyPlan"/> ready for the hot path; judging allocates nothing.</summary>
internal sealed class HttpPolicyJudge
{
    private static readonly ConditionalWeakTable<HttpPolicyPlan, HttpPolicyJudge> Made = [];

    private readonly bool _allowAll;
    private readonly bool _looksAtPaths;
    private readonly CompiledRule[] _allow;
    private readonly CompiledRule[] _deny;

    private HttpPolicyJudge(HttpPolicyPlan plan)
    {
        _allowAll = plan.AllowAll;
        _allow = [.. plan.Allow.Select(r => new CompiledRule(r, whenBroken: false))];
        _deny = [.. plan.Deny.Select(r => new CompiledRule(r, whenBroken: true))];
        _looksAtPaths = plan.Allow.Concat(plan.Deny).Any(r => !r.Match.Paths.IsDefaultOrEmpty);
    }

    public static HttpPolicyJudge For(HttpPolicyPlan plan) => Made.GetValue(plan, static p => new HttpPolicyJudge(p));

    public HttpJudgement Judge(RequestHead head)
    {
        const int OnStack = 512;
        if (!_looksAtPaths)
            return Judge(head, default);
        var raw = head.Path;
        var rented = raw.Length > OnStack ? ArrayPool<byte>.Shared.Rent(raw.Length) : null;
        var path = rented ?? stackalloc byte[OnStack];
        var judgement = PathNormalizer.Run(raw, path, out var length) == PathVerdict.Normal
            ? Judge(head, path[..length])
            : new HttpJudgement(HttpVerdict.AmbiguousPath, null);
        if (rented is not null)
            ArrayPool<byte>.Shared.Return(rented);
        return judgement;
    }

    private HttpJudgement Judge(RequestHead head, ReadOnlySpan<byte> path)
    {
        var host = HostPattern.HostOf(head.Authority);
        foreach (var rule in _deny)
        {
            if (rule.Matches(head, host, path))
                return new HttpJudgement(HttpVerdict.Deny, rule.Policy, rule.Rule);
        }

        if (_allowAll)
            return new HttpJudgement(HttpVerdict.Allow, null);
        foreach (var rule in _allow)
        {
            if (rule.Matches(head, host, path))
                return new HttpJudgement(HttpVerdict.Allow, rule.Policy, rule.Rule);
        }

        return new HttpJudgement(HttpVerdict.Deny, null);
    }

    private sealed class CompiledRule(HttpRulePlan plan, bool whenBroken)
    {
        private readonly byte[][] _methods = [.. OrEmpty(plan.Match.Methods).Select(Encoding.ASCII.GetBytes)];
        private readonly ValueMatcher[] _paths = [.. OrEmpty(plan.Match.Paths).Select(p => ValueMatcher.ForPolicyPath(p, whenBroken))];
        private readonly HostPattern[] _hosts = [.. OrEmpty(plan.Match.Hosts).Select(h => new HostPattern(h))];
        private readonly HeaderMatcher[] _headers = [.. OrEmpty(plan.Match.Headers).Select(h => new HeaderMatcher(h, whenBroken))];

        public string Policy { get; } = plan.Policy;

        public string? Rule { get; } = plan.Rule.Length == 0 ? null : plan.Rule;

        public bool Matches(RequestHead head, ReadOnlySpan<byte> host, ReadOnlySpan<byte> path) =>
            MatchesMethod(head.Method) && MatchesHost(host) && MatchesPath(path) && HeaderMatcher.All(_headers, head);

        private static System.Collections.Immutable.ImmutableArray<T> OrEmpty<T>(System.Collections.Immutable.ImmutableArray<T> array) => array.IsDefault ? [] : array;

        private bool MatchesMethod(ReadOnlySpan<byte> method)
        {
            foreach (var candidate in _methods)
            {
                if (method.SequenceEqual(candidate))
                    return true;
            }

            return _methods.Length == 0;
        }

        private bool MatchesHost(ReadOnlySpan<byte> host)
        {
            foreach (var candidate in _hosts)
            {
                if (candidate.Matches(host))
                    return true;
            }

            return _hosts.Length == 0;
        }

        private bool MatchesPath(ReadOnlySpan<byte> path)
        {
            foreach (var candidate in _paths)
            {
                if (candidate.Matches(path))
                    return true;
            }

            return _paths.Length == 0;
        }
    }
}
