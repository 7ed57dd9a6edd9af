using System.Globalization;

namespace NodeMesh.Sources.Translate;

/// <summary>Gateway API durations (GEP-2257): one to four of "h", "m", "s", "ms", each with one to five digits: "1h30m", "500ms", "0s".</summary>
internal static class Durations
{
    public static TimeSpan? Read(Value? value)
    {
        if (value is not { } v || v.Text() is not { } text)
            return null;
        if (TryParse(text, out var duration))
            return duration;
        v.Error("bad-duration", $"'{text}' is not a duration such as 10s, 500ms or 1m30s");
        return null;
    }

    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        var rest = text.AsSpan();
        var parts = 0;
        while (rest.Length > 0)
        {
            var digits = rest.IndexOfAnyExceptInRange('0', '9');
            if (digits is < 1 or > 5 || ++parts > 4)
                return false;
            var amount = int.Parse(rest[..digits], NumberStyles.None, CultureInfo.InvariantCulture);
            rest = rest[digits..];
            var unit = rest.StartsWith("ms", StringComparison.Ordinal) ? 2 : 1;
            TimeSpan? part = rest[..unit] switch
            {
                "ms" => TimeSpan.FromMilliseconds(amount),
                "s" => TimeSpan.FromSeconds(amount),
                "m" => TimeSpan.FromMinutes(amount),
                "h" => TimeSpan.FromHours(amount),
                _ => null,
            };
            if (part is not { } known)
                return false;
            duration += known;
            rest = rest[unit..];
        }
        return parts > 0;
    }
}
