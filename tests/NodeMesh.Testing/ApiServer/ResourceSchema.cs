using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace NodeMesh.Testing.ApiServer;

/// <param name="Place">In the schema: "spec.ingress[].from[]", "spec.podSelector.matchLabels.*".</param>
/// <param name="Keyword">"maxItems", "required key", or "rule" and the rule's message.</param>
/// <param name="Path">In the object: "spec.ingress[0].from[2]".</param>
public sealed record SchemaViolation(string Place, string Keyword, string Path, string Message)
{
    /// <summary>With these, an API server does not ask the rules any more.</summary>
    public bool IsBlocking => Keyword is "type" or "maxLength" or "maxItems" || Keyword.StartsWith("required ", StringComparison.Ordinal);
}

/// <summary>
/// A structural schema of apiextensions v1 and what an API server does to an object by it: it drops unknown fields, fills in defaults, holds it against the keywords
/// and then against the rules. A keyword that is not known here is an error, never passed over.
/// </summary>
public sealed class ResourceSchema
{
    private static readonly HashSet<string> s_silent =
    [
        "description", "properties", "items", "additionalProperties", "default", "nullable", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
        "x-kubernetes-map-type", "x-kubernetes-preserve-unknown-fields",
    ];

    private readonly JsonObject _root;
    private readonly List<(string Place, string Keyword)> _constraints = [];
    private readonly List<(string Place, string Rule, double Cost)> _costs = [];

    /// <exception cref="NotSupportedException">A keyword that is not known here.</exception>
    /// <exception cref="Cel.CelException">A rule that is no CEL.</exception>
    public ResourceSchema(JsonObject root)
    {
        _root = root;
        Collect(root, "", 1);
    }

    /// <summary>Everything for which an object can be refused.</summary>
    public IReadOnlyList<(string Place, string Keyword)> Constraints => _constraints;

    /// <summary>What each rule may cost in one object at most.</summary>
    public IReadOnlyList<(string Place, string Rule, double Cost)> Costs => _costs;

    /// <summary>Why the API server would refuse the schema for what its rules may cost; null: it would not.</summary>
    public string? TooExpensive =>
        _costs.Find(c => c.Cost > CelCost.MostOfRule) is { Rule: not null } rule ? $"{rule.Place}: estimated rule cost {rule.Cost} exceeds budget: {rule.Rule}"
        : _costs.Sum(c => c.Cost) > CelCost.MostOfDefinition ? $"contributed estimated rule cost total {_costs.Sum(c => c.Cost)} exceeds budget" : null;

    /// <summary>Of the version that is stored, in a CustomResourceDefinition.</summary>
    public static ResourceSchema Of(JsonObject definition) =>
        new((JsonObject)((JsonArray)definition["spec"]!["versions"]!).Single(v => (bool)v!["storage"]!)!["schema"]!["openAPIV3Schema"]!);

    /// <summary>Drops what the schema does not know.</summary>
    public void Prune(JsonObject obj) => Prune(_root, obj, isRoot: true);

    /// <summary>Fills in defaults; null counts as absent.</summary>
    public void Default(JsonObject obj) => Default(_root, obj);

    /// <param name="old">What it replaces.</param>
    public IReadOnlyList<SchemaViolation> Validate(JsonObject obj, JsonObject? old = null)
    {
        var found = new List<SchemaViolation>();
        Keywords(_root, obj, "", "", found);
        if (!found.Any(v => v.IsBlocking))
            Rules(_root, obj, old, "", "", found);
        return found;
    }

    private static string Trimmed(string path) => path.TrimStart('.');

    private static bool IsOn(JsonObject schema, string flag) => (bool?)schema[flag] == true;

    private static JsonObject? Properties(JsonObject schema) => schema["properties"] as JsonObject;

    private static IEnumerable<(string Text, string Message)> RulesOf(JsonObject schema) =>
        (schema["x-kubernetes-validations"] as JsonArray ?? []).Select(r => ((string)r!["rule"]!, (string?)r["message"] ?? (string)r["rule"]!));

    /// <param name="times">How often the place may stand in an object.</param>
    private void Collect(JsonObject schema, string place, double times)
    {
        foreach (var (name, value) in schema)
        {
            if (name == "required")
                _constraints.AddRange(((JsonArray)value!).Select(r => (Trimmed(place), $"required {r}")));
            else if (name == "x-kubernetes-validations")
                _constraints.AddRange(RulesOf(schema).Select(r => (Trimmed(place), $"rule {r.Message}")));
            else if (name == "format" && (string)value! is not ("cidr" or "date-time" or "int64"))
                throw new NotSupportedException($"{place}: format {value}");
            else if (name is "type" or "enum" or "pattern" or "minimum" or "maximum" or "minLength" or "maxLength" or "maxItems" || (name == "format" && (string)value! != "int64"))
                _constraints.Add((Trimmed(place), name));
            else if (name == "x-kubernetes-int-or-string")
                _constraints.Add((Trimmed(place), "type"));
            else if (name != "format" && !s_silent.Contains(name))
                throw new NotSupportedException($"{place}: {name}");
        }

        foreach (var (text, _) in RulesOf(schema))
            _costs.Add((Trimmed(place), text, times * CelCost.Of(CelRule.Compile(text).Syntax, schema)));
        foreach (var (step, child) in Children(schema))
            Collect(child, place + step, times * (step == "[]" ? (double?)schema["maxItems"] ?? CelCost.Unbounded : step == ".*" ? (double?)schema["maxProperties"] ?? CelCost.Unbounded : 1));
    }

    private static IEnumerable<(string Step, JsonObject Schema)> Children(JsonObject schema)
    {
        foreach (var (name, property) in Properties(schema) ?? [])
            yield return ($".{name}", (JsonObject)property!);
        if (schema["items"] is JsonObject items)
            yield return ("[]", items);
        if (schema["additionalProperties"] is JsonObject values)
            yield return (".*", values);
    }

    /// <summary>The values inside a value, with their schemas; what an entry was before it changed is known of fields, not of entries of lists.</summary>
    private static IEnumerable<(string Step, string Index, JsonObject Schema, JsonNode? Value, JsonNode? Old)> Inside(JsonObject schema, JsonNode? value, JsonNode? old)
    {
        if (value is JsonObject map)
        {
            var properties = Properties(schema);
            foreach (var (name, inner) in map)
                if (properties?[name] is JsonObject property)
                    yield return ($".{name}", $".{name}", property, inner, (old as JsonObject)?[name]);
                else if (schema["additionalProperties"] is JsonObject values)
                    yield return (".*", $".{name}", values, inner, (old as JsonObject)?[name]);
        }
        else if (value is JsonArray list && schema["items"] is JsonObject items)
        {
            for (var i = 0; i < list.Count; i++)
                yield return ("[]", $"[{i}]", items, list[i], null);
        }
    }

    private static void Prune(JsonObject schema, JsonNode? value, bool isRoot = false)
    {
        if (value is JsonObject map && schema["additionalProperties"] is null && !IsOn(schema, "x-kubernetes-preserve-unknown-fields"))
        {
            // What a schema says of metadata is not for it to say: the API's own is.
            foreach (var name in map.Select(f => f.Key).Where(n => Properties(schema)?.ContainsKey(n) != true && !(isRoot && n is "apiVersion" or "kind" or "metadata")).ToList())
                map.Remove(name);
        }

        foreach (var (_, index, inner, child, _) in Inside(schema, value, null).ToList())
            if (!(isRoot && index == ".metadata"))
                Prune(inner, child);
    }

    private static void Default(JsonObject schema, JsonNode? value)
    {
        if (value is JsonObject map)
            foreach (var (name, property) in Properties(schema) ?? [])
            {
                if (map.ContainsKey(name) && map[name] is null && !IsOn((JsonObject)property!, "nullable"))
                    map.Remove(name);
                if (!map.ContainsKey(name) && property!["default"] is { } standard)
                    map[name] = standard.DeepClone();
            }

        foreach (var (_, _, inner, child, _) in Inside(schema, value, null).ToList())
            Default(inner, child);
    }

    private static void Rules(JsonObject schema, JsonNode? value, JsonNode? old, string place, string path, List<SchemaViolation> found)
    {
        foreach (var (text, message) in RulesOf(schema))
        {
            var rule = CelRule.Compile(text);
            if (!(rule.IsTransition && old is null) && rule.Refusal(value, old) is { } why)
                found.Add(new SchemaViolation(Trimmed(place), $"rule {message}", Trimmed(path), why == "false" ? message : $"{message} ({why})"));
        }

        foreach (var (step, index, inner, child, before) in Inside(schema, value, old))
            Rules(inner, child, before, place + step, path + index, found);
    }

    private static void Keywords(JsonObject schema, JsonNode? value, string place, string path, List<SchemaViolation> found)
    {
        if (!HasType(schema, value))
        {
            Add("type", $"must be of type {(string?)schema["type"] ?? "integer or string"}");
            return;
        }

        foreach (var required in schema["required"] as JsonArray ?? [])
            if (value is JsonObject map && !map.ContainsKey((string)required!))
                Add($"required {required}", $"{required}: Required value");
        if (schema["enum"] is JsonArray choices && !choices.Any(c => JsonNode.DeepEquals(c, value)))
            Add("enum", $"supported values: {string.Join(", ", choices)}");
        if (value is JsonArray list && (int?)schema["maxItems"] < list.Count)
            Add("maxItems", $"must have at most {schema["maxItems"]} items");
        if (value is JsonValue scalar && scalar.GetValueKind() == JsonValueKind.Number)
        {
            if ((long?)schema["minimum"] > (double)scalar)
                Add("minimum", $"should be greater than or equal to {schema["minimum"]}");
            if ((long?)schema["maximum"] < (double)scalar)
                Add("maximum", $"should be less than or equal to {schema["maximum"]}");
        }
        else if (value is JsonValue text && text.GetValueKind() == JsonValueKind.String)
        {
            Text((string)text!);
        }

        foreach (var (step, index, inner, child, _) in Inside(schema, value, null))
            Keywords(inner, child, place + step, path + index, found);

        void Text(string s)
        {
            var length = s.EnumerateRunes().Count();
            if ((int?)schema["maxLength"] < length)
                Add("maxLength", $"may not be more than {schema["maxLength"]} characters");
            if ((int?)schema["minLength"] > length)
                Add("minLength", $"should be at least {schema["minLength"]} chars long");

            // To RE2 the end is the end; here it may be before a last line feed.
            if ((string?)schema["pattern"] is { } pattern && !Regex.IsMatch(s, pattern.EndsWith('$') ? pattern[..^1] + @"\z" : pattern, RegexOptions.CultureInvariant))
                Add("pattern", $"should match '{pattern}'");
            if ((string?)schema["format"] is { } format && !HasFormat(format, s))
                Add("format", $"must be of the format {format}");
        }

        void Add(string keyword, string message) => found.Add(new SchemaViolation(Trimmed(place), keyword, Trimmed(path), message));
    }

    private static bool HasType(JsonObject schema, JsonNode? value)
    {
        var kind = value?.GetValueKind() ?? JsonValueKind.Null;
        if (kind == JsonValueKind.Null)
            return IsOn(schema, "nullable");
        var isWhole = kind == JsonValueKind.Number && (value!.AsValue().TryGetValue<long>(out _) || (double)value! % 1 == 0);
        if (IsOn(schema, "x-kubernetes-int-or-string"))
            return isWhole || kind == JsonValueKind.String;
        return (string?)schema["type"] switch
        {
            "object" => kind == JsonValueKind.Object,
            "array" => kind == JsonValueKind.Array,
            "string" => kind == JsonValueKind.String,
            "integer" => isWhole,
            "number" => kind == JsonValueKind.Number,
            "boolean" => kind is JsonValueKind.True or JsonValueKind.False,
            null => IsOn(schema, "x-kubernetes-preserve-unknown-fields"),
            var other => throw new NotSupportedException($"type {other}"),
        };
    }

    private static bool HasFormat(string format, string text) => format switch
    {
        "date-time" => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out _) && text.Contains('T', StringComparison.Ordinal),
        "cidr" => text.Split('/') is [var address, var bits] && IPAddress.TryParse(address, out var ip) && !address.AsSpan().ContainsAny("[]%")
            && (ip.AddressFamily == AddressFamily.InterNetworkV6 || ip.ToString() == address)
            && int.TryParse(bits, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n <= (ip.AddressFamily == AddressFamily.InterNetwork ? 32 : 128),
        _ => true,
    };
}
