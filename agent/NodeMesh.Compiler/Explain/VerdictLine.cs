using System.Globalization;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Explain;

/// <param name="First">The first point of which this holds, up to the next step's.</param>
internal readonly record struct VerdictStep(int First, VerdictEntry Entry, HttpPolicyPlan? Http);

/// <summary>
/// The verdicts of one set and class as steps over a line: protocol 0 to 255 and, within each, port 0 to 65535 (of ICMP: type and code) make one number. On a
/// line two tables are compared step by step, with no port looked at by itself.
/// </summary>
internal static class VerdictLine
{
    public const int End = 256 << 16;

    private static readonly VerdictStep[] s_open = [new(0, new VerdictEntry { Verdict = (byte)Verdict.Allow }, null)];

    /// <param name="rows">The rows of the set, class and direction; none: everything is allowed, as without a set.</param>
    public static VerdictStep[] Of(IEnumerable<KeyValuePair<VerdictKey, VerdictEntry>> rows, RowTable<VerdictKey, HttpPolicyPlan> http)
    {
        var blocks = rows.Select(r => (Range: RangeOf(r.Key), r.Value, Http: http.GetValueOrDefault(r.Key))).OrderByDescending(b => b.Range.Last - b.Range.First).ToList();
        if (blocks.Count == 0)
            return s_open;
        var starts = new SortedSet<int>(blocks.Select(b => b.Range.First).Concat(blocks.Select(b => b.Range.Last + 1))) { 0 };
        starts.Remove(End);

        // Blocks nest, widest first: what is written last is the longest prefix.
        var at = starts.ToArray();
        var steps = at.Select(first => new VerdictStep(first, default, null)).ToArray();
        foreach (var (range, entry, rules) in blocks)
            for (var i = Array.BinarySearch(at, range.First); i < at.Length && at[i] <= range.Last; i++)
                steps[i] = new VerdictStep(at[i], entry, rules);
        return steps;
    }

    public static VerdictStep At(VerdictStep[] line, int point)
    {
        var (low, high) = (0, line.Length - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (line[middle].First <= point)
                low = middle;
            else
                high = middle - 1;
        }

        return line[low];
    }

    /// <summary>"8080/TCP", "1-79/UDP", "SCTP", "ICMP type 8", "everything", joined by commas.</summary>
    /// <param name="last">Included.</param>
    public static string Text(int first, int last)
    {
        if (first == 0 && last == End - 1)
            return "everything";
        var parts = new List<string>();
        while (first <= last)
        {
            var protocol = first >> 16;
            var end = Math.Min(last, ((protocol + 1) << 16) - 1);
            var whole = (first & 0xffff) == 0 && (end & 0xffff) == 0xffff;
            if (whole)
            {
                // Runs of whole protocols that have no name are one word.
                var to = protocol;
                while (!IsNamed(protocol) && to + 1 < 256 && !IsNamed(to + 1) && ((to + 2) << 16) - 1 <= last)
                    to++;
                parts.Add(to == protocol ? Name(protocol) : string.Create(CultureInfo.InvariantCulture, $"protocols {protocol}-{to}"));
                end = ((to + 1) << 16) - 1;
            }
            else
            {
                parts.Add(Part(protocol, first & 0xffff, end & 0xffff));
            }

            first = end + 1;
        }

        return string.Join(", ", parts);
    }

    private static (int First, int Last) RangeOf(VerdictKey key)
    {
        if (key.PrefixBits < (uint)VerdictBits.Proto)
            return (0, End - 1);
        var free = (int)((uint)VerdictBits.Full - key.PrefixBits);
        var first = (key.Proto << 16) | key.PortBe.ToHost();
        return (first, first + (1 << free) - 1);
    }

    private static string Part(int protocol, int first, int last)
    {
        if (protocol is (int)Protocol.Icmp or (int)Protocol.Icmpv6)
        {
            var types = first >> 8 == last >> 8 ? $"type {Number(first >> 8)}" : $"types {Number(first >> 8)}-{Number(last >> 8)}";
            return (first & 0xff) == 0 && (last & 0xff) == 0xff ? $"{Name(protocol)} {types}" : $"{Name(protocol)} {types} code {Number(first & 0xff)}-{Number(last & 0xff)}";
        }

        return first == last ? $"{Number(first)}/{Name(protocol)}" : $"{Number(first)}-{Number(last)}/{Name(protocol)}";
    }

    private static bool IsNamed(int protocol) => protocol != 0 && Enum.IsDefined((Protocol)protocol);

    private static string Name(int protocol) => (Protocol)protocol switch
    {
        Protocol.Icmpv6 => "ICMPv6",
        _ when IsNamed(protocol) => ((Protocol)protocol).ToString().ToUpperInvariant(),
        _ => $"protocol {Number(protocol)}",
    };

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
