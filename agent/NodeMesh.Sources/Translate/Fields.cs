using System.Collections.Immutable;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>
/// Reads one map field by field and remembers which names it was asked for. Disposing it reports the fields that nobody asked for, so what is known is
/// exactly what is read or ignored on purpose, and both are written where they are used.
/// </summary>
internal sealed class Fields(ApiMap map, string path, Report report) : IDisposable
{
    private readonly HashSet<string> _known = [];

    public Position At => map.At;

    public string Path => path;

    public Report Report => report;

    /// <summary>Null when the field is absent or null, which the API treats alike.</summary>
    public Value? Get(string name)
    {
        _known.Add(name);
        return map[name] is { } node and not ApiScalar { Kind: ScalarKind.Null } ? new Value(node, Join(name), report) : null;
    }

    public bool Has(string name) => Get(name) is not null;

    /// <summary>As <see cref="Get"/>, but absence is an error.</summary>
    public Value? Require(string name)
    {
        var value = Get(name);
        if (value is null)
            report.Error("missing-field", Join(name), At, $"the field '{name}' is required");
        return value;
    }

    public string? Text(string name) => Get(name)?.Text();

    public bool Flag(string name) => Get(name)?.Flag() ?? false;

    public Fields? Map(string name) => Get(name)?.Map();

    /// <param name="most">More entries than these are an error.</param>
    public ImmutableArray<Value> Items(string name, int most = int.MaxValue)
    {
        if (Get(name) is not { } list)
            return [];
        var items = list.Items();
        if (items.Length > most)
            list.Error("out-of-range", $"'{name}' has {items.Length} entries; at most {most} may be");
        return items;
    }

    /// <summary>Names that are known and say nothing to the mesh.</summary>
    public void Ignore(params ReadOnlySpan<string> names)
    {
        foreach (var n in names)
            _known.Add(n);
    }

    /// <summary>Names that are known, but what they ask for is not done here.</summary>
    public void Unsupported(string name, string consequence)
    {
        if (Get(name) is { } value)
            value.Warning("unsupported", $"'{name}' is not supported; remove it", consequence);
    }

    /// <summary>As <see cref="Unsupported"/> where going on without it would do something else than was asked.</summary>
    public void Refuse(string name)
    {
        if (Get(name) is { } value)
            value.Error("unsupported", $"'{name}' is not supported; remove it");
    }

    /// <summary>The entries of a map with free keys and text values.</summary>
    public IEnumerable<(string Key, Value Value)> Entries()
    {
        foreach (var f in map.Fields)
        {
            _known.Add(f.Name);
            yield return (f.Name, new Value(f.Value, Join(f.Name), report));
        }
    }

    public void Error(string code, string message) => report.Error(code, path, At, message);

    public void Dispose()
    {
        foreach (var f in map.Fields)
            if (!_known.Contains(f.Name))
                report.UnknownField(f.Name, Join(f.Name), f.At, _known);
    }

    private string Join(string name) => path.Length == 0 ? name : $"{path}.{name}";
}
