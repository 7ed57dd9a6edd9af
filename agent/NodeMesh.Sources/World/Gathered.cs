using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.World;

/// <summary>An object in use and where it stands.</summary>
internal readonly record struct Entry<T>(ObjectSite Source, T Value);

/// <summary>
/// The objects in use, sorted by name, each kind and name once, and only those whose namespace exists. Follows the origins as they change, at the cost of
/// what changed; it is a function of what the origins hold now, whatever came before.
/// </summary>
internal sealed class Gathered
{
    private readonly Dictionary<ObjectRef, Candidate> _candidates = [];
    private readonly Dictionary<KindInfo, KindTable> _byKind = [];
    private readonly HashSet<string> _namespaces = new(StringComparer.Ordinal);
    private readonly HashSet<ObjectRef> _touched = [];
    private readonly Findings<ObjectRef> _findings = new();
    private readonly Findings<string> _problems = new();

    /// <summary>One origin's version of an object; those of one object are chained, the one to use first.</summary>
    private sealed class Candidate(string origin, Slot slot)
    {
        public Slot Slot => slot;

        public Candidate? Next { get; private set; }

        /// <returns>The first of the chain now.</returns>
        public static Candidate Add(Candidate? first, Candidate one)
        {
            if (first is null || one.IsBefore(first))
            {
                one.Next = first;
                return one;
            }

            var at = first;
            while (at.Next is { } next && !one.IsBefore(next))
                at = next;
            (one.Next, at.Next) = (at.Next, one);
            return first;
        }

        /// <returns>The first of the chain now; null when none is left.</returns>
        public static Candidate? Remove(Candidate first, string origin)
        {
            if (first.IsOf(origin))
                return first.Next;
            var at = first;
            while (at.Next is { } next && !next.IsOf(origin))
                at = next;
            at.Next = at.Next?.Next;
            return first;
        }

        private bool IsOf(string other) => origin == other;

        /// <summary>An object that is only kept gives way to one that is written somewhere; else the first path wins.</summary>
        private bool IsBefore(Candidate other) => slot.IsKept != other.Slot.IsKept ? other.Slot.IsKept : string.CompareOrdinal(origin, other.Origin) < 0;

        private string Origin => origin;
    }

    /// <summary>What changed since the last <see cref="Settle()"/> was asked for, by kind.</summary>
    private sealed class KindTable
    {
        public SortedDictionary<ObjectName, Entry<object>> Rows { get; } = [];

        public HashSet<ObjectName> Changed { get; } = [];
    }

    /// <summary>Grows by one whenever a diagnostic comes or goes.</summary>
    public int DiagnosticsVersion => _findings.Version + _problems.Version;

    public IEnumerable<Diagnostic> Diagnostics => _problems.All.Concat(_findings.All);

    /// <summary>An origin holds other slots or has other problems now.</summary>
    public void Replace(
        string origin, IReadOnlyDictionary<ObjectRef, Slot> before, IReadOnlyDictionary<ObjectRef, Slot> after, IReadOnlyList<Diagnostic> problems)
    {
        _problems.Set(origin, problems);
        foreach (var (key, slot) in before)
        {
            if (after.TryGetValue(key, out var kept) && ReferenceEquals(kept, slot))
                continue;
            if (Candidate.Remove(_candidates[key], origin) is { } others)
                _candidates[key] = others;
            else
                _candidates.Remove(key);
            _touched.Add(key);
        }

        foreach (var (key, slot) in after)
        {
            if (before.TryGetValue(key, out var had) && ReferenceEquals(had, slot))
                continue;
            _candidates[key] = Candidate.Add(_candidates.GetValueOrDefault(key), new Candidate(origin, slot));
            _touched.Add(key);
        }
    }

    /// <summary>Brings the tables up to date. False when nothing was touched.</summary>
    public bool Settle()
    {
        foreach (var table in _byKind.Values)
            table.Changed.Clear();
        if (_touched.Count == 0)
            return false;

        var namespaces = _touched.Where(r => r.Kind == Kinds.Namespace.Kind).Select(r => r.Name.Name).Where(IsNamespaceOtherNow).ToHashSet(StringComparer.Ordinal);
        _namespaces.SymmetricExceptWith(namespaces);
        if (namespaces.Count > 0)
            _touched.UnionWith(_candidates.Keys.Where(r => namespaces.Contains(r.Name.Namespace)));

        foreach (var touched in _touched)
            Settle(touched);
        _touched.Clear();
        return true;
    }

    public IEnumerable<Entry<T>> Of<T>(KindInfo kind) =>
        _byKind.TryGetValue(kind, out var table) ? table.Rows.Values.Select(e => new Entry<T>(e.Source, (T)e.Value)) : [];

    /// <summary>The object, if it is in use.</summary>
    public Entry<T>? Find<T>(KindInfo kind, ObjectName name) =>
        _byKind.TryGetValue(kind, out var table) && table.Rows.TryGetValue(name, out var e) ? new Entry<T>(e.Source, (T)e.Value) : null;

    /// <summary>What came, went or changed at the last <see cref="Settle()"/>.</summary>
    public IReadOnlyCollection<ObjectName> Changed(KindInfo kind) => _byKind.TryGetValue(kind, out var table) ? table.Changed : [];

    public bool HasChanged(params ReadOnlySpan<KindInfo> kinds)
    {
        foreach (var kind in kinds)
            if (Changed(kind).Count > 0)
                return true;
        return false;
    }

    private bool IsNamespaceOtherNow(string name) =>
        (_candidates.TryGetValue(new ObjectRef(Kinds.Namespace.Kind, new ObjectName("", name)), out var first) && first.Slot.Good is not null) != _namespaces.Contains(name);

    private void Settle(ObjectRef key)
    {
        var findings = new List<Diagnostic>();
        if (!_candidates.TryGetValue(key, out var chosen))
        {
            _findings.Set(key, findings);
            foreach (var table in _byKind.Values)
                if (table.Rows.TryGetValue(key.Name, out var old) && old.Source.Ref == key && table.Rows.Remove(key.Name))
                    table.Changed.Add(key.Name);
            return;
        }

        var slot = chosen.Slot;
        findings.AddRange(World.Diagnostics.Of(slot));
        for (var other = chosen.Next; other is not null; other = other.Next)
            if (!other.Slot.IsKept)
                findings.Add(World.Diagnostics.Duplicate(other.Slot.Site, slot.Site.Location));
        var isHomeless = slot.Good is not null && slot.Site.Kind.Namespaced && !_namespaces.Contains(key.Name.Namespace);
        if (isHomeless)
            findings.Add(new Diagnostic("missing-namespace", Severity.Error, key, "metadata.namespace",
                $"there is no Namespace '{key.Name.Namespace}'; add the object or change the namespace", World.Diagnostics.LeftOut, slot.Site.Location));
        _findings.Set(key, findings);
        Use(slot.Site.Kind, key.Name, slot.Good is { } good && !isHomeless ? new Entry<object>(slot.Site, good) : null);
    }

    private void Use(KindInfo kind, ObjectName name, Entry<object>? entry)
    {
        if (!_byKind.TryGetValue(kind, out var table))
            _byKind.Add(kind, table = new KindTable());
        if (entry is { } used)
        {
            if (table.Rows.TryGetValue(name, out var old) && ReferenceEquals(old.Value, used.Value) && old.Source == used.Source)
                return;
            table.Rows[name] = used;
            table.Changed.Add(name);
        }
        else if (table.Rows.Remove(name))
        {
            table.Changed.Add(name);
        }
    }
}
