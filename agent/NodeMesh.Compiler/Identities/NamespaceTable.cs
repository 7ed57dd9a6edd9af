using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Identities;

/// <summary>Namespaces by name, each with the label that the API server gives to all.</summary>
internal static class NamespaceTable
{
    private const string NameLabel = "kubernetes.io/metadata.name";

    /// <summary>Holds also those that only a pod, route or Gateway speaks of.</summary>
    /// <param name="pods">Those of which the namespace may be new.</param>
    /// <param name="old">The table that there was, from the very <paramref name="before"/>; it may also know namespaces that nobody speaks of any more.</param>
    /// <param name="changed">Gets the names of those that are not as in <paramref name="old"/>.</param>
    public static IReadOnlyDictionary<string, MeshNamespace> Build(
        MeshSnapshot mesh, IEnumerable<Workload> pods, ImmutableArray<MeshNamespace> before, IReadOnlyDictionary<string, MeshNamespace> old, HashSet<string> changed)
    {
        var spokenOf = pods.Select(w => w.Name.Namespace)
            .Concat(mesh.Routes.Select(r => r.Name.Namespace))
            .Concat(mesh.Gateways.Select(g => g.Name.Namespace));
        if (mesh.Namespaces == before && spokenOf.All(old.ContainsKey))
            return old;

        var table = new Dictionary<string, MeshNamespace>(StringComparer.Ordinal);
        foreach (var ns in mesh.Namespaces)
            table[ns.Name] = ns with { Labels = ns.Labels.SetItem(NameLabel, ns.Name) };
        foreach (var name in spokenOf.Concat(mesh.Workloads.Select(w => w.Name.Namespace)))
            if (!table.ContainsKey(name))
                table[name] = new MeshNamespace(name, ImmutableSortedDictionary<string, string>.Empty.Add(NameLabel, name));
        changed.UnionWith(table.Values.Where(ns => !old.TryGetValue(ns.Name, out var was) || !was.Labels.SequenceEqual(ns.Labels)).Select(ns => ns.Name));
        return changed.Count == 0 && table.Count == old.Count ? old : table;
    }

    public static bool Matches(this NamespaceMatch match, MeshNamespace ns) =>
        (match.Name is null || match.Name == ns.Name) && (match.Selector is null || match.Selector.Matches(ns.Labels));
}
