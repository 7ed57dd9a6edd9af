using System.Text;
using NodeMesh.Proxy.Engine;

namespace NodeMesh.Proxy.Http;

/// <summary>Answers the proxy gives itself: short text/plain, or only a Location.</summary>
internal static class LocalReplies
{
    public static string Phrase(int status) => status switch
    {
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        413 => "Content Too Large",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    };

    /// <param name="location">With a redirect; null otherwise.</param>
    /// <param name="withBody">False for HEAD: the length is told, the body is not sent.</param>
    /// <returns>False when the buffer has no room.</returns>
    public static bool Write(IoBuffer to, int status, string body, string? location, bool close, bool withBody)
    {
        if (to.Room < 512 + body.Length + ((location?.Length ?? 0) * 3))
            return false;
        var w = new HeadWriter.Cursor(to.Free);
        w.Put("HTTP/1.1 "u8);
        w.Number(status);
        w.Put(" "u8);
        PutText(ref w, Phrase(status));
        w.Put("\r\ncontent-length: "u8);
        w.Number(body.Length);
        if (body.Length > 0)
            w.Put("\r\ncontent-type: text/plain"u8);
        if (location is not null)
        {
            w.Put("\r\nlocation: "u8);
            PutText(ref w, location);
        }

        if (close)
            w.Put("\r\nconnection: close"u8);
        w.Put("\r\n\r\n"u8);
        if (withBody)
            PutText(ref w, body);
        to.End += w.Length;
        return true;
    }

    private static void PutText(ref HeadWriter.Cursor w, string text)
    {
        Span<byte> bytes = stackalloc byte[256];
        for (var at = 0; at < text.Length; at += bytes.Length)
            w.Put(bytes[..Encoding.Latin1.GetBytes(text.AsSpan(at, Math.Min(bytes.Length, text.Length - at)), bytes)]);
    }
}
