using System.Buffers;
using System.Text;
using NodeMesh.Model;

namespace NodeMesh.Proxy.Routing;

/// <summary>A condition on the first query parameter of a name; both sides of "=" are percent-decoded, "+" stays a plus.</summary>
internal sealed class QueryMatcher(HeaderMatch match)
{
    private readonly byte[] _name = Encoding.UTF8.GetBytes(match.Name);
    private readonly ValueMatcher _value = new(match.Type, match.Value);

    public bool Matches(ReadOnlySpan<byte> query)
    {
        while (!query.IsEmpty)
        {
            var end = query.IndexOf((byte)'&');
            var pair = end < 0 ? query : query[..end];
            query = end < 0 ? default : query[(end + 1)..];
            var equals = pair.IndexOf((byte)'=');
            var name = equals < 0 ? pair : pair[..equals];
            if (Test(name, null))
                return Test(equals < 0 ? default : pair[(equals + 1)..], _value);
        }

        return false;
    }

    /// <summary>Decodes and compares with the value's condition, or with the name when there is none.</summary>
    private bool Test(ReadOnlySpan<byte> encoded, ValueMatcher? matcher)
    {
        if (encoded.IndexOf((byte)'%') < 0)
            return matcher?.Matches(encoded) ?? encoded.SequenceEqual(_name);
        var decoded = ArrayPool<byte>.Shared.Rent(encoded.Length);
        var span = decoded.AsSpan(0, Percent.Decode(encoded, decoded));
        var matched = matcher?.Matches(span) ?? span.SequenceEqual(_name);
        ArrayPool<byte>.Shared.Return(decoded);
        return matched;
    }
}
