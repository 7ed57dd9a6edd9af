using System.Text;

namespace NodeMesh.Native.Tls;

/// <summary>The calling thread's OpenSSL error queue.</summary>
internal static unsafe class TlsErrors
{
    private const int ReasonMask = 0x7fffff;
    private const ulong SystemFlag = 0x80000000;

    /// <summary>Reason code of the oldest error, 0 when there is none (ERR_GET_REASON).</summary>
    public static int PeekReason()
    {
        var error = OpenSsl.ERR_peek_error();
        return (error & SystemFlag) != 0 ? 0 : (int)(error & ReasonMask);
    }

    /// <summary>Empties the queue: "error:0A000102:SSL routines::unsupported protocol; …". Null when it was empty.</summary>
    public static string? Take()
    {
        StringBuilder? text = null;
        var buffer = stackalloc byte[256];
        for (var error = OpenSsl.ERR_get_error(); error != 0; error = OpenSsl.ERR_get_error())
        {
            OpenSsl.ERR_error_string_n(error, buffer, 256);
            text = text is null ? new StringBuilder() : text.Append("; ");
            text.Append(SslSession.Text(buffer));
        }

        return text?.ToString();
    }

    public static TlsException Failed(string what) => new($"{what}: {Take() ?? "no reason given by OpenSSL"}");
}
