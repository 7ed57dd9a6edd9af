using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.World;

/// <summary>An object in use and where it stands.</summary>
internal readonly record struct Entry<T>(ApiObject Source, T Value);

/// <summary>The objects in use, sorted by name, each kind and name once, and only those whose namespace exists.</summary>
internal sealed class Gathered
{
    private readonly Dictionary<KindInfo, List<Entry<object>>> _byKind = [];
    private readonly List<Diagnostic> _diagnostics = [];
    private readonly HashSet<string> _namespaces = new(StringComparer.Ordinal);

    public List<Diagnostic> Diagnostics => _diagnostics;

    /// <param name="origins">Sorted by path: of two equal objects the first is used.</param>
    public static Gathered From(IEnumerable<OriginState> origins)
    {
        var gathered = new Gathered();
        var chosen = new Dictionary<ObjectRef, Slot>();
        var all = origins.ToList();
        foreach (var origin in all)
            gathered._diagnostics.AddRange(origin.Problems);

        // An object that is only kept gives way to one that is written somewhere.
        foreach (var slot in all.SelectMany(o => o.Slots.Values).OrderBy(s => s.IsKept))
        {
            if (!chosen.TryAdd(slot.Object.Ref, slot))
            {
                if (!slot.IsKept)
                    gathered._diagnostics.Add(World.Diagnostics.Duplicate(slot.Object, chosen[slot.Object.Ref].Object.Location));
                continue;
            }
            gathered._diagnostics.AddRange(World.Diagnostics.Of(slot));
        }
        gathered.Fill(chosen.Values);
        return gathered;
    }

    public IEnumerable<Entry<T>> Of<T>(KindInfo kind) =>
        _byKind.TryGetValue(kind, out var list) ? list.Select(e => new Entry<T>(e.Source, (T)e.Value)) : [];

    private void Fill(IEnumerable<Slot> slots)
    {
        var used = slots.Where(s => s.Good is not null).OrderBy(s => s.Object.Name).ToList();
        foreach (var s in used)
            if (s.Good is MeshNamespace ns)
                _namespaces.Add(ns.Name);
        foreach (var s in used)
        {
            if (s.Object.Kind.Namespaced && !_namespaces.Contains(s.Object.Name.Namespace))
            {
                _diagnostics.Add(new Diagnostic("missing-namespace", Severity.Error, s.Object.Ref, "metadata.namespace",
                    $"there is no Namespace '{s.Object.Name.Namespace}'; add the object or change the namespace", World.Diagnostics.LeftOut, s.Object.Location));
                continue;
            }
            if (!_byKind.TryGetValue(s.Object.Kind, out var list))
                _byKind.Add(s.Object.Kind, list = []);
            list.Add(new Entry<object>(s.Object, s.Good!));
        }
    }
}
