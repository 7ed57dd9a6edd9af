namespace NodeMesh.Proxy.Transport;

/// <summary>What a read or write came to.</summary>
internal enum IoStatus : byte
{
    /// <summary>At least one byte moved.</summary>
    Done,

    /// <summary>Nothing now; the loop calls again at the next edge.</summary>
    WouldBlock,

    /// <summary>The peer ended its side in order (FIN; close_notify over TLS). Reads only.</summary>
    End,

    /// <summary>The transport is broken; see <see cref="ITransport.Failure"/>.</summary>
    Failed,
}

internal enum HandshakeStatus : byte
{
    Done,
    WouldBlock,
    Failed,
}

/// <summary>The bytes under a codec: plain TCP or TLS. Non-blocking, driven by one worker thread, edge-triggered: the loop calls after every
/// readiness event and until WouldBlock. Owns its socket.</summary>
internal interface ITransport
{
    /// <summary>The socket, for epoll.</summary>
    int Fd { get; }

    /// <summary>Called at each event until Done. Plain TCP is Done at once (a connecting socket is the upstream connection's affair).</summary>
    HandshakeStatus Handshake();

    /// <summary>Reads what there is, at most <paramref name="buffer"/>; <paramref name="count"/> is above zero exactly when Done.
    /// A short count is no promise that a TLS transport is drained: read on until WouldBlock.</summary>
    IoStatus TryRead(Span<byte> buffer, out int count);

    /// <summary>May write less than asked. Over TLS a WouldBlock write must be repeated with the same bytes at its front (they may move).</summary>
    IoStatus TryWrite(ReadOnlySpan<byte> buffer, out int count);

    /// <summary>Nothing more will be written: FIN, or close_notify and FIN.</summary>
    void ShutdownWrite();

    /// <summary>Closes the socket. <paramref name="reset"/>: by RST, dropping what is unsent.</summary>
    void Close(bool reset);

    /// <summary>Why the transport failed: "ECONNRESET", "tls: no shared cipher"; for logs, never null after Failed.</summary>
    string? Failure { get; }

    /// <summary>The name the client asked for (SNI), lower case; null without TLS or when it sent none.</summary>
    string? ServerName { get; }

    /// <summary>"https" or "http": x-forwarded-proto.</summary>
    bool IsEncrypted { get; }
}
