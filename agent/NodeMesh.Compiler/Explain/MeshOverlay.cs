using NodeMesh.Model;

namespace NodeMesh.Compiler.Explain;

/// <summary>A mesh as it would be with other objects that policy depends on.</summary>
public static class MeshOverlay
{
    /// <summary><paramref name="mesh"/> with the policies, namespaces and pods' labels of <paramref name="changed"/> in place of its own.</summary>
    /// <param name="prune">Policies that <paramref name="changed"/> does not have are gone.</param>
    public static MeshSnapshot Put(MeshSnapshot mesh, MeshSnapshot changed, bool prune)
    {
        var policies = changed.Policies.ToDictionary(p => p.Ref);
        var namespaces = changed.Namespaces.ToDictionary(n => n.Name, StringComparer.Ordinal);
        var pods = changed.Workloads.ToDictionary(w => w.Name);
        var kept = prune ? [] : mesh.Policies.Where(p => !policies.ContainsKey(p.Ref));
        return mesh with
        {
            Policies = [.. kept.Concat(changed.Policies).OrderBy(p => p.Name).ThenBy(p => p.Kind)],
            Namespaces = [.. mesh.Namespaces.Where(n => !namespaces.ContainsKey(n.Name)).Concat(changed.Namespaces).OrderBy(n => n.Name, StringComparer.Ordinal)],
            Workloads = [.. mesh.Workloads.Select(w => pods.TryGetValue(w.Name, out var other) ? w with { Labels = other.Labels } : w)],
        };
    }
}
