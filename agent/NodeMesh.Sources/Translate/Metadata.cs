using System.Collections.Immutable;
using System.Globalization;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>metav1.ObjectMeta, as far as the mesh reads it.</summary>
/// <param name="Deleting">deletionTimestamp is set.</param>
/// <param name="Uid">Empty in files, mostly.</param>
internal sealed record Metadata(
    ImmutableSortedDictionary<string, string> Labels,
    ImmutableSortedDictionary<string, string> Annotations,
    DateTimeOffset? CreatedAt,
    bool Deleting,
    string Uid)
{
    public static readonly ImmutableSortedDictionary<string, string> NoLabels = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    public static readonly Metadata Empty = new(NoLabels, NoLabels, null, false, "");

    /// <summary>Reads and checks apiVersion, kind and metadata of any object.</summary>
    public static Metadata Read(Fields root, ApiObject obj)
    {
        root.Ignore("kind");
        if (root.Get("apiVersion") is { } version && version.Text() is { } text && !obj.Kind.Accepts(text))
            version.Error("wrong-api-version", $"{obj.Kind.Kind} of {text} is not read here; write {obj.Kind.Preferred}");

        using var meta = root.Map("metadata");
        if (meta is null)
            return Empty;
        meta.Ignore("managedFields", "resourceVersion", "generation", "generateName", "selfLink", "ownerReferences", "finalizers",
            "deletionGracePeriodSeconds");

        if (meta.Get("name") is { } name && name.Text() is { } n)
            CheckName(name, n, obj.Kind);
        if (meta.Get("namespace") is { } ns && ns.Text() is { } nsText)
        {
            if (!obj.Kind.Namespaced)
                ns.Error("bad-namespace", $"a {obj.Kind.Kind} belongs to no namespace; remove the field");
            else if (!Names.IsLabel(nsText))
                ns.Error("bad-name", $"'{nsText}' is not a namespace's name: {Names.LabelForm}");
        }

        return new Metadata(
            ReadLabels(meta.Map("labels")),
            ReadAnnotations(meta.Map("annotations")),
            meta.Get("creationTimestamp") is { } created ? Timestamp(created) : null,
            meta.Has("deletionTimestamp"),
            meta.Text("uid") ?? "");
    }

    public static DateTimeOffset? Timestamp(Value value)
    {
        if (value.Text() is not { } text)
            return null;
        if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time))
            return time;
        value.Error("bad-value", $"'{text}' is not a time such as 2026-01-31T12:00:00Z");
        return null;
    }

    public static ImmutableSortedDictionary<string, string> ReadLabels(Fields? fields)
    {
        if (fields is null)
            return NoLabels;
        var labels = NoLabels.ToBuilder();
        foreach (var (key, value) in fields.Entries())
        {
            if (!Names.IsQualified(key))
                value.Error("bad-label", $"'{key}' is not a label's key: letters, digits, '-', '_' and '.', at most 63, after an optional 'domain/'");
            if (value.Text() is not { } text)
                continue;
            if (!Names.IsLabelValue(text))
                value.Error("bad-label", $"'{text}' is not a label's value: letters, digits, '-', '_' and '.', at most 63, beginning and ending with a letter or digit");
            labels[key] = text;
        }
        return labels.ToImmutable();
    }

    private static ImmutableSortedDictionary<string, string> ReadAnnotations(Fields? fields)
    {
        if (fields is null)
            return NoLabels;
        var annotations = NoLabels.ToBuilder();
        foreach (var (key, value) in fields.Entries())
            if (value.Text() is { } text)
                annotations[key] = text;
        return annotations.ToImmutable();
    }

    private static void CheckName(Value value, string name, KindInfo kind)
    {
        var isLabel = kind == Kinds.Namespace || kind == Kinds.Service;
        if (!(isLabel ? Names.IsLabel(name) : Names.IsSubdomain(name)))
            value.Error("bad-name", $"'{name}' is not a {kind.Kind}'s name: {(isLabel ? Names.LabelForm : Names.SubdomainForm)}");
    }
}
