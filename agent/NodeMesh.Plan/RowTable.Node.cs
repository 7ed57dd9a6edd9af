using System.Diagnostics.CodeAnalysis;
using System.Numerics;

namespace NodeMesh.Plan;

/// <remarks>The trie: each level takes five bits of the hash.</remarks>
public sealed partial class RowTable<TKey, TValue>
{
    private const int Bits = 5;
    private const int Fan = 1 << Bits;

    /// <summary>Past this all 32 bits of the hash are used up and keys are told apart one by one.</summary>
    private const int LastShift = 30;

    private readonly record struct Hashed(uint Hash, KeyValuePair<TKey, TValue> Row);

    /// <param name="rowMap">At which of the 32 places a row stands.</param>
    /// <param name="childMap">At which a node does. Both are unused past <see cref="LastShift"/>.</param>
    private sealed class Node(uint rowMap, uint childMap, KeyValuePair<TKey, TValue>[] rows, Node[] children)
    {
        private static readonly EqualityComparer<TKey> s_keys = EqualityComparer<TKey>.Default;
        private static readonly EqualityComparer<TValue> s_values = EqualityComparer<TValue>.Default;

        public KeyValuePair<TKey, TValue>[] Rows => rows;

        public Node[] Children => children;

        public bool IsEmpty => rows.Length == 0 && children.Length == 0;

        public static Node Single(uint hash, int shift, KeyValuePair<TKey, TValue> row) => new(Place(hash, shift), 0, [row], []);

        public static Node Of(Span<Hashed> items, Span<Hashed> scratch, int shift)
        {
            if (shift > LastShift)
                return new Node(0, 0, [.. items.ToArray().Select(i => i.Row)], []);
            Span<int> ends = stackalloc int[Fan];
            foreach (var item in items)
                ends[(int)(item.Hash >> shift) & (Fan - 1)]++;
            for (int place = 0, sum = 0; place < Fan; place++)
                (ends[place], sum) = (sum, sum + ends[place]);
            foreach (var item in items)
                scratch[ends[(int)(item.Hash >> shift) & (Fan - 1)]++] = item;
            scratch.CopyTo(items);

            var rowsHere = new List<KeyValuePair<TKey, TValue>>();
            var childrenHere = new List<Node>();
            uint rowBits = 0, childBits = 0;
            for (int place = 0, from = 0; place < Fan; from = ends[place++])
            {
                var count = ends[place] - from;
                if (count == 1)
                {
                    rowBits |= 1u << place;
                    rowsHere.Add(items[from].Row);
                }
                else if (count > 1)
                {
                    childBits |= 1u << place;
                    childrenHere.Add(Of(items.Slice(from, count), scratch.Slice(from, count), shift + Bits));
                }
            }

            return new Node(rowBits, childBits, [.. rowsHere], [.. childrenHere]);
        }

        public bool TryGet(uint hash, int shift, TKey key, [MaybeNullWhen(false)] out TValue value)
        {
            var node = this;
            while (shift <= LastShift)
            {
                var bit = Place(hash, shift);
                if (!node.TryChild(bit, out var child))
                    break;
                node = child;
                shift += Bits;
            }

            if (node.IndexOf(hash, shift, key) is var at && at >= 0)
            {
                value = node.Rows[at].Value;
                return true;
            }

            value = default;
            return false;
        }

        public Node Set(uint hash, int shift, KeyValuePair<TKey, TValue> row, out bool isNew)
        {
            isNew = false;
            var at = IndexOf(hash, shift, row.Key);
            if (at >= 0)
                return s_values.Equals(rows[at].Value, row.Value) ? this : new Node(rowMap, childMap, With(rows, at, row), children);

            if (shift > LastShift)
            {
                isNew = true;
                return new Node(0, 0, [.. rows, row], []);
            }

            var bit = Place(hash, shift);
            if ((childMap & bit) != 0)
            {
                var index = Index(childMap, bit);
                var child = children[index].Set(hash, shift + Bits, row, out isNew);
                return ReferenceEquals(child, children[index]) ? this : new Node(rowMap, childMap, rows, With(children, index, child));
            }

            isNew = true;
            if ((rowMap & bit) == 0)
                return new Node(rowMap | bit, childMap, Inserted(rows, Index(rowMap, bit), row), children);

            // The place is taken by another key: both go one level down.
            var there = Index(rowMap, bit);
            var below = Single(Hash(rows[there].Key), shift + Bits, rows[there]).Set(hash, shift + Bits, row, out _);
            return new Node(rowMap & ~bit, childMap | bit, Without(rows, there), Inserted(children, Index(childMap, bit), below));
        }

        /// <summary>Itself when it has no such row.</summary>
        public Node Remove(uint hash, int shift, TKey key)
        {
            var at = IndexOf(hash, shift, key);
            var bit = Place(hash, shift);
            if (at >= 0)
                return new Node(shift > LastShift ? 0 : rowMap & ~bit, childMap, Without(rows, at), children);
            if (shift > LastShift || (childMap & bit) == 0)
                return this;

            var index = Index(childMap, bit);
            var child = children[index].Remove(hash, shift + Bits, key);
            if (ReferenceEquals(child, children[index]))
                return this;

            // A node of one row is no node: its row moves up, so that the shape depends on the content alone.
            return child.Rows.Length == 1 && child.Children.Length == 0
                ? new Node(rowMap | bit, childMap & ~bit, Inserted(rows, Index(rowMap, bit), child.Rows[0]), Without(children, index))
                : new Node(rowMap, childMap, rows, With(children, index, child));
        }

        public static void Compare(Node? a, Node? b, int shift, ICollection<TKey> to)
        {
            if (ReferenceEquals(a, b))
                return;
            if (a is null || b is null || shift > LastShift)
            {
                CompareContent(a, b, to);
                return;
            }

            for (var places = a.Places | b.Places; places != 0; places &= places - 1)
            {
                var bit = places & (~places + 1);
                if (a.TryChild(bit, out var left) & b.TryChild(bit, out var right))
                    Compare(left, right, shift + Bits, to);
                else
                    CompareContent(left ?? a.RowAt(bit), right ?? b.RowAt(bit), to);
            }
        }

        private uint Places => rowMap | childMap;

        private static void CompareContent(Node? a, Node? b, ICollection<TKey> to)
        {
            var had = new Dictionary<TKey, TValue>();
            foreach (var row in new RowTable<TKey, TValue>(a, 0))
                had.Add(row.Key, row.Value);
            foreach (var row in new RowTable<TKey, TValue>(b, 0))
                if (!had.Remove(row.Key, out var value) || !s_values.Equals(value, row.Value))
                    to.Add(row.Key);
            foreach (var key in had.Keys)
                to.Add(key);
        }

        private Node? RowAt(uint bit) => (rowMap & bit) == 0 ? null : new Node(bit, 0, [rows[Index(rowMap, bit)]], []);

        private bool TryChild(uint bit, [NotNullWhen(true)] out Node? child)
        {
            child = (childMap & bit) == 0 ? null : children[Index(childMap, bit)];
            return child is not null;
        }

        private int IndexOf(uint hash, int shift, TKey key)
        {
            if (shift > LastShift)
                return Array.FindIndex(rows, r => s_keys.Equals(r.Key, key));
            var bit = Place(hash, shift);
            if ((rowMap & bit) == 0)
                return -1;
            var at = Index(rowMap, bit);
            return s_keys.Equals(rows[at].Key, key) ? at : -1;
        }

        private static uint Place(uint hash, int shift) => shift > LastShift ? 0 : 1u << ((int)(hash >> shift) & (Fan - 1));

        private static int Index(uint map, uint bit) => BitOperations.PopCount(map & (bit - 1));

        private static T[] With<T>(T[] array, int at, T item)
        {
            var copy = (T[])array.Clone();
            copy[at] = item;
            return copy;
        }

        private static T[] Inserted<T>(T[] array, int at, T item)
        {
            var copy = new T[array.Length + 1];
            Array.Copy(array, copy, at);
            copy[at] = item;
            Array.Copy(array, at, copy, at + 1, array.Length - at);
            return copy;
        }

        private static T[] Without<T>(T[] array, int at)
        {
            var copy = new T[array.Length - 1];
            Array.Copy(array, copy, at);
            Array.Copy(array, at + 1, copy, at, copy.Length - at);
            return copy;
        }
    }
}
