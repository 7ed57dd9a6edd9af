using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.World;

/// <summary>Findings as the user sees them. Pure.</summary>
internal static class Diagnostics
{
    public const string LeftOut = "the object is left out";
    public const string LastGood = "the last good version stays in force";

    public static Diagnostic Duplicate(ObjectSite obj, SourceLocation first) =>
        new("duplicate", Severity.Error, obj.Ref, "metadata.name", $"the same object is at {first} already; remove or rename one",
            "the first one stays in force, this one is ignored", obj.Location);

    public static IEnumerable<Diagnostic> Of(Slot slot)
    {
        var obj = slot.Site;
        if (slot.IsKept)
            yield return new Diagnostic("vanished", Severity.Warning, obj.Ref, "",
                "the object is no longer in its file, where a document could not be told apart; mend that document or remove it", LastGood, obj.Location);
        foreach (var f in slot.Latest.Findings)
            yield return new Diagnostic(f.Code, f.Severity, obj.Ref, f.Path, f.Message,
                f.Fatal ? slot.Good is null ? LeftOut : LastGood : f.Consequence, obj.Location with { Line = f.Line });
    }

    public static int Compare(Diagnostic a, Diagnostic b)
    {
        var (x, y) = (a.Location ?? default, b.Location ?? default);
        var c = string.CompareOrdinal(x.File, y.File);
        c = c != 0 ? c : x.Document.CompareTo(y.Document);
        c = c != 0 ? c : x.Line.CompareTo(y.Line);
        c = c != 0 ? c : string.CompareOrdinal(a.Object.Kind, b.Object.Kind);
        c = c != 0 ? c : a.Object.Name.CompareTo(b.Object.Name);
        c = c != 0 ? c : string.CompareOrdinal(a.FieldPath, b.FieldPath);
        c = c != 0 ? c : string.CompareOrdinal(a.Code, b.Code);
        return c != 0 ? c : string.CompareOrdinal(a.Message, b.Message);
    }
}
