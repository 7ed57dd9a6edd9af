using System.Globalization;
using System.Text;

namespace NodeMesh.AbiGen;

/// <summary>Writes docs/reasons.md.</summary>
internal static class ReasonsPage
{
    public static string Write(IReadOnlyList<ReasonText> reasons)
    {
        var text = new StringBuilder("""
            # Reasons

            Why a packet or connection was counted. The label is the value of `reason` in metrics and flows. Written from
            `bpf/include/nm/abi/reason.h` by `make abi`; do not edit.

            | value | label | refused | meaning |
            |---|---|---|---|

            """);
        foreach (var reason in reasons)
            text.Append(CultureInfo.InvariantCulture, $"| {reason.Value} | `{Names.Label(reason.Name, "NM_REASON_")}` | {(reason.IsDrop ? "yes" : "")} | {reason.Text} |\n");
        return text.ToString();
    }
}
