using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Identities;

/// <summary>Namespaces by name, each with the label that the API server gives to all.</summary>
internal static class NamespaceTable
{
    private const string NameLabel = "kubernetes.io/metadata.name";

    /// <summary>Holds also those that only a pod, route or Gateway speaks of.</summary>
    public static Dictionary<string, MeshNamespace> Build(MeshSnapshot mesh)
    {
        var table = new Dictionary<string, MeshNamespace>(StringComparer.Ordinal);
        foreach (var ns in mesh.Namespaces)
            table[ns.Name] = ns with { Labels = ns.Labels.SetItem(NameLabel, ns.Name) };
        var spokenOf = mesh.Workloads.Select(w => w.Name.Namespace)
            .Concat(mesh.Routes.Select(r => r.Name.Namespace))
            .Concat(mesh.Gateways.Select(g => g.Name.Namespace));
        foreach (var name in spokenOf)
        {
            if (!table.ContainsKey(name))
                table[name] = new MeshNamespace(name, ImmutableSortedDictionary<string, string>.Empty.Add(NameLabel, name));
        }

        return table;
    }

    public static bool Matches(this NamespaceMatch match, MeshNamespace ns) =>
        (match.Name is null || match.Name == ns.Name) && (match.Selector is null || match.Selector.Matches(ns.Labels));
}
