using System.Collections.Immutable;

namespace NodeMesh.Model;

public enum SelectorOperator
{
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

/// <summary>One requirement of a selector; matchLabels entries are <c>In</c> with one value.</summary>
public sealed record Requirement(string Key, SelectorOperator Operator, ImmutableArray<string> Values)
{
    public bool Matches(ImmutableSortedDictionary<string, string> labels) => Operator switch
    {
        SelectorOperator.In => labels.TryGetValue(Key, out var v) && Values.Contains(v),
        SelectorOperator.NotIn => !labels.TryGetValue(Key, out var v) || !Values.Contains(v),
        SelectorOperator.Exists => labels.ContainsKey(Key),
        _ => !labels.ContainsKey(Key),
    };

    public override string ToString() => Operator switch
    {
        SelectorOperator.In when Values.Length == 1 => $"{Key}={Values[0]}",
        SelectorOperator.In => $"{Key} in ({string.Join(",", Values)})",
        SelectorOperator.NotIn => $"{Key} notin ({string.Join(",", Values)})",
        SelectorOperator.Exists => Key,
        _ => $"!{Key}",
    };
}

/// <summary>A metav1.LabelSelector: all requirements must hold; none selects everything. Requirements are sorted by key.</summary>
public sealed record LabelSelector(ImmutableArray<Requirement> Requirements)
{
    public static readonly LabelSelector Everything = new([]);

    public bool Matches(ImmutableSortedDictionary<string, string> labels)
    {
        foreach (var r in Requirements)
            if (!r.Matches(labels))
                return false;
        return true;
    }

    public override string ToString() => Requirements.Length == 0 ? "*" : string.Join(",", Requirements);
}
