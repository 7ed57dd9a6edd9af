using NodeMesh.Sources.Dom;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace NodeMesh.Sources.Files;

/// <summary>A text that is not YAML, or more than is accepted.</summary>
internal sealed class YamlRefusedException(string message, int document, Position at) : Exception(message)
{
    /// <summary>1-based.</summary>
    public int Document { get; } = document;

    public Position At { get; } = at;
}

/// <summary>
/// YAML (and JSON, which is a part of it) to nodes, straight from the parser's events. The text is not trusted: size, depth and the number of nodes
/// after aliases are followed are bounded, a key may stand once in a map, and an anchor may not contain itself.
/// </summary>
internal sealed class YamlReader
{
    /// <summary>A Secret or a ConfigMap may have 1 MiB; this leaves room for several in one file.</summary>
    public const int MaxCharacters = 4 * 1024 * 1024;
    public const int MaxDepth = 64;
    public const int MaxNodes = 500_000;
    private const string MergeKey = "<<";

    private readonly Parser _parser;
    private readonly Dictionary<string, (ApiNode Node, int Size)> _anchors = [];
    private int _document;
    private int _nodes;
    private Position _last = new(1, 1);

    private YamlReader(string text) => _parser = new Parser(new Scanner(new StringReader(text), skipComments: true));

    /// <summary>One entry per document; null for an empty one.</summary>
    /// <exception cref="YamlRefusedException">The text as a whole is refused; no document of it counts.</exception>
    public static IReadOnlyList<ApiNode?> Read(string text)
    {
        if (text.Length > MaxCharacters)
            throw new YamlRefusedException($"the file has more than {MaxCharacters} characters; split it", 1, new Position(1, 1));
        var reader = new YamlReader(text);
        try
        {
            return reader.Documents();
        }
        catch (YamlException e)
        {
            throw new YamlRefusedException(e.Message, Math.Max(1, reader._document), Of(e.Start));
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or FormatException or OverflowException or IndexOutOfRangeException)
        {
            // The parser leaves its own rules so on some unbalanced texts (an empty stack, a number too large); for the user it is the same fault.
            throw new YamlRefusedException("brackets, indentation or quotes do not match", Math.Max(1, reader._document), reader._last);
        }
    }

    private List<ApiNode?> Documents()
    {
        var documents = new List<ApiNode?>();
        _parser.Consume<StreamStart>();
        while (!_parser.Accept<StreamEnd>(out _))
        {
            _document++;
            _anchors.Clear();
            _parser.Consume<DocumentStart>();
            var node = Node(0);
            _parser.Consume<DocumentEnd>();
            documents.Add(node is ApiScalar { Kind: ScalarKind.Null } ? null : node);
        }
        return documents;
    }

    private ApiNode Node(int depth)
    {
        var e = _parser.Consume<ParsingEvent>();
        var at = _last = Of(e.Start);
        if (depth > MaxDepth)
            throw Refused($"nested deeper than {MaxDepth} levels", at);

        if (e is AnchorAlias alias)
        {
            if (!_anchors.TryGetValue(alias.Value.Value, out var known))
                throw Refused($"the alias '*{alias.Value.Value}' names no anchor above it", at);
            Count(known.Size, at);
            return known.Node;
        }

        var before = _nodes;
        Count(1, at);
        ApiNode node = e switch
        {
            Scalar s => Scalar(s, at),
            SequenceStart => Sequence(at, depth),
            MappingStart => Mapping(at, depth),
            _ => throw Refused("expected a value", at),
        };
        if (e is NodeEvent { Anchor.IsEmpty: false } anchored)
            _anchors[anchored.Anchor.Value] = (node, _nodes - before);
        return node;
    }

    private ApiList Sequence(Position at, int depth)
    {
        var items = new List<ApiNode>();
        while (!_parser.TryConsume<SequenceEnd>(out _))
            items.Add(Node(depth + 1));
        return new ApiList(items, at);
    }

    private ApiMap Mapping(Position at, int depth)
    {
        var fields = new List<ApiField>();
        var seen = new HashSet<string>();
        var merged = new List<ApiMap>();
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            if (!_parser.TryConsume<Scalar>(out var key))
                throw Refused("a key must be plain text", at);
            var keyAt = Of(key.Start);
            Count(1, keyAt);
            var value = Node(depth + 1);
            if (key is { Value: MergeKey, Style: ScalarStyle.Plain })
                Merge(value, keyAt, merged);
            else if (!seen.Add(key.Value))
                throw Refused($"the key '{key.Value}' stands twice in one map; remove one", keyAt);
            else
                fields.Add(new ApiField(key.Value, keyAt, value));
        }

        // What the map itself says wins over what is merged into it, and an earlier merge over a later one.
        foreach (var map in merged)
            foreach (var f in map.Fields)
                if (seen.Add(f.Name))
                    fields.Add(f);
        return new ApiMap(fields, at);
    }

    private void Merge(ApiNode value, Position at, List<ApiMap> merged)
    {
        if (value is ApiMap one)
            merged.Add(one);
        else if (value is ApiList list && list.Items.All(i => i is ApiMap))
            merged.AddRange(list.Items.Cast<ApiMap>());
        else
            throw Refused("'<<' must be followed by a map or a list of maps", at);
    }

    private ApiScalar Scalar(Scalar s, Position at)
    {
        var tag = s.Tag.IsEmpty ? "" : s.Tag.Value;
        var kind = tag switch
        {
            "tag:yaml.org,2002:str" or "!" => ScalarKind.Text,
            "tag:yaml.org,2002:int" or "tag:yaml.org,2002:float" => ScalarKind.Number,
            "tag:yaml.org,2002:bool" => ScalarKind.Flag,
            "tag:yaml.org,2002:null" => ScalarKind.Null,
            "" when s.Style == ScalarStyle.Plain => PlainKind(s.Value),
            "" => ScalarKind.Text,
            _ => throw Refused($"the tag '{tag}' is not supported; remove it", at),
        };
        return new ApiScalar(kind, s.Value, at);
    }

    /// <summary>As the API server's YAML 1.1 reader does it: 'yes', 'on' and 'off' are no text unless quoted.</summary>
    private static ScalarKind PlainKind(string text)
    {
        if (text is "" or "~" or "null" or "Null" or "NULL")
            return ScalarKind.Null;
        if (text is "true" or "True" or "TRUE" or "false" or "False" or "FALSE" or "y" or "Y" or "n" or "N"
            or "yes" or "Yes" or "YES" or "no" or "No" or "NO" or "on" or "On" or "ON" or "off" or "Off" or "OFF")
            return ScalarKind.Flag;
        return IsNumber(text) ? ScalarKind.Number : ScalarKind.Text;
    }

    private static bool IsNumber(string text)
    {
        if (text is ".inf" or "-.inf" or ".nan" or ".Inf" or "-.Inf" or ".NaN")
            return true;
        var s = text.AsSpan(text[0] is '-' or '+' ? 1 : 0);
        if (s.Length > 2 && s[0] == '0' && (s[1] | 0x20) is 'x' or 'o' or 'b')
            return !s[2..].ContainsAnyExcept("0123456789abcdefABCDEF_");
        return s.Length > 0 && (char.IsAsciiDigit(s[0]) || (s[0] == '.' && s.Length > 1 && char.IsAsciiDigit(s[1])))
            && double.TryParse(s, System.Globalization.NumberStyles.Float, System.Globalization.CultureInfo.InvariantCulture, out _);
    }

    private void Count(int nodes, Position at)
    {
        _nodes += nodes;
        if (_nodes > MaxNodes)
            throw Refused($"the file has more than {MaxNodes} values once aliases are followed; split it", at);
    }

    private YamlRefusedException Refused(string message, Position at) => new(message, Math.Max(1, _document), at);

    private static Position Of(Mark mark) => new((int)mark.Line, (int)mark.Column);
}
