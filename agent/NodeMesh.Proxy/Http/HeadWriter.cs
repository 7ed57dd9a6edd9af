using System.Buffers.Text;
using NodeMesh.Proxy.Engine;

namespace NodeMesh.Proxy.Http;

/// <summary>Writes heads on: what came, less what was dropped, plus what was appended. Lines are copied, never built from parts that were not checked.</summary>
internal static class HeadWriter
{
    /// <summary>An upper bound of what <see cref="Request"/> and <see cref="Response"/> write.</summary>
    public static int Bound(int headLength, HeaderEdits edits)
    {
        var bound = headLength + 256 + edits.Target.Length + edits.Authority.Length;
        for (var i = 0; i < edits.AppendedCount; i++)
            bound += edits.AppendedName(i).Length + edits.AppendedValue(i).Length + 4;
        return bound;
    }

    /// <summary>As HTTP/1.1, Host first.</summary>
    public static void Request(IoBuffer to, RequestHead head, HeaderEdits edits, bool upgrade)
    {
        var w = new Cursor(to.Free);
        w.Put(head.Method);
        w.Put(" "u8);
        w.Put(edits.HasTarget ? edits.Target : head.Target);
        w.Put(" HTTP/1.1\r\n"u8);
        w.Line("host"u8, edits.HasAuthority ? edits.Authority : head.Authority);
        Lines(ref w, head, edits, HeaderId.Host);
        if (upgrade && head.TryGetHeader(HeaderId.Upgrade, out var protocol))
        {
            w.Line("connection"u8, "upgrade"u8);
            w.Line("upgrade"u8, protocol);
        }

        w.Put("\r\n"u8);
        to.End += w.Length;
    }

    public static void Response(IoBuffer to, ResponseHead head, HeaderEdits edits, bool close, bool upgrade)
    {
        var w = new Cursor(to.Free);
        w.Put("HTTP/1.1 "u8);
        w.Number(head.Status);
        w.Put(" "u8);
        w.Put(head.Reason);
        w.Put("\r\n"u8);
        Lines(ref w, head, edits, HeaderId.Connection);
        if (upgrade && head.TryGetHeader(HeaderId.Upgrade, out var protocol))
        {
            w.Line("connection"u8, "upgrade"u8);
            w.Line("upgrade"u8, protocol);
        }
        else if (close)
        {
            w.Line("connection"u8, "close"u8);
        }

        w.Put("\r\n"u8);
        to.End += w.Length;
    }

    private static void Lines(ref Cursor w, HeaderBlock head, HeaderEdits edits, HeaderId skip)
    {
        for (var i = 0; i < head.HeaderCount; i++)
        {
            if (head.HeaderIdAt(i) == skip || edits.IsDropped(i))
                continue;
            w.Line(head.HeaderName(i), head.HeaderValue(i));
        }

        for (var i = 0; i < edits.AppendedCount; i++)
        {
            if (!edits.IsAppendedDropped(i))
                w.Line(edits.AppendedName(i), edits.AppendedValue(i));
        }
    }

    internal ref struct Cursor(Span<byte> span)
    {
        private readonly Span<byte> _span = span;

        public int Length { get; private set; }

        public void Put(scoped ReadOnlySpan<byte> bytes)
        {
            bytes.CopyTo(_span[Length..]);
            Length += bytes.Length;
        }

        public void Line(scoped ReadOnlySpan<byte> name, scoped ReadOnlySpan<byte> value)
        {
            Put(name);
            Put(": "u8);
            Put(value);
            Put("\r\n"u8);
        }

        public void Number(long value)
        {
            Utf8Formatter.TryFormat(value, _span[Length..], out var n);
            Length += n;
        }
    }
}
