using NodeMesh.Proxy.Http;

namespace NodeMesh.Proxy.Engine;

/// <summary>x-request-id, x-forwarded-for and x-forwarded-proto as Envoy sets them: inside the mesh they travel, at a gateway they are ours.</summary>
internal static class ForwardedHeaders
{
    public static void Add(Worker worker, DownstreamConnection conn, RequestHead head, HeaderEdits edits)
    {
        if (head.Authority.IsEmpty && !edits.HasAuthority)
            NameDestination(conn, edits);
        var outside = conn.GatewayListener is not null;
        if (outside || !head.TryGetHeader(HeaderId.RequestId, out _))
        {
            if (outside)
                edits.Remove(head, "x-request-id"u8);
            Span<byte> id = stackalloc byte[RequestIds.Length];
            worker.Ids.Write(id);
            edits.Append("x-request-id"u8, id);
        }

        if (outside || !head.TryGetHeader(HeaderId.ForwardedProto, out _))
        {
            if (outside)
                edits.Remove(head, "x-forwarded-proto"u8);
            edits.Append("x-forwarded-proto"u8, conn.Transport.IsEncrypted ? "https"u8 : "http"u8);
        }

        if (outside)
            AppendClient(conn, head, edits);
    }

    /// <summary>HTTP/1.0 may leave Host out, HTTP/1.1 may not: what the client dialled stands for it.</summary>
    private static void NameDestination(DownstreamConnection conn, HeaderEdits edits) =>
        edits.SetAuthority(new System.Net.IPEndPoint(conn.Destination.Address.ToIPAddress(), conn.Destination.Port).ToString());

    private static void AppendClient(DownstreamConnection conn, RequestHead head, HeaderEdits edits)
    {
        Span<byte> address = stackalloc byte[64];
        conn.ClientText.TryFormat(address, out var length);
        if (!head.TryGetHeader(HeaderId.ForwardedFor, out _))
        {
            edits.Append("x-forwarded-for"u8, address[..length]);
            return;
        }

        // Several lines are one list (RFC 9110, 5.3): joined, so that ours is the last element.
        var joined = new ArrayBuilder(stackalloc byte[1024]);
        for (var i = 0; i < head.HeaderCount; i++)
        {
            if (head.HeaderIdAt(i) != HeaderId.ForwardedFor)
                continue;
            joined.Add(head.HeaderValue(i));
            joined.Add(", "u8);
        }

        joined.Add(address[..length]);
        edits.Remove(head, "x-forwarded-for"u8);
        edits.Append("x-forwarded-for"u8, joined.Bytes);
    }

    /// <summary>Bytes on the stack; what does not fit is left out from the front, where the least trusted entries stand.</summary>
    private ref struct ArrayBuilder(Span<byte> space)
    {
        private readonly Span<byte> _space = space;
        private int _length;

        public readonly ReadOnlySpan<byte> Bytes => _space[.._length];

        public void Add(ReadOnlySpan<byte> bytes)
        {
            if (bytes.Length > _space.Length)
                bytes = bytes[^_space.Length..];
            var over = _length + bytes.Length - _space.Length;
            if (over > 0)
            {
                _space[over.._length].CopyTo(_space);
                _length -= over;
            }

            bytes.CopyTo(_space[_length..]);
            _length += bytes.Length;
        }
    }
}
