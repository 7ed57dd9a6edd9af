using System.Text;
using NodeMesh.Model;
using MatchType = NodeMesh.Model.MatchType;

namespace NodeMesh.Proxy.Routing;

/// <summary>A <see cref="StringMatch"/> over bytes, made ready once per plan.</summary>
internal sealed class ValueMatcher
{
    private readonly MatchType _type;
    private readonly byte[] _bytes;
    private readonly FullMatchRegex? _regex;

    /// <param name="value">A path prefix loses its final slash: "/a/" and "/a" are the same prefix.</param>
    /// <param name="whenBroken">See <see cref="FullMatchRegex"/>.</param>
    public ValueMatcher(MatchType type, string value, bool whenBroken = false)
        : this(type, Encoding.UTF8.GetBytes(value), type == MatchType.Regex ? new FullMatchRegex(value, whenBroken) : null)
    {
    }

    private ValueMatcher(MatchType type, byte[] bytes, FullMatchRegex? regex)
    {
        _type = type;
        _bytes = type == MatchType.PathPrefix && bytes.Length > 0 && bytes[^1] == '/' ? bytes[..^1] : bytes;
        _regex = regex;
    }

    /// <summary>Length of the prefix without its final slash; 0 for other kinds.</summary>
    public int PrefixLength => _type == MatchType.PathPrefix ? _bytes.Length : 0;

    /// <summary>A policy's path, in the same normal form as the paths it is compared with.</summary>
    public static ValueMatcher ForPolicyPath(StringMatch match, bool whenBroken)
    {
        if (match.Type == MatchType.Regex)
            return new ValueMatcher(match.Type, match.Value, whenBroken);
        var raw = Encoding.UTF8.GetBytes(match.Value);
        var normal = new byte[raw.Length];
        return PathNormalizer.Run(raw, normal, out var length) == PathVerdict.Normal
            ? new ValueMatcher(match.Type, normal[..length], null)
            : new ValueMatcher(match.Type, raw, null);
    }

    public bool Matches(ReadOnlySpan<byte> value) => _type switch
    {
        MatchType.Exact => value.SequenceEqual(_bytes),
        MatchType.PathPrefix => value.StartsWith(_bytes) && (value.Length == _bytes.Length || value[_bytes.Length] == '/'),
        MatchType.Regex => _regex!.IsMatch(value),
        _ => true,
    };
}
