using System.Collections.Immutable;

namespace NodeMesh.Sources.World;

/// <summary>Sorted lists with a few entries changed, at the cost of a copy.</summary>
internal static class Merge
{
    /// <param name="old">Sorted by name, without duplicates.</param>
    /// <param name="changes">New entries by name; null removes.</param>
    /// <returns><paramref name="old"/> itself when every change says what is there already.</returns>
    public static ImmutableArray<T> Into<TKey, T>(ImmutableArray<T> old, SortedDictionary<TKey, T?> changes, Func<T, TKey> name)
        where TKey : struct, IComparable<TKey>
        where T : class
    {
        if (changes.Count == 0)
            return old;
        var result = ImmutableArray.CreateBuilder<T>(old.Length + changes.Count);
        var isOther = false;
        var at = 0;
        foreach (var (key, value) in changes)
        {
            var from = at;
            at = Find(old, at, key, name);
            result.AddRange(old.AsSpan()[from..at]);
            var was = at < old.Length && name(old[at]).CompareTo(key) == 0 ? old[at++] : null;
            isOther |= !ReferenceEquals(was, value);
            if (value is not null)
                result.Add(value);
        }

        result.AddRange(old.AsSpan()[at..]);
        return isOther ? result.DrainToImmutable() : old;
    }

    /// <summary>The first place at or after <paramref name="from"/> whose name is not below.</summary>
    private static int Find<TKey, T>(ImmutableArray<T> list, int from, TKey key, Func<T, TKey> name)
        where TKey : struct, IComparable<TKey>
    {
        var (low, high) = (from, list.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (name(list[middle]).CompareTo(key) < 0)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}
