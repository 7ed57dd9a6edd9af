using NodeMesh.Model;

namespace NodeMesh.Sources.World;

/// <summary>Diagnostics by what they are about; things without any take no room.</summary>
internal sealed class Findings<TKey>
    where TKey : notnull
{
    private readonly Dictionary<TKey, IReadOnlyList<Diagnostic>> _byKey = [];

    /// <summary>Grows whenever the content changes.</summary>
    public int Version { get; private set; }

    public IEnumerable<Diagnostic> All => _byKey.Values.SelectMany(d => d);

    public void Set(TKey key, IReadOnlyList<Diagnostic> diagnostics)
    {
        var had = _byKey.GetValueOrDefault(key, []);
        if (had.SequenceEqual(diagnostics))
            return;
        Version++;
        if (diagnostics.Count == 0)
            _byKey.Remove(key);
        else
            _byKey[key] = diagnostics;
    }
}
