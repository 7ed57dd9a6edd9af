using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Translate;

namespace NodeMesh.Sources.World;

/// <summary>
/// The mutable world: what every origin gave last, made into snapshots. What a snapshot holds depends on the origins and the last good versions only,
/// not on the order in which they came; what it costs depends on what changed. One thread at a time.
/// </summary>
internal sealed class ModelBuilder(TimeProvider time)
{
    private static readonly (KindInfo Kind, PolicyKind Is)[] s_policies =
    [
        (Kinds.NetworkPolicy, PolicyKind.NetworkPolicy), (Kinds.MeshPolicy, PolicyKind.MeshPolicy),
        (Kinds.ClusterMeshPolicy, PolicyKind.ClusterMeshPolicy), (Kinds.ClusterNetworkPolicy, PolicyKind.ClusterNetworkPolicy),
    ];

    private readonly Dictionary<string, OriginState> _origins = new(StringComparer.Ordinal);
    private readonly Gathered _gathered = new();
    private readonly WorkloadLink _workloads = new();
    private readonly ServiceLink _services = new();
    private readonly Findings<string> _linkFindings = new();
    private MeshSnapshot _last = MeshSnapshot.Empty;
    private int _diagnosticsVersion = -1;

    public void Apply(OriginChange change)
    {
        var origin = _origins.GetValueOrDefault(change.Origin);
        var before = origin?.Slots ?? new Dictionary<ObjectRef, Slot>();
        if (change.IsGone)
        {
            _origins.Remove(change.Origin);
            _gathered.Replace(change.Origin, before, new Dictionary<ObjectRef, Slot>(), []);
            return;
        }
        if (origin is null)
            _origins.Add(change.Origin, origin = new OriginState());
        if (change.Content is { } content)
            origin.Replace(content, time.GetUtcNow());
        if (change.Problem is { } problem)
            origin.MarkBroken(problem);
        _gathered.Replace(change.Origin, before, origin.Slots, origin.Problems);
    }

    /// <summary>The same object as before when nothing changed; else a new one, the revision one higher, whose unchanged parts are the same objects.</summary>
    public MeshSnapshot Build()
    {
        // Every change of an object in use, and nothing else, shows in these tables; what is linked below is renewed where they did.
        _gathered.Settle();
        var workloads = _workloads.Run(_gathered);
        var nodes = Renew(_last.Nodes, Kinds.Node);
        var services = _services.Run(_gathered, workloads, nodes);
        var certificates = _gathered.HasChanged(Kinds.Secret)
            ? Keep(_last.Certificates, _gathered.Of<SecretDraft>(Kinds.Secret).Select(e => e.Value.Certificate).OfType<Certificate>())
            : _last.Certificates;
        var gateways = Gateways(certificates);
        var next = new MeshSnapshot(
            _last.Revision,
            Renew(_last.Namespaces, Kinds.Namespace),
            nodes,
            workloads,
            services,
            Policies(),
            Routes(gateways),
            gateways,
            certificates,
            Diagnostics());

        // Arrays compare by identity, so equal records are equal worlds. The first snapshot counts as a change: someone looked for the first time.
        if (_last.Revision == 0 || next != _last)
            _last = next with { Revision = _last.Revision + 1 };
        return _last;
    }

    private ImmutableArray<Gateway> Gateways(ImmutableArray<Certificate> certificates)
    {
        if (!_gathered.HasChanged(Kinds.Gateway, Kinds.GatewayClass, Kinds.ReferenceGrant) && certificates == _last.Certificates)
            return _last.Gateways;
        var found = new List<Diagnostic>();
        var gateways = Keep(_last.Gateways, GatewayLink.Run(_gathered, certificates, _last.Gateways.ToDictionary(g => g.Name), found));
        _linkFindings.Set("gateways", found);
        return gateways;
    }

    private ImmutableArray<Route> Routes(ImmutableArray<Gateway> gateways)
    {
        if (!_gathered.HasChanged(Kinds.HttpRoute, Kinds.ReferenceGrant, Kinds.Gateway) && gateways == _last.Gateways && !_services.FacesChanged)
            return _last.Routes;
        var found = new List<Diagnostic>();
        var routes = Keep(_last.Routes, RouteLink.Run(_gathered, _services.ByName, gateways, _last.Routes.ToDictionary(r => r.Name), found));
        _linkFindings.Set("routes", found);
        return routes;
    }

    private ImmutableArray<Policy> Policies()
    {
        var changes = new SortedDictionary<PolicyKey, Policy?>();
        foreach (var (kind, policy) in s_policies)
            foreach (var name in _gathered.Changed(kind))
                changes.Add(new PolicyKey(name, policy), _gathered.Find<Policy>(kind, name)?.Value);
        return Merge.Into(_last.Policies, changes, p => new PolicyKey(p.Name, p.Kind));
    }

    /// <summary>The order of policies in a snapshot.</summary>
    private readonly record struct PolicyKey(ObjectName Name, PolicyKind Kind) : IComparable<PolicyKey>
    {
        public int CompareTo(PolicyKey other) => Name.CompareTo(other.Name) is var c && c != 0 ? c : Kind.CompareTo(other.Kind);
    }

    private ImmutableArray<Diagnostic> Diagnostics()
    {
        var version = _gathered.DiagnosticsVersion + _workloads.Findings.Version + _services.Findings.Version + _linkFindings.Version;
        if (version == _diagnosticsVersion)
            return _last.Diagnostics;
        _diagnosticsVersion = version;
        var all = _gathered.Diagnostics.Concat(_workloads.Findings.All).Concat(_services.Findings.All).Concat(_linkFindings.All).Distinct().ToList();
        all.Sort(World.Diagnostics.Compare);
        return _last.Diagnostics.AsSpan().SequenceEqual(all.ToArray()) ? _last.Diagnostics : [.. all];
    }

    private ImmutableArray<T> Renew<T>(ImmutableArray<T> old, KindInfo kind) where T : class =>
        _gathered.HasChanged(kind) ? Keep(old, _gathered.Of<T>(kind).Select(e => e.Value)) : old;

    private static ImmutableArray<T> Keep<T>(ImmutableArray<T> old, IEnumerable<T> next) where T : class
    {
        var list = next.ToImmutableArray();
        if (old.Length != list.Length)
            return list;
        for (var i = 0; i < list.Length; i++)
            if (!ReferenceEquals(old[i], list[i]))
                return list;
        return old;
    }
}
