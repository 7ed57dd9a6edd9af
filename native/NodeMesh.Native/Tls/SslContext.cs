using System.Runtime.InteropServices;

namespace NodeMesh.Native.Tls;

/// <summary>Chooses the context, and so the certificate, for a server name. Called on the thread that does the handshake; must not throw.</summary>
public interface ISslContextSelector
{
    /// <param name="serverName">As the client sent it (any case); null when it sent none.</param>
    /// <returns>Null: the handshake fails with the alert unrecognized_name.</returns>
    SslContext? Select(string? serverName);
}

/// <param name="Protocols">ALPN names in order of preference; a client that offers none of them goes on without ALPN (RFC 7301 allows
/// the alert or this; browsers and health checkers need this).</param>
/// <param name="SessionIdContext">At most 32 bytes. A session made under one value is never resumed under another.</param>
/// <param name="Tickets">Shared by every context between which sessions may be resumed.</param>
/// <param name="Selector">Null: the context serves every name with its own certificate.</param>
public sealed record SslServerSettings(
    IReadOnlyList<byte[]> Protocols, ReadOnlyMemory<byte> SessionIdContext, TicketKeyRing Tickets, ISslContextSelector? Selector = null);

/// <summary>An SSL_CTX for the server side: TLS 1.2 and 1.3, forward-secret AEAD ciphers only. Usable from every thread.</summary>
/// <remarks>OpenSSL counts references: a connection keeps the contexts it uses, and their callbacks' state, alive after this object is gone.</remarks>
public sealed unsafe class SslContext : SafeHandle
{
    private static readonly Lazy<int> StateIndex = new(NewStateIndex);

    private SslContext()
        : base(0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>A context without a certificate, whose selector gives each connection one that has.</summary>
    /// <exception cref="TlsException">OpenSSL is missing or out of memory.</exception>
    public static SslContext CreateServer(SslServerSettings settings)
    {
        TlsLibrary.Require();
        OpenSsl.ERR_clear_error();
        var context = new SslContext();
        context.SetHandle(OpenSsl.SSL_CTX_new(OpenSsl.TLS_server_method()));
        if (context.IsInvalid)
            throw TlsErrors.Failed("SSL_CTX_new");

        context.SetPolicy(settings.SessionIdContext.Span);
        context.SetCallbacks(settings);
        return context;
    }

    /// <param name="chainPem">The server's certificate first, then its issuers.</param>
    /// <param name="keyPem">Its private key, not encrypted.</param>
    /// <exception cref="TlsException">Malformed, or the key does not fit the certificate.</exception>
    public static SslContext CreateServer(SslServerSettings settings, ReadOnlySpan<byte> chainPem, ReadOnlySpan<byte> keyPem)
    {
        var context = CreateServer(settings);
        try
        {
            PemLoader.LoadChain(context.handle, chainPem);
            PemLoader.LoadKey(context.handle, keyPem);
            return context;
        }
        catch (TlsException)
        {
            context.Dispose();
            throw;
        }
    }

    internal nint Pointer => handle;

    internal static SslContextState StateOf(nint ctx) => (SslContextState)GCHandle.FromIntPtr(OpenSsl.SSL_CTX_get_ex_data(ctx, StateIndex.Value)).Target!;

    protected override bool ReleaseHandle()
    {
        OpenSsl.SSL_CTX_free(handle);
        return true;
    }

    private void SetPolicy(ReadOnlySpan<byte> sessionIdContext)
    {
        Check(OpenSsl.SSL_CTX_ctrl(handle, OpenSsl.CtrlMinProtocol, OpenSsl.Tls12, null), "SSL_CTX_set_min_proto_version");
        OpenSsl.SSL_CTX_set_options(handle, OpenSsl.OptionNoCompression | OpenSsl.OptionCipherServerPreference | OpenSsl.OptionNoRenegotiation);
        OpenSsl.SSL_CTX_ctrl(handle, OpenSsl.CtrlMode, OpenSsl.ModePartialWrite | OpenSsl.ModeMovingWriteBuffer | OpenSsl.ModeReleaseBuffers, null);

        // Tickets carry all session state; the server keeps none, so memory does not grow with clients.
        OpenSsl.SSL_CTX_ctrl(handle, OpenSsl.CtrlSessionCacheMode, OpenSsl.CacheServer | OpenSsl.CacheNoInternal, null);
        OpenSsl.SSL_CTX_set_timeout(handle, (nint)TicketKeyRing.TicketLifetime.TotalSeconds);

        // TLS 1.2 only; the suites of TLS 1.3 are all good.
        fixed (byte* list = "ECDHE+AESGCM:ECDHE+CHACHA20"u8)
            Check(OpenSsl.SSL_CTX_set_cipher_list(handle, list), "SSL_CTX_set_cipher_list");
        fixed (byte* id = sessionIdContext)
            Check(OpenSsl.SSL_CTX_set_session_id_context(handle, id, (uint)sessionIdContext.Length), "SSL_CTX_set_session_id_context");
    }

    private void SetCallbacks(SslServerSettings settings)
    {
        var state = GCHandle.ToIntPtr(GCHandle.Alloc(new SslContextState(settings)));
        if (OpenSsl.SSL_CTX_set_ex_data(handle, StateIndex.Value, state) != 1)
        {
            GCHandle.FromIntPtr(state).Free();
            throw TlsErrors.Failed("SSL_CTX_set_ex_data");
        }

        OpenSsl.SSL_CTX_set_alpn_select_cb(handle, &SslContextState.OnAlpn, state);
        Check(OpenSsl.SSL_CTX_set_tlsext_ticket_key_evp_cb(handle, &SslContextState.OnTicket), "SSL_CTX_set_tlsext_ticket_key_evp_cb");
        if (settings.Selector is null)
            return;
        OpenSsl.SSL_CTX_callback_ctrl(handle, OpenSsl.CtrlServerNameCallback, (delegate* unmanaged<nint, int*, nint, int>)&SslContextState.OnServerName);
        OpenSsl.SSL_CTX_ctrl(handle, OpenSsl.CtrlServerNameArgument, 0, (void*)state);
    }

    private static int NewStateIndex()
    {
        var index = OpenSsl.CRYPTO_get_ex_new_index(OpenSsl.ExIndexContext, 0, 0, 0, 0, &SslContextState.OnFree);
        return index >= 0 ? index : throw TlsErrors.Failed("CRYPTO_get_ex_new_index");
    }

    private static void Check(nint result, string call)
    {
        if (result == 0)
            throw TlsErrors.Failed(call);
    }
}
