using System.Text.RegularExpressions;

namespace NodeMesh.Sources.Translate;

/// <summary>Checks of HTTP values that routes and policies share.</summary>
internal static class HttpParts
{
    private const int MaxPath = 1024;
    private const int MaxRegex = 1024;
    private static readonly string[] Ambiguous = ["//", "/./", "/../", "%2f", "%2F", "#"];

    /// <summary>Paths are matched after normalization, so one that normalization would change could never match (Gateway API refuses the same).</summary>
    public static void CheckPath(Value at, string path)
    {
        if (path.Length == 0 || path[0] != '/')
            at.Error("bad-value", $"the path '{path}' must begin with '/'");
        else if (path.Length > MaxPath)
            at.Error("bad-value", $"the path has more than {MaxPath} characters");
        else if (path.EndsWith("/..", StringComparison.Ordinal) || path.EndsWith("/.", StringComparison.Ordinal) || Ambiguous.Any(path.Contains))
            at.Error("bad-value", $"the path '{path}' must not have '//', '.' or '..' as an element, '%2f' or '#': no request has such a path once it is normalized");
        else if (path.AsSpan().ContainsAnyExceptInRange('!', '~') || path.Contains('?'))
            at.Error("bad-value", $"the path '{path}' must be visible ASCII without '?'; write other characters percent-encoded");
    }

    /// <summary>"/a/" and "/a" are the same prefix.</summary>
    public static string TrimPrefix(string path) => path.Length > 1 ? path.TrimEnd('/') is { Length: > 0 } t ? t : "/" : path;

    /// <summary>RE2-like: what needs backtracking is refused, so a match takes time linear in the input.</summary>
    public static bool CheckRegex(Value at, string pattern)
    {
        if (pattern.Length is 0 or > MaxRegex)
        {
            at.Error("bad-regex", $"the expression must have 1 to {MaxRegex} characters");
            return false;
        }
        try
        {
            // As it stands, so that it cannot close a group that is not its own; then as the proxy matches it: the whole value.
            _ = new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
            _ = new Regex($@"\A(?:{pattern})\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
            return true;
        }
        catch (RegexParseException e)
        {
            at.Error("bad-regex", $"the expression is not valid at character {Math.Min(e.Offset, pattern.Length)}: {e.Error}");
        }
        catch (NotSupportedException)
        {
            at.Error("bad-regex", "the expression uses look-around, back references or too much repetition; only what RE2 can do is accepted");
        }
        return false;
    }

    /// <summary>Header fields that frame the message or belong to one hop are the proxy's: no filter may change them.</summary>
    public static bool IsFraming(string lowerName) => lowerName is "content-length" or "transfer-encoding" or "connection" or "keep-alive"
        or "proxy-connection" or "te" or "trailer" or "upgrade";

    /// <summary>The field 'name' in lower case.</summary>
    public static string? HeaderName(Fields header)
    {
        if (header.Require("name") is not { } value || value.Text() is not { } name)
            return null;
        if (Names.IsToken(name))
            return name.ToLowerInvariant();
        value.Error("bad-value", $"'{name}' is not a header's name");
        return null;
    }
}
