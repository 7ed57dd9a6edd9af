using System.Buffers;
using System.Text;
using NodeMesh.Model;
using NodeMesh.Proxy.Http;

namespace NodeMesh.Proxy.Routing;

/// <summary>A condition on one header; several lines of the same name count as one, joined by commas (RFC 9110 section 5.3).</summary>
internal sealed class HeaderMatcher(HeaderMatch match, bool whenBroken = false)
{
    private readonly byte[] _name = Encoding.ASCII.GetBytes(match.Name);
    private readonly ValueMatcher _value = new(match.Type, match.Value, whenBroken);

    public bool Matches(HeaderBlock head)
    {
        var first = head.IndexOf(_name, 0);
        if (first < 0)
            return false;
        var second = head.IndexOf(_name, first + 1);
        return second < 0 ? _value.Matches(head.HeaderValue(first)) : MatchesJoined(head, first);
    }

    public static bool All(HeaderMatcher[] matchers, HeaderBlock head)
    {
        foreach (var matcher in matchers)
        {
            if (!matcher.Matches(head))
                return false;
        }

        return true;
    }

    private bool MatchesJoined(HeaderBlock head, int first)
    {
        var length = 0;
        for (var i = first; i >= 0; i = head.IndexOf(_name, i + 1))
            length += head.HeaderValue(i).Length + 1;
        var joined = ArrayPool<byte>.Shared.Rent(length);
        var at = 0;
        for (var i = first; i >= 0; i = head.IndexOf(_name, i + 1))
        {
            if (at > 0)
                joined[at++] = (byte)',';
            head.HeaderValue(i).CopyTo(joined.AsSpan(at));
            at += head.HeaderValue(i).Length;
        }

        var matched = _value.Matches(joined.AsSpan(0, at));
        ArrayPool<byte>.Shared.Return(joined);
        return matched;
    }
}
