using System.Collections.Immutable;
using System.Text;
using NodeMesh.Model;
using NodeMesh.Proxy.Http;

namespace NodeMesh.Proxy.Routing;

/// <summary>The header changes of a rule or target as bytes, in the order set, add, remove. Names that frame the message or steer the
/// connection are the codec's and cannot be changed; setting Host changes the authority.</summary>
internal sealed class HeaderMutation
{
    private static readonly HeaderMutation Nothing = new([], [], []);

    private readonly (byte[] Name, byte[] Value)[] _set;
    private readonly (byte[] Name, byte[] Value)[] _add;
    private readonly byte[][] _remove;

    private HeaderMutation((byte[] Name, byte[] Value)[] set, (byte[] Name, byte[] Value)[] add, byte[][] remove)
    {
        _set = set;
        _add = add;
        _remove = remove;
    }

    public bool IsEmpty => _set.Length + _add.Length + _remove.Length == 0;

    public static HeaderMutation From(ImmutableArray<HeaderFilter> filters) => filters.IsDefaultOrEmpty
        ? Nothing
        : new HeaderMutation(
            [.. filters.SelectMany(f => f.Set).Where(IsAllowed).Select(ToBytes)],
            [.. filters.SelectMany(f => f.Add).Where(IsAllowed).Select(ToBytes)],
            [.. filters.SelectMany(f => f.Remove).Where(n => IsAllowedName(n) && !IsHost(n)).Select(Encoding.ASCII.GetBytes)]);

    public void Apply(HeaderBlock head, HeaderEdits edits)
    {
        foreach (var (name, value) in _set)
        {
            if (HeaderIds.Of(name) == HeaderId.Host)
            {
                edits.SetAuthority(value);
                continue;
            }

            edits.Remove(head, name);
            edits.Append(name, value);
        }

        foreach (var (name, value) in _add)
        {
            if (HeaderIds.Of(name) != HeaderId.Host)
                edits.Append(name, value);
        }

        foreach (var name in _remove)
            edits.Remove(head, name);
    }

    private static (byte[] Name, byte[] Value) ToBytes(KeyValuePair<string, string> header) =>
        (Encoding.ASCII.GetBytes(header.Key), Encoding.UTF8.GetBytes(header.Value));

    private static bool IsHost(string name) => string.Equals(name, "host", StringComparison.OrdinalIgnoreCase);

    private static bool IsAllowed(KeyValuePair<string, string> header) =>
        IsAllowedName(header.Key) && Encoding.UTF8.GetBytes(header.Value).AsSpan().IndexOfAny(HeaderChars.ValueBreak) < 0;

    private static bool IsAllowedName(string name)
    {
        var bytes = Encoding.UTF8.GetBytes(name);
        return bytes.Length > 0 && bytes.AsSpan().IndexOfAnyExcept(HeaderChars.Token) < 0 && HeaderIds.Of(bytes) is not
            (HeaderId.ContentLength or HeaderId.TransferEncoding or HeaderId.Connection or HeaderId.Upgrade or HeaderId.KeepAlive or HeaderId.ProxyConnection
            or HeaderId.Te or HeaderId.Trailer);
    }
}
