using System.Buffers;
using System.Text;
using NodeMesh.Model;
using NodeMesh.Proxy.Http;

namespace NodeMesh.Proxy.Routing;

/// <summary>ReplaceFullPath or ReplacePrefixMatch. A prefix and its replacement are taken without their final slash and what follows the prefix
/// keeps its own, which gives every row of Gateway API's table for ReplacePrefixMatch; an empty result is "/".</summary>
internal sealed class PathTemplate
{
    private const string Unencoded = "-._~!$&'()*+,;=:@/%ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    private readonly bool _replacesPrefix;
    private readonly int _prefixLength;
    private readonly byte[] _value;

    /// <param name="prefixLength">Of the matched prefix, without its final slash.</param>
    public PathTemplate(PathRewrite rewrite, int prefixLength)
    {
        _replacesPrefix = rewrite.ReplacesPrefix;
        _prefixLength = prefixLength;
        var value = rewrite.Value.StartsWith('/') || (rewrite.Value.Length == 0 && rewrite.ReplacesPrefix) ? rewrite.Value : "/" + rewrite.Value;
        _value = Encode(rewrite.ReplacesPrefix && value.EndsWith('/') ? value[..^1] : value);
    }

    public void Rewrite(RequestHead head, HeaderEdits edits)
    {
        // "OPTIONS *" has no path.
        if (head.Path is not [(byte)'/', ..])
            return;
        var rest = _replacesPrefix ? head.Path[_prefixLength..] : default;
        var query = head.Query;
        var target = ArrayPool<byte>.Shared.Rent(_value.Length + rest.Length + query.Length + 2);
        var length = Put(target, 0, _value);
        length = Put(target, length, rest);
        if (length == 0 || target[0] != '/')
            length = Put(target, 0, "/"u8);
        if (!query.IsEmpty)
        {
            target[length++] = (byte)'?';
            length = Put(target, length, query);
        }

        edits.SetTarget(target.AsSpan(0, length));
        ArrayPool<byte>.Shared.Return(target);
    }

    public string Replace(string path)
    {
        var result = Encoding.Latin1.GetString(_value) + (_replacesPrefix && path.StartsWith('/') ? path[_prefixLength..] : "");
        return result.Length == 0 ? "/" : result;
    }

    private static int Put(byte[] into, int at, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(into.AsSpan(at));
        return at + bytes.Length;
    }

    /// <summary>A value from a plan may hold what a request line must not; escapes that are there stay.</summary>
    private static byte[] Encode(string value)
    {
        var encoded = new StringBuilder();
        foreach (var b in Encoding.UTF8.GetBytes(value))
        {
            if (Unencoded.Contains((char)b))
                encoded.Append((char)b);
            else
                encoded.Append('%').Append(b.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
        }

        return Encoding.ASCII.GetBytes(encoded.ToString());
    }
}
