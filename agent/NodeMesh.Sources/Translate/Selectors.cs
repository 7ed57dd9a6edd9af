using System.Collections.Immutable;
using NodeMesh.Model;

namespace NodeMesh.Sources.Translate;

/// <summary>metav1.LabelSelector.</summary>
internal static class Selectors
{
    /// <summary>Everything when <paramref name="value"/> is absent or empty.</summary>
    /// <param name="most">How many expressions a selector may have, and how many values each of them.</param>
    public static LabelSelector Read(Value? value, (int Expressions, int Values)? most = null)
    {
        using var fields = value?.Map();
        if (fields is null)
            return LabelSelector.Everything;

        var requirements = new List<Requirement>();
        foreach (var (key, text) in Metadata.ReadLabels(fields.Map("matchLabels")))
            requirements.Add(new Requirement(key, SelectorOperator.In, [text]));
        var (mostExpressions, mostValues) = most ?? (int.MaxValue, int.MaxValue);
        foreach (var item in fields.Items("matchExpressions", mostExpressions))
            if (Expression(item, mostValues) is { } r)
                requirements.Add(r);
        return Of(requirements);
    }

    /// <summary>A Service's selector, which is a plain map.</summary>
    public static LabelSelector FromLabels(ImmutableSortedDictionary<string, string> labels) =>
        Of(labels.Select(l => new Requirement(l.Key, SelectorOperator.In, [l.Value])));

    /// <summary>Namespaces by a selector; an empty one selects all of them.</summary>
    public static NamespaceMatch Namespaces(Value? value, (int Expressions, int Values)? most = null)
    {
        var selector = Read(value, most);
        return selector.Requirements.Length == 0 ? NamespaceMatch.All : new NamespaceMatch(null, selector);
    }

    private static LabelSelector Of(IEnumerable<Requirement> requirements)
    {
        var sorted = requirements.OrderBy(r => r.Key, StringComparer.Ordinal).ThenBy(r => r.Operator)
            .ThenBy(r => string.Join(',', r.Values), StringComparer.Ordinal).ToImmutableArray();
        return sorted.Length == 0 ? LabelSelector.Everything : new LabelSelector(sorted);
    }

    private static Requirement? Expression(Value item, int mostValues)
    {
        using var e = item.Map();
        if (e is null)
            return null;
        var key = e.Require("key");
        var keyText = key?.Text();
        if (keyText is not null && !Names.IsQualified(keyText))
            key!.Value.Error("bad-label", $"'{keyText}' is not a label's key");
        var op = e.Require("operator")?.OneOf("In", "NotIn", "Exists", "DoesNotExist");
        var values = new List<string>();
        foreach (var v in e.Items("values", mostValues))
        {
            if (v.Text() is not { } text)
                continue;
            if (!Names.IsLabelValue(text))
                v.Error("bad-label", $"'{text}' is not a label's value");
            values.Add(text);
        }

        if (keyText is null || op is null)
            return null;
        if (op is "In" or "NotIn" && values.Count == 0)
            e.Error("missing-field", $"the operator {op} needs at least one entry in 'values'");
        if (op is "Exists" or "DoesNotExist" && values.Count > 0)
            e.Error("bad-value", $"the operator {op} takes no 'values'; remove them");
        var distinct = values.Distinct().Order(StringComparer.Ordinal).ToImmutableArray();
        return new Requirement(keyText, Enum.Parse<SelectorOperator>(op), distinct);
    }
}
