using System.Text.RegularExpressions;
using NodeMesh.Native.Bpf;

namespace NodeMesh.AbiGen;

/// <param name="Name">C name, NM_REASON_POLICY_DENIED.</param>
/// <param name="IsDrop">The comment begins with "drop: ".</param>
internal sealed record ReasonText(string Name, long Value, string Text, bool IsDrop);

/// <summary>What the headers say and BTF does not: which types there ought to be, and the comments of the reasons.</summary>
internal sealed partial class AbiHeaders
{
    private const string ReasonEnum = "nm_reason";
    private const string ReasonCount = "NM_REASON_COUNT";

    private readonly Dictionary<string, string> _files;

    private AbiHeaders(Dictionary<string, string> files) => _files = files;

    [GeneratedRegex(@"^(?:struct|enum)\s+(nm_\w+)\s*\{", RegexOptions.Multiline)]
    private static partial Regex Definition();

    [GeneratedRegex(@"^\s*(NM_REASON_\w+)\s*=\s*\d+,\s*/\*\s*(drop: )?(.*?)\s*\*/", RegexOptions.Multiline)]
    private static partial Regex ReasonLine();

    public static AbiHeaders Read(string directory) =>
        new(Directory.GetFiles(directory, "*.h").ToDictionary(f => Path.GetFileName(f), File.ReadAllText));

    /// <exception cref="InvalidDataException">A type is defined in a header and missing in the object.</exception>
    public void RequireAllIn(BtfAbi abi)
    {
        var known = abi.Structs.Select(s => s.Name).Concat(abi.Enums.Select(e => e.Name)).ToHashSet();
        var missing = _files.Values.SelectMany(t => Definition().Matches(t)).Select(m => m.Groups[1].Value).Where(n => !known.Contains(n)).ToArray();
        if (missing.Length > 0)
            throw new InvalidDataException($"defined in the headers, not in the object: {string.Join(", ", missing)}. Cure: anchor them in bpf/prog/abi.bpf.c");
    }

    /// <summary>One per value of enum nm_reason, in the order of values.</summary>
    /// <exception cref="InvalidDataException">A reason without a comment, or a comment for no reason.</exception>
    public IReadOnlyList<ReasonText> ReasonTexts(BtfAbi abi)
    {
        var texts = ReasonLine().Matches(_files["reason.h"]).ToDictionary(m => m.Groups[1].Value, m => (Text: m.Groups[3].Value, IsDrop: m.Groups[2].Success));
        var values = abi.Enums.Single(e => e.Name == ReasonEnum).Values.Where(v => v.Name != ReasonCount).ToArray();

        var odd = values.Where(v => !texts.ContainsKey(v.Name)).Select(v => v.Name)
            .Concat(texts.Keys.Where(n => values.All(v => v.Name != n)))
            .ToArray();
        if (odd.Length > 0)
            throw new InvalidDataException($"reason.h and the object disagree about {string.Join(", ", odd)}");
        return values.OrderBy(v => v.Value).Select(v => new ReasonText(v.Name, v.Value, texts[v.Name].Text, texts[v.Name].IsDrop)).ToArray();
    }
}
