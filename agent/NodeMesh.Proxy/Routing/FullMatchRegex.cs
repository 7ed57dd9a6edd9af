using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;

namespace NodeMesh.Proxy.Routing;

/// <summary>A user's expression that the whole value must match, in time linear in the value (no backtracking).</summary>
internal sealed class FullMatchRegex
{
    private readonly Regex? _regex;
    private readonly bool _whenBroken;

    /// <param name="whenBroken">What an expression that cannot be compiled answers. Such a one is reported where it is written and does not get
    /// here; should it, a rule that denies says true and all others false, so that nothing opens.</param>
    public FullMatchRegex(string pattern, bool whenBroken)
    {
        _whenBroken = whenBroken;
        try
        {
            _regex = new Regex($@"\A(?:{pattern})\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            _regex = null;
        }
    }

    public bool IsMatch(ReadOnlySpan<byte> value)
    {
        const int OnStack = 512;
        if (_regex is null)
            return _whenBroken;
        var rented = value.Length > OnStack ? ArrayPool<char>.Shared.Rent(value.Length) : null;
        var chars = rented ?? stackalloc char[OnStack];

        // Bytes as they are, one char each where they are not UTF-8, so that no value is beyond matching.
        if (!Encoding.UTF8.TryGetChars(value, chars, out var count))
            count = Encoding.Latin1.GetChars(value, chars);
        var matched = _regex.IsMatch(chars[..count]);
        if (rented is not null)
            ArrayPool<char>.Shared.Return(rented);
        return matched;
    }
}
