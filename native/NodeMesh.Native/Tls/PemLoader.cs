using System.Runtime.InteropServices;

namespace NodeMesh.Native.Tls;

/// <summary>PEM in memory into an SSL_CTX.</summary>
internal static unsafe class PemLoader
{
    public static void LoadChain(nint ctx, ReadOnlySpan<byte> pem)
    {
        fixed (byte* bytes = pem)
        {
            var bio = OpenSsl.BIO_new_mem_buf(bytes, pem.Length);
            try
            {
                var leaf = OpenSsl.PEM_read_bio_X509(bio, 0, &NoPassword, 0);
                if (leaf == 0)
                    throw TlsErrors.Failed("the certificate chain is not PEM");
                Use(leaf, OpenSsl.SSL_CTX_use_certificate(ctx, leaf) == 1);

                // The end of the text also shows as an error ("no start line"), which is why the queue is emptied after the loop.
                for (var issuer = OpenSsl.PEM_read_bio_X509(bio, 0, &NoPassword, 0); issuer != 0; issuer = OpenSsl.PEM_read_bio_X509(bio, 0, &NoPassword, 0))
                    Use(issuer, OpenSsl.SSL_CTX_ctrl(ctx, OpenSsl.CtrlChainCertificate, 1, (void*)issuer) == 1);
                OpenSsl.ERR_clear_error();
            }
            finally
            {
                OpenSsl.BIO_free(bio);
            }
        }
    }

    public static void LoadKey(nint ctx, ReadOnlySpan<byte> pem)
    {
        fixed (byte* bytes = pem)
        {
            var bio = OpenSsl.BIO_new_mem_buf(bytes, pem.Length);
            var key = OpenSsl.PEM_read_bio_PrivateKey(bio, 0, &NoPassword, 0);
            OpenSsl.BIO_free(bio);
            if (key == 0)
                throw TlsErrors.Failed("the private key is not PEM, or is encrypted");
            var used = OpenSsl.SSL_CTX_use_PrivateKey(ctx, key) == 1 && OpenSsl.SSL_CTX_check_private_key(ctx) == 1;
            OpenSsl.EVP_PKEY_free(key);
            if (!used)
                throw TlsErrors.Failed("the private key does not fit the certificate");
        }
    }

    /// <summary>The context has taken its own reference, or refused.</summary>
    private static void Use(nint certificate, bool accepted)
    {
        OpenSsl.X509_free(certificate);
        if (!accepted)
            throw TlsErrors.Failed("the certificate is refused");
    }

    /// <summary>Without this OpenSSL would ask for a passphrase on the terminal.</summary>
    [UnmanagedCallersOnly]
    private static int NoPassword(byte* buffer, int size, int writing, nint argument) => -1;
}
