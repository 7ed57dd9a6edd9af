using System.Text;
using Ascii = System.Text.Ascii;

namespace NodeMesh.Proxy.Routing;

/// <summary>"*", "*.example.com" (one or more labels in front, as Gateway API has it) or an exact name.</summary>
internal readonly struct HostPattern
{
    private readonly byte[]? _exact;
    private readonly byte[]? _suffix;

    public HostPattern(string pattern)
    {
        if (pattern is "*" or "")
            return;
        if (pattern.StartsWith("*.", StringComparison.Ordinal))
            _suffix = Encoding.ASCII.GetBytes(pattern[1..]);
        else
            _exact = Encoding.ASCII.GetBytes(pattern);
    }

    public bool IsAny => _exact is null && _suffix is null;

    /// <param name="host">From <see cref="HostOf"/>.</param>
    public bool Matches(ReadOnlySpan<byte> host)
    {
        if (_exact is not null)
            return Ascii.EqualsIgnoreCase(host, _exact);
        return _suffix is null || (host.Length > _suffix.Length && Ascii.EqualsIgnoreCase(host[^_suffix.Length..], _suffix));
    }

    /// <summary>An authority without its port and without the dot that ends an absolute name.</summary>
    public static ReadOnlySpan<byte> HostOf(ReadOnlySpan<byte> authority)
    {
        var colon = authority.LastIndexOf((byte)':');
        if (colon >= 0 && authority[(colon + 1)..].IndexOf((byte)']') < 0)
            authority = authority[..colon];
        return authority.Length > 1 && authority[^1] == '.' ? authority[..^1] : authority;
    }
}
