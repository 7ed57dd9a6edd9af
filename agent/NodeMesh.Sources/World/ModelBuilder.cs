using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Translate;

namespace NodeMesh.Sources.World;

/// <summary>
/// The mutable world: what every origin gave last, made into snapshots. What a snapshot holds depends on the origins and the last good versions only,
/// not on the order in which they came. One thread at a time.
/// </summary>
internal sealed class ModelBuilder(TimeProvider time)
{
    private readonly SortedDictionary<string, OriginState> _origins = new(StringComparer.Ordinal);
    private MeshSnapshot _last = MeshSnapshot.Empty;

    public void Apply(OriginChange change)
    {
        if (change.IsGone)
        {
            _origins.Remove(change.Origin);
            return;
        }
        if (!_origins.TryGetValue(change.Origin, out var origin))
            _origins.Add(change.Origin, origin = new OriginState());
        if (change.Content is { } content)
            origin.Replace(content, time.GetUtcNow());
        if (change.Problem is { } problem)
            origin.MarkBroken(problem);
    }

    /// <summary>The same object as before when nothing changed; else a new one, the revision one higher, whose unchanged parts are the same objects.</summary>
    public MeshSnapshot Build()
    {
        var gathered = Gathered.From(_origins.Values);
        var workloads = WorkloadLink.Run(gathered);
        var services = ServiceLink.Run(gathered, workloads, _last.Services.ToDictionary(s => s.Name));
        var certificates = gathered.Of<SecretDraft>(Kinds.Secret).Select(e => e.Value.Certificate).OfType<Certificate>().ToList();
        var gateways = GatewayLink.Run(gathered, certificates, _last.Gateways.ToDictionary(g => g.Name));
        var routes = RouteLink.Run(gathered, services, gateways, _last.Routes.ToDictionary(r => r.Name));
        var policies = gathered.Of<Policy>(Kinds.NetworkPolicy).Concat(gathered.Of<Policy>(Kinds.MeshPolicy))
            .Concat(gathered.Of<Policy>(Kinds.ClusterMeshPolicy)).Select(e => e.Value).OrderBy(p => p.Name).ThenBy(p => p.Kind);
        gathered.Diagnostics.Sort(Diagnostics.Compare);

        var next = new MeshSnapshot(
            _last.Revision,
            Keep(_last.Namespaces, gathered.Of<MeshNamespace>(Kinds.Namespace).Select(e => e.Value)),
            Keep(_last.Nodes, gathered.Of<MeshNode>(Kinds.Node).Select(e => e.Value)),
            Keep(_last.Workloads, workloads),
            Keep(_last.Services, services),
            Keep(_last.Policies, policies),
            Keep(_last.Routes, routes),
            Keep(_last.Gateways, gateways),
            Keep(_last.Certificates, certificates),
            _last.Diagnostics.AsSpan().SequenceEqual(gathered.Diagnostics.ToArray()) ? _last.Diagnostics : [.. gathered.Diagnostics.Distinct()]);

        // Arrays compare by identity, so equal records are equal worlds. The first snapshot counts as a change: someone looked for the first time.
        if (_last.Revision == 0 || next != _last)
            _last = next with { Revision = _last.Revision + 1 };
        return _last;
    }

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
