using NodeMesh.Model;
using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Translate;

namespace NodeMesh.Sources.World;

/// <summary>One object of one origin: as written last, and as last understood.</summary>
/// <param name="Good">The newest translation that could be used; null when there never was one.</param>
/// <param name="IsKept">The object is not in its origin any more, but what took its place could not be understood.</param>
internal sealed record Slot(ObjectSite Site, Translation Latest, object? Good, bool IsKept)
{
    public bool IsCurrent => Latest.Result is not null && !IsKept;
}

/// <summary>What one origin gave, and what of it is in use.</summary>
internal sealed class OriginState
{
    private Dictionary<ObjectRef, Slot> _slots = [];
    private List<Diagnostic> _problems = [];

    public IReadOnlyDictionary<ObjectRef, Slot> Slots => _slots;

    public IReadOnlyList<Diagnostic> Problems => _problems;

    public void Replace(OriginContent content, DateTimeOffset now)
    {
        var next = new Dictionary<ObjectRef, Slot>();
        var problems = new List<Diagnostic>(content.Problems);
        foreach (var obj in content.Objects)
        {
            if (next.TryGetValue(obj.Ref, out var first))
                problems.Add(Diagnostics.Duplicate(obj.Site(), first.Site.Location));
            else
                next.Add(obj.Ref, Renew(_slots.GetValueOrDefault(obj.Ref), obj, now));
        }

        foreach (var (key, slot) in _slots)
            if (slot.Good is not null && !next.ContainsKey(key) && (content.Unnamed || content.Foreign.Contains(key.Name)))
                next.Add(key, slot with { IsKept = true });
        (_slots, _problems) = (next, problems);
    }

    /// <summary>The origin cannot be read; all that it gave before stays.</summary>
    public void MarkBroken(Diagnostic problem)
    {
        var kept = _slots.Values.Count(s => s.Good is not null);
        var consequence = kept == 0 ? "nothing of the file is used" : $"the last good version of its {(kept == 1 ? "object" : $"{kept} objects")} stays in force";
        _problems = [problem.Consequence.Length > 0 ? problem : problem with { Consequence = consequence }];
    }

    private static Slot Renew(Slot? old, ApiObject obj, DateTimeOffset now)
    {
        var site = obj.Site();
        if (old is { IsKept: false } && old.Site == site)
            return old;
        var translation = Translator.Translate(obj, now);
        return new Slot(site, translation, translation.Result ?? old?.Good, false);
    }
}
