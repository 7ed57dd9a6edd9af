using System.Globalization;
using System.Net;
using Microsoft.Extensions.Logging;
using NodeMesh.Model;

namespace NodeMesh.Agent.Options;

internal enum TextFormat
{
    Text,
    Json,
}

internal enum AccessLogMode
{
    Off,
    Text,
    Json,
}

/// <summary>One row of --map-size.</summary>
internal readonly record struct MapSize(string Table, uint Rows);

/// <summary>How values of options are written.</summary>
internal static class OptionParsers
{
    public static bool Text(string text, out string value, out string why)
    {
        value = text;
        why = text.Length == 0 ? "must not be empty" : "";
        return why.Length == 0;
    }

    public static bool Url(string text, out string value, out string why)
    {
        value = text;
        why = "https://HOST:PORT expected";
        return Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is ("https" or "http") && url.Host.Length > 0;
    }

    public static bool Flag(string text, out bool value, out string why)
    {
        why = "true or false expected";
        return bool.TryParse(text, out value);
    }

    public static bool DenyResponse(string text, out bool reject, out string why) => Either(text, "reject", "drop", yes: "reject", out reject, out why);

    public static bool BeforePlan(string text, out bool open, out string why) => Either(text, "closed", "open", yes: "open", out open, out why);

    public static bool Address(string text, out IpAddr value, out string why)
    {
        why = "an IPv4 or IPv6 address expected";
        return IpAddr.TryParse(text, out value);
    }

    public static bool Block(string text, out IpPrefix value, out string why)
    {
        why = "a CIDR block expected, as 10.0.0.0/8 or fd00::/8";
        return IpPrefix.TryParse(text, out value);
    }

    public static bool Algorithm(string text, out Balancing value, out string why)
    {
        why = "random or maglev expected";
        value = text == "maglev" ? Balancing.Maglev : Balancing.Random;
        return text is "maglev" or "random";
    }

    /// <summary>Whether policies only count.</summary>
    public static bool Mode(string text, out bool value, out string why) => Either(text, "enforce", "audit", yes: "audit", out value, out why);

    public static bool Gate(string text, out CniGateMode value, out string why)
    {
        why = "off, fail-closed or fail-open expected";
        value = text switch { "fail-closed" => CniGateMode.FailClosed, "fail-open" => CniGateMode.FailOpen, _ => CniGateMode.Off };
        return text is "off" or "fail-closed" or "fail-open";
    }

    /// <summary>A prime from 3 to 131071.</summary>
    public static bool Prime(string text, out int value, out string why)
    {
        why = "a prime from 3 to 131071 expected, as 251, 1021, 4093 or 65537";
        return Number(3, 131071)(text, out value, out _) && IsPrime(value);
    }

    private static bool IsPrime(int number)
    {
        for (var divisor = 2; divisor * divisor <= number; divisor++)
            if (number % divisor == 0)
                return false;
        return true;
    }

    public static bool Socket(string text, out IPEndPoint value, out string why)
    {
        why = "ADDRESS:PORT expected, as 127.0.0.1:9464 or [::1]:9464";
        var good = IPEndPoint.TryParse(text, out var parsed) && parsed.Port != 0;
        value = good ? parsed! : new IPEndPoint(IPAddress.Loopback, 0);
        return good;
    }

    public static bool Port(string text, out ushort value, out string why)
    {
        why = "a port from 1 to 60999 expected (those above are kept for the proxy's own connections)";
        return ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value is > 0 and < 61000;
    }

    public static OptionParser<int> Number(int first, int last) => (string text, out int value, out string why) =>
    {
        why = $"a number from {first} to {last} expected";
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= first && value <= last;
    };

    /// <summary>"500ms", "30s", "5m", "6h": as Kubernetes writes durations, one unit.</summary>
    public static bool Duration(string text, out TimeSpan value, out string why)
    {
        why = "a duration expected, as 500ms, 30s, 5m or 6h";
        var unit = text.EndsWith("ms", StringComparison.Ordinal) ? "ms" : text.Length > 0 ? text[^1..] : "";
        var perUnit = unit switch { "ms" => 1L, "s" => 1000, "m" => 60_000, "h" => 3_600_000, _ => 0 };
        value = default;
        if (perUnit == 0 || !uint.TryParse(text.AsSpan(0, text.Length - unit.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return false;
        value = TimeSpan.FromMilliseconds(number * perUnit);
        return value <= TimeSpan.FromDays(365);
    }

    public static bool Level(string text, out LogLevel value, out string why)
    {
        why = "debug, info, warning or error expected";
        value = text switch { "debug" => LogLevel.Debug, "info" => LogLevel.Information, "warning" => LogLevel.Warning, "error" => LogLevel.Error, _ => LogLevel.None };
        return value != LogLevel.None;
    }

    public static bool Format(string text, out TextFormat value, out string why)
    {
        why = "text or json expected";
        value = text == "json" ? TextFormat.Json : TextFormat.Text;
        return text is "json" or "text";
    }

    public static bool AccessLog(string text, out AccessLogMode value, out string why)
    {
        why = "off, text or json expected";
        value = text switch { "json" => AccessLogMode.Json, "text" => AccessLogMode.Text, _ => AccessLogMode.Off };
        return text is "json" or "text" or "off";
    }

    /// <summary>Whether the table exists is for <see cref="AgentOptions"/> to say, which knows them.</summary>
    public static bool Size(string text, out MapSize value, out string why)
    {
        why = "NAME=ROWS expected, with 16 to 16777216 rows";
        value = default;
        var equals = text.IndexOf('=');
        if (equals <= 0 || !uint.TryParse(text.AsSpan(equals + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var rows) || rows is < 16 or > 16_777_216)
            return false;
        value = new MapSize(text[..equals], rows);
        if (MapTables.Find(value.Table) is not null)
            return true;
        why = $"there is no table {value.Table}; there are {string.Join(", ", MapTables.All.Select(t => t.Option))}";
        return false;
    }

    private static bool Either(string text, string one, string other, string yes, out bool value, out string why)
    {
        why = $"{one} or {other} expected";
        value = text == yes;
        return text == one || text == other;
    }
}
