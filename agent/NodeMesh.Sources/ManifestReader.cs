using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Files;
using NodeMesh.Sources.World;

namespace NodeMesh.Sources;

/// <summary>What a set of files means, read once: for <c>validate</c>, <c>plan</c> and tests. Pure but for the clock that certificates are held against.</summary>
public static class ManifestReader
{
    /// <param name="files">Paths, as messages shall name them, and texts. Any order: the result is that of the paths' order.</param>
    /// <param name="time">Null: the system's clock.</param>
    /// <returns>A snapshot of revision 1 with what could be used, and everything that was found (also in the snapshot).</returns>
    public static (MeshSnapshot Snapshot, ImmutableArray<Diagnostic> Diagnostics) Read(
        IReadOnlyList<(string Path, string Text)> files, TimeProvider? time = null)
    {
        var builder = new ModelBuilder(time ?? TimeProvider.System);
        foreach (var (path, text) in files)
            builder.Apply(ManifestFile.Read(path, text));
        var snapshot = builder.Build();
        return (snapshot, snapshot.Diagnostics);
    }
}
