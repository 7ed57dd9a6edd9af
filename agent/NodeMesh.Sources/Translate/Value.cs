using System.Collections.Immutable;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>A node with its path in the object: reads itself as the type that is asked for, or reports that it is none.</summary>
internal readonly struct Value(ApiNode node, string path, Report report)
{
    public ApiNode Node => node;

    public string Path => path;

    public Report Report => report;

    public string? Text()
    {
        if (node is ApiScalar { Kind: ScalarKind.Text } s)
            return s.Text;
        var cure = node is ApiScalar { Kind: not ScalarKind.Null } ? "; put it in quotes" : "";
        Error("wrong-type", $"expected text, found {node.Described}{cure}");
        return null;
    }

    public long? Integer(long min, long max)
    {
        if (node is not ApiScalar { Kind: ScalarKind.Number } s)
        {
            var cure = node is ApiScalar { Kind: ScalarKind.Text } ? "; remove the quotes" : "";
            Error("wrong-type", $"expected a number, found {node.Described}{cure}");
            return null;
        }
        if (!s.TryInteger(out var n) || n < min || n > max)
        {
            Error("out-of-range", $"'{s.Text}' is not a whole number from {min} to {max}");
            return null;
        }
        return n;
    }

    public bool? Flag()
    {
        if (node is ApiScalar { Kind: ScalarKind.Flag, Text: "true" or "True" or "TRUE" })
            return true;
        if (node is ApiScalar { Kind: ScalarKind.Flag, Text: "false" or "False" or "FALSE" })
            return false;
        Error("wrong-type", $"expected true or false, found {(node is ApiScalar { Kind: ScalarKind.Flag } ? "another spelling of it" : node.Described)}");
        return null;
    }

    public Fields? Map()
    {
        if (node is ApiMap map)
            return new Fields(map, path, report);
        Error("wrong-type", $"expected a map, found {node.Described}");
        return null;
    }

    public ImmutableArray<Value> Items()
    {
        if (node is not ApiList list)
        {
            Error("wrong-type", $"expected a list, found {node.Described}; begin each entry with '- '");
            return [];
        }
        var items = ImmutableArray.CreateBuilder<Value>(list.Items.Count);
        for (var i = 0; i < list.Items.Count; i++)
            items.Add(new Value(list.Items[i], $"{path}[{i}]", report));
        return items.MoveToImmutable();
    }

    /// <summary>Text that is one of the given; else an error that lists them.</summary>
    public string? OneOf(params ReadOnlySpan<string> choices)
    {
        if (Text() is not { } text)
            return null;
        if (choices.Contains(text))
            return text;
        var close = Spelling.Closest(text, choices.ToArray()) is { } c ? $"did you mean {c}? " : "";
        Error("bad-value", $"'{text}' is not known; {close}it must be one of {string.Join(", ", choices!)}");
        return null;
    }

    public void Error(string code, string message) => report.Error(code, path, node.At, message);

    public void Partly(string code, string message, string consequence) => report.Partly(code, path, node.At, message, consequence);

    public void Warning(string code, string message, string consequence) => report.Warning(code, path, node.At, message, consequence);
}
