using NodeMesh.Plan;

namespace NodeMesh.Compiler;

/// <summary>Things with how often each is wanted, immutable: what nobody wants any more is not in it.</summary>
internal sealed record Tally<T>(RowTable<T, int> Counts)
    where T : notnull
{
    public static readonly Tally<T> Empty = new(RowTable<T, int>.Empty);

    public static Tally<T> Of(IEnumerable<T> items) => new(RowTable<T, int>.From(items.ToDictionary(i => i, _ => 1)));

    public IEnumerable<T> Items => Counts.Keys;

    public int Count => Counts.Count;

    public bool Contains(T item) => Counts.ContainsKey(item);

    /// <param name="changed">Gets what came and what went; not what is only wanted more or less often.</param>
    public Tally<T> With(IEnumerable<T> more, IEnumerable<T> less, ISet<T> changed)
    {
        var counts = Counts.ToBuilder();
        foreach (var item in more)
            counts.Set(item, counts.TryGetValue(item, out var count) ? count + 1 : 1);
        foreach (var item in less)
        {
            counts.TryGetValue(item, out var count);
            if (count > 1)
                counts.Set(item, count - 1);
            else
                counts.Remove(item);
        }

        var touched = new List<T>();
        var now = counts.ToTable();
        RowTable<T, int>.AddDifference(Counts, now, touched);
        changed.UnionWith(touched.Where(t => Counts.ContainsKey(t) != now.ContainsKey(t)));
        return touched.Count == 0 ? this : new Tally<T>(now);
    }
}
