using System.Collections;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace NodeMesh.Plan;

/// <summary>
/// Rows of one table, immutable. Tables made from one another share what they have in common, so a change costs a few rows whatever the size, and two of them
/// are compared at the cost of their difference (<see cref="AddDifference"/>). A hash trie in the canonical form of CHAMP: equal content is equal shape.
/// </summary>
public sealed partial class RowTable<TKey, TValue> : IReadOnlyDictionary<TKey, TValue>
    where TKey : notnull
{
    public static readonly RowTable<TKey, TValue> Empty = new(null, 0);

    private readonly Node? _root;

    private RowTable(Node? root, int count)
    {
        _root = root;
        Count = count;
    }

    public int Count { get; }

    public IEnumerable<TKey> Keys => this.Select(r => r.Key);

    public IEnumerable<TValue> Values => this.Select(r => r.Value);

    /// <exception cref="KeyNotFoundException">There is no such row.</exception>
    public TValue this[TKey key] => TryGetValue(key, out var value) ? value : throw new KeyNotFoundException($"there is no row {key}");

    public static implicit operator RowTable<TKey, TValue>(ImmutableDictionary<TKey, TValue> rows) => From(rows);

    /// <summary>All at once, which is cheaper than one by one.</summary>
    public static RowTable<TKey, TValue> From(IReadOnlyDictionary<TKey, TValue> rows)
    {
        var items = new Hashed[rows.Count];
        var i = 0;
        foreach (var row in rows)
            items[i++] = new Hashed(Hash(row.Key), row);
        return items.Length == 0 ? Empty : new RowTable<TKey, TValue>(Node.Of(items, new Hashed[items.Length], 0), items.Length);
    }

    public bool ContainsKey(TKey key) => TryGetValue(key, out _);

    public bool TryGetValue(TKey key, [MaybeNullWhen(false)] out TValue value)
    {
        if (_root is not null)
            return _root.TryGet(Hash(key), 0, key, out value);
        value = default;
        return false;
    }

    public RowTable<TKey, TValue> SetItem(TKey key, TValue value)
    {
        var builder = ToBuilder();
        builder.Set(key, value);
        return builder.ToTable();
    }

    public Builder ToBuilder() => new(this);

    /// <summary>Adds the keys that only one of the two has or that have another value there.</summary>
    public static void AddDifference(RowTable<TKey, TValue> a, RowTable<TKey, TValue> b, ICollection<TKey> to) => Node.Compare(a._root, b._root, 0, to);

    public IEnumerator<KeyValuePair<TKey, TValue>> GetEnumerator()
    {
        if (_root is null)
            yield break;
        var open = new Stack<Node>();
        open.Push(_root);
        while (open.TryPop(out var node))
        {
            foreach (var row in node.Rows)
                yield return row;
            foreach (var child in node.Children)
                open.Push(child);
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private static uint Hash(TKey key)
    {
        // Keys of a few small numbers hash to near neighbours; this spreads them.
        var h = (uint)key.GetHashCode() * 0x9E3779B1;
        h ^= h >> 15;
        return h * 0x85EBCA6B;
    }

    /// <summary>A table under change; the table it came from stays as it is.</summary>
    public sealed class Builder
    {
        private readonly RowTable<TKey, TValue> _from;
        private Node? _root;

        internal Builder(RowTable<TKey, TValue> from)
        {
            _from = from;
            _root = from._root;
            Count = from.Count;
        }

        public int Count { get; private set; }

        public bool TryGetValue(TKey key, [MaybeNullWhen(false)] out TValue value)
        {
            if (_root is not null)
                return _root.TryGet(Hash(key), 0, key, out value);
            value = default;
            return false;
        }

        public void Set(TKey key, TValue value)
        {
            var row = new KeyValuePair<TKey, TValue>(key, value);
            var isNew = _root is null;
            _root = _root is null ? Node.Single(Hash(key), 0, row) : _root.Set(Hash(key), 0, row, out isNew);
            if (isNew)
                Count++;
        }

        public bool Remove(TKey key)
        {
            if (_root is null)
                return false;
            var root = _root.Remove(Hash(key), 0, key);
            if (ReferenceEquals(root, _root))
                return false;
            _root = root.IsEmpty ? null : root;
            Count--;
            return true;
        }

        /// <summary>Does what makes <paramref name="to"/> of <paramref name="from"/>.</summary>
        public void Apply(RowTable<TKey, TValue> from, RowTable<TKey, TValue> to)
        {
            var keys = new List<TKey>();
            AddDifference(from, to, keys);
            foreach (var key in keys)
            {
                if (to.TryGetValue(key, out var value))
                    Set(key, value);
                else
                    Remove(key);
            }
        }

        /// <summary>The very table it came from where nothing changed.</summary>
        public RowTable<TKey, TValue> ToTable() =>
            ReferenceEquals(_root, _from._root) ? _from : _root is null ? Empty : new RowTable<TKey, TValue>(_root, Count);
    }
}
