using System.Buffers;

namespace NodeMesh.Sources.Translate;

/// <summary>The forms of names that Kubernetes accepts (k8s.io/apimachinery/pkg/util/validation). Pure predicates.</summary>
internal static class Names
{
    public const string LabelForm = "lower case letters, digits and '-', at most 63, beginning and ending with a letter or digit";
    public const string SubdomainForm = "lower case letters, digits, '-' and '.', at most 253, beginning and ending with a letter or digit";
    public const string PortForm = "lower case letters, digits and '-', at most 15, with at least one letter";

    private static readonly SearchValues<char> TokenChars =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    /// <summary>RFC 1123 label.</summary>
    public static bool IsLabel(string s)
    {
        if (s.Length is 0 or > 63 || s[0] == '-' || s[^1] == '-')
            return false;
        foreach (var c in s)
            if (c is not ((>= 'a' and <= 'z') or (>= '0' and <= '9') or '-'))
                return false;
        return true;
    }

    /// <summary>RFC 1123 subdomain.</summary>
    public static bool IsSubdomain(string s) => s.Length is > 0 and <= 253 && s.Split('.').All(IsLabel);

    /// <summary>RFC 6335 service name, as ports are named.</summary>
    public static bool IsPortName(string s) =>
        s.Length <= 15 && IsLabel(s) && s.AsSpan().ContainsAnyInRange('a', 'z') && !s.Contains("--", StringComparison.Ordinal);

    /// <summary>"name" or "prefix.example.com/name" (a label's or annotation's key).</summary>
    public static bool IsQualified(string s)
    {
        var slash = s.IndexOf('/');
        if (slash >= 0 && !IsSubdomain(s[..slash]))
            return false;
        var name = s[(slash + 1)..];
        return name.Length > 0 && IsLabelValue(name);
    }

    /// <summary>May be empty.</summary>
    public static bool IsLabelValue(string s)
    {
        if (s.Length == 0)
            return true;
        if (s.Length > 63 || !char.IsAsciiLetterOrDigit(s[0]) || !char.IsAsciiLetterOrDigit(s[^1]))
            return false;
        foreach (var c in s)
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.'))
                return false;
        return true;
    }

    /// <summary>An HTTP token (RFC 9110, 5.6.2): header names and methods.</summary>
    public static bool IsToken(string s) => s.Length is > 0 and <= 256 && !s.AsSpan().ContainsAnyExcept(TokenChars);

    /// <summary>A host as Gateway API has it: a subdomain, or "*." before one; no address, no port.</summary>
    public static bool IsHostname(string s, bool wildcard)
    {
        if (wildcard && s.StartsWith("*.", StringComparison.Ordinal))
            s = s[2..];
        return IsSubdomain(s) && !Model.IpAddr.TryParse(s, out _);
    }

    /// <summary>A header's value: visible characters, spaces and tabs inside (RFC 9110, 5.5). What could split a message is never let through.</summary>
    public static bool IsHeaderValue(string s)
    {
        if (s.Length > 4096)
            return false;
        foreach (var c in s)
            if (c is (< ' ' and not '\t') or '\x7f' or > '\xff')
                return false;
        return s.Length == 0 || (s[0] is not (' ' or '\t') && s[^1] is not (' ' or '\t'));
    }
}
