using System.Runtime.InteropServices;

namespace NodeMesh.Native.Tls;

/// <summary>The calls into OpenSSL 3. Macros of its headers are the control numbers below (openssl/ssl.h, openssl/tls1.h).</summary>
internal static unsafe partial class OpenSsl
{
    private const string Ssl = "libssl.so.3";
    private const string Crypto = "libcrypto.so.3";

    public const int ErrorNone = 0;
    public const int ErrorSsl = 1;
    public const int ErrorWantRead = 2;
    public const int ErrorWantWrite = 3;
    public const int ErrorSyscall = 5;
    public const int ErrorZeroReturn = 6;

    public const int CtrlMode = 33;
    public const int CtrlSessionCacheMode = 44;
    public const int CtrlServerNameCallback = 53;
    public const int CtrlServerNameArgument = 54;
    public const int CtrlChainCertificate = 89;
    public const int CtrlMinProtocol = 123;

    public const int Tls12 = 0x0303;

    public const ulong OptionNoCompression = 1UL << 17;
    public const ulong OptionCipherServerPreference = 1UL << 22;
    public const ulong OptionNoRenegotiation = 1UL << 30;

    public const int ModePartialWrite = 1;
    public const int ModeMovingWriteBuffer = 2;
    public const int ModeReleaseBuffers = 0x10;

    public const int CacheServer = 2;
    public const int CacheNoInternal = 0x300;

    public const int NameOk = 0;
    public const int NameAlertFatal = 2;
    public const int NameNoAck = 3;
    public const int AlertUnrecognizedName = 112;

    public const int ReasonUnexpectedEof = 294;

    /// <summary>CRYPTO_EX_INDEX_SSL_CTX.</summary>
    public const int ExIndexContext = 1;

    [LibraryImport(Ssl)]
    public static partial nint TLS_server_method();

    [LibraryImport(Ssl)]
    public static partial nint SSL_CTX_new(nint method);

    [LibraryImport(Ssl)]
    public static partial void SSL_CTX_free(nint ctx);

    [LibraryImport(Ssl)]
    public static partial nint SSL_CTX_ctrl(nint ctx, int command, nint number, void* argument);

    [LibraryImport(Ssl)]
    public static partial nint SSL_CTX_callback_ctrl(nint ctx, int command, void* function);

    [LibraryImport(Ssl)]
    public static partial ulong SSL_CTX_set_options(nint ctx, ulong options);

    [LibraryImport(Ssl)]
    public static partial nint SSL_CTX_set_timeout(nint ctx, nint seconds);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_set_cipher_list(nint ctx, byte* list);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_set_session_id_context(nint ctx, byte* id, uint length);

    [LibraryImport(Ssl)]
    public static partial void SSL_CTX_set_alpn_select_cb(nint ctx, delegate* unmanaged<nint, byte**, byte*, byte*, uint, nint, int> callback, nint argument);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_set_tlsext_ticket_key_evp_cb(nint ctx, delegate* unmanaged<nint, byte*, byte*, nint, nint, int, int> callback);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_set_ex_data(nint ctx, int index, nint data);

    [LibraryImport(Ssl)]
    public static partial nint SSL_CTX_get_ex_data(nint ctx, int index);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_use_certificate(nint ctx, nint x509);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_use_PrivateKey(nint ctx, nint key);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_check_private_key(nint ctx);

    [LibraryImport(Ssl)]
    public static partial nint SSL_new(nint ctx);

    [LibraryImport(Ssl)]
    public static partial void SSL_free(nint ssl);

    [LibraryImport(Ssl)]
    public static partial int SSL_set_fd(nint ssl, int fd);

    [LibraryImport(Ssl)]
    public static partial void SSL_set_accept_state(nint ssl);

    [LibraryImport(Ssl)]
    public static partial nint SSL_set_SSL_CTX(nint ssl, nint ctx);

    [LibraryImport(Ssl)]
    public static partial nint SSL_get_SSL_CTX(nint ssl);

    [LibraryImport(Ssl)]
    public static partial int SSL_do_handshake(nint ssl);

    [LibraryImport(Ssl)]
    public static partial int SSL_read_ex(nint ssl, byte* buffer, nuint length, nuint* read);

    [LibraryImport(Ssl)]
    public static partial int SSL_write_ex(nint ssl, byte* buffer, nuint length, nuint* written);

    [LibraryImport(Ssl)]
    public static partial int SSL_shutdown(nint ssl);

    [LibraryImport(Ssl)]
    public static partial int SSL_get_error(nint ssl, int result);

    [LibraryImport(Ssl)]
    public static partial int SSL_has_pending(nint ssl);

    [LibraryImport(Ssl)]
    public static partial int SSL_session_reused(nint ssl);

    [LibraryImport(Ssl)]
    public static partial byte* SSL_get_version(nint ssl);

    [LibraryImport(Ssl)]
    public static partial nint SSL_get_current_cipher(nint ssl);

    [LibraryImport(Ssl)]
    public static partial byte* SSL_CIPHER_get_name(nint cipher);

    [LibraryImport(Ssl)]
    public static partial byte* SSL_get_servername(nint ssl, int type);

    [LibraryImport(Ssl)]
    public static partial void SSL_get0_alpn_selected(nint ssl, byte** name, uint* length);

    [LibraryImport(Crypto)]
    public static partial int CRYPTO_get_ex_new_index(
        int kind, nint argl, nint argp, nint created, nint duplicated, delegate* unmanaged<nint, nint, nint, int, nint, nint, void> freed);

    [LibraryImport(Crypto)]
    public static partial void ERR_clear_error();

    [LibraryImport(Crypto)]
    public static partial ulong ERR_get_error();

    [LibraryImport(Crypto)]
    public static partial ulong ERR_peek_error();

    [LibraryImport(Crypto)]
    public static partial void ERR_error_string_n(ulong error, byte* text, nuint length);

    [LibraryImport(Crypto)]
    public static partial nint BIO_new_mem_buf(byte* bytes, int length);

    [LibraryImport(Crypto)]
    public static partial int BIO_free(nint bio);

    [LibraryImport(Crypto)]
    public static partial nint PEM_read_bio_X509(nint bio, nint x, delegate* unmanaged<byte*, int, int, nint, int> password, nint argument);

    [LibraryImport(Crypto)]
    public static partial nint PEM_read_bio_PrivateKey(nint bio, nint x, delegate* unmanaged<byte*, int, int, nint, int> password, nint argument);

    [LibraryImport(Crypto)]
    public static partial void X509_free(nint x509);

    [LibraryImport(Crypto)]
    public static partial void EVP_PKEY_free(nint key);

    [LibraryImport(Crypto)]
    public static partial nint EVP_aes_256_cbc();

    [LibraryImport(Crypto)]
    public static partial int EVP_EncryptInit_ex(nint cipher, nint type, nint engine, byte* key, byte* iv);

    [LibraryImport(Crypto)]
    public static partial int EVP_DecryptInit_ex(nint cipher, nint type, nint engine, byte* key, byte* iv);

    [LibraryImport(Crypto)]
    public static partial int EVP_MAC_CTX_set_params(nint mac, OsslParam* parameters);

    [LibraryImport("libc", EntryPoint = "signal")]
    public static partial nint Signal(int number, nint handler);

    /// <summary>OSSL_PARAM (openssl/core.h).</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct OsslParam
    {
        public const uint Utf8String = 4;
        public const uint OctetString = 5;

        public byte* Key;
        public uint Type;
        public void* Data;
        public nuint Size;
        public nuint Returned;
    }
}
