using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace NodeMesh.Compiler;

/// <summary>Numbers that are a function of what they stand for: docs/adr/0001-content-derived-ids.md.</summary>
internal static class ContentIds
{
    /// <summary>A number in [<paramref name="first"/>, 2^32) for each distinct text, whatever their order.</summary>
    public static Dictionary<string, uint> Assign(IEnumerable<string> texts, uint first) => Assign(texts, first, Natural);

    /// <param name="natural">The number a text would like; a parameter so that a test can make texts collide.</param>
    internal static Dictionary<string, uint> Assign(IEnumerable<string> texts, uint first, Func<string, uint, uint> natural)
    {
        var ids = new Dictionary<string, uint>(StringComparer.Ordinal);
        var holders = new Dictionary<uint, string>();
        var losers = new List<string>();
        foreach (var text in texts)
        {
            if (!ids.TryAdd(text, 0))
                continue;
            var id = natural(text, first);
            if (holders.TryGetValue(id, out var holder))
            {
                var textIsSmaller = string.CompareOrdinal(text, holder) < 0;
                losers.Add(textIsSmaller ? holder : text);
                if (!textIsSmaller)
                    continue;
            }

            holders[id] = text;
            ids[text] = id;
        }

        // Only after everybody has asked for his own number: a loser must not take one that is somebody's by right.
        losers.Sort(StringComparer.Ordinal);
        foreach (var text in losers)
        {
            var id = natural(text, first);
            while (!holders.TryAdd(id, text))
                id = id == uint.MaxValue ? first : id + 1;
            ids[text] = id;
        }

        return ids;
    }

    private static uint Natural(string text, uint first)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(text), hash);
        var number = BinaryPrimitives.ReadUInt32BigEndian(hash);
        return number >= first ? number : (uint)(first + (number % (uint.MaxValue - first)));
    }
}
