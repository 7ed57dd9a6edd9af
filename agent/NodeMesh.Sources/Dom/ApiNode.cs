using System.Globalization;

namespace NodeMesh.Sources.Dom;

/// <summary>Where a node was written; 1-based, 0 when unknown (an object that did not come from a file).</summary>
internal readonly record struct Position(int Line, int Column);

/// <summary>A value of an API object as written, whatever it was written in. Nodes know no path: an aliased node has several.</summary>
internal abstract class ApiNode(Position at)
{
    public Position At { get; } = at;

    /// <summary>"a map", "a list", "a number": how messages name what was found. Never the value, which may be secret.</summary>
    public abstract string Described { get; }
}

internal enum ScalarKind
{
    Null,
    Text,
    Number,
    Flag,
}

internal sealed class ApiScalar(ScalarKind kind, string text, Position at) : ApiNode(at)
{
    public ScalarKind Kind { get; } = kind;

    public string Text { get; } = text;

    public override string Described => Kind switch
    {
        ScalarKind.Null => "nothing",
        ScalarKind.Number => "a number",
        ScalarKind.Flag => "true or false",
        _ => "text",
    };

    /// <summary>Decimal only: a leading zero would mean octal to some readers and not to others.</summary>
    public bool TryInteger(out long value)
    {
        value = 0;
        var digits = Text.AsSpan().TrimStart('-');
        if (digits.Length > 1 && digits[0] == '0')
            return false;
        return Kind == ScalarKind.Number && long.TryParse(Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
    }
}

internal sealed class ApiList(IReadOnlyList<ApiNode> items, Position at) : ApiNode(at)
{
    public IReadOnlyList<ApiNode> Items { get; } = items;

    public override string Described => "a list";
}

/// <summary>One entry of a map, in the order of writing.</summary>
internal readonly record struct ApiField(string Name, Position At, ApiNode Value);

internal sealed class ApiMap(IReadOnlyList<ApiField> fields, Position at) : ApiNode(at)
{
    public IReadOnlyList<ApiField> Fields { get; } = fields;

    public override string Described => "a map";

    /// <summary>Null when absent; maps of API objects are short, so this looks through.</summary>
    public ApiNode? this[string name]
    {
        get
        {
            foreach (var f in Fields)
                if (f.Name == name)
                    return f.Value;
            return null;
        }
    }
}
