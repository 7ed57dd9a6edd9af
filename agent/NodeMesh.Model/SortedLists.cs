using System.Collections.Immutable;

namespace NodeMesh.Model;

/// <summary>Lists of one kind, sorted by name and without duplicates, as <see cref="MeshSnapshot"/> has them.</summary>
public static class SortedLists
{
    /// <summary>What differs between two of them; nothing is compared but references.</summary>
    /// <returns>Entries that are not the same object, as (old, new); null where there is none of that name.</returns>
    public static IEnumerable<(T? Old, T? New)> Difference<T>(ImmutableArray<T> old, ImmutableArray<T> next, Func<T, ObjectName> name)
        where T : class
    {
        if (old == next)
            yield break;
        var (i, j) = (0, 0);
        while (true)
        {
            var same = SameFrom(old.AsSpan()[i..], next.AsSpan()[j..]);
            (i, j) = (i + same, j + same);
            if (i == old.Length && j == next.Length)
                yield break;
            var order = i == old.Length ? 1 : j == next.Length ? -1 : name(old[i]).CompareTo(name(next[j]));
            yield return (order <= 0 ? old[i++] : null, order >= 0 ? next[j++] : null);
        }
    }

    /// <summary>How many of the first are the same objects: of ten thousand, nearly all.</summary>
    private static int SameFrom<T>(ReadOnlySpan<T> old, ReadOnlySpan<T> next)
        where T : class
    {
        var count = Math.Min(old.Length, next.Length);
        for (var i = 0; i < count; i++)
            if (!ReferenceEquals(old[i], next[i]))
                return i;
        return count;
    }
}
