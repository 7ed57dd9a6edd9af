using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using NodeMesh.Model;

namespace NodeMesh.Flows.AccessLog;

/// <summary>A line per request: Envoy's default format with the client, cluster and route behind it, or JSON. No byte from the wire can end a line or a field.</summary>
public static class AccessLogText
{
    private static readonly JsonWriterOptions s_json = new() { SkipValidation = true };

    /// <summary>
    /// [%START_TIME%] "%METHOD% %PATH% HTTP/1.1" %CODE% %FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "%DETAIL%" "%USER-AGENT%" "%X-REQUEST-ID%" "%AUTHORITY%" "%UPSTREAM%" CLIENT CLUSTER ROUTE.
    /// </summary>
    public static void Text(in AccessEntry e, IBufferWriter<byte> to)
    {
        Put(to, "[");
        Put(to, e.Start.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
        Put(to, "] \"");
        Wire(to, e.Method);
        Put(to, " ");
        Wire(to, e.Target);
        Put(to, string.Create(CultureInfo.InvariantCulture, $" HTTP/1.1\" {e.Status} {e.Flags} {e.BytesReceived} {e.BytesSent} {(long)e.Duration.TotalMilliseconds} \"{e.Detail ?? "-"}\" \""));
        Wire(to, e.UserAgent);
        Put(to, "\" \"");
        Wire(to, e.RequestId);
        Put(to, "\" \"");
        Wire(to, e.Authority);
        Put(to, $"\" \"{Socket(e.Upstream, e.UpstreamPort)}\" {Socket(e.Client, e.ClientPort)} {e.Cluster} {e.Route}\n");
    }

    public static void Json(in AccessEntry e, IBufferWriter<byte> to)
    {
        using (var json = new Utf8JsonWriter(to, s_json))
        {
            json.WriteStartObject();
            json.WriteString("start_time", e.Start.UtcDateTime);
            json.WriteString("method", Latin(e.Method));
            json.WriteString("path", Latin(e.Target));
            json.WriteString("authority", Latin(e.Authority));
            json.WriteNumber("response_code", e.Status);
            json.WriteString("response_flags", e.Flags);
            json.WriteString("response_code_details", e.Detail);
            json.WriteNumber("bytes_received", e.BytesReceived);
            json.WriteNumber("bytes_sent", e.BytesSent);
            json.WriteNumber("duration_ms", Math.Round(e.Duration.TotalMilliseconds, 3));
            json.WriteString("user_agent", Latin(e.UserAgent));
            json.WriteString("request_id", Latin(e.RequestId));
            json.WriteString("downstream_remote_address", Socket(e.Client, e.ClientPort));
            json.WriteString("upstream_host", Socket(e.Upstream, e.UpstreamPort));
            json.WriteString("upstream_cluster", e.Cluster);
            json.WriteString("route_name", e.Route);
            json.WriteNumber("upstream_attempts", e.Attempts);
            json.WriteEndObject();
        }

        Put(to, "\n");
    }

    private static string Socket(IpAddr address, ushort port) => address.IsUnspecified ? "-" : address.WithPort(port);

    private static string Latin(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    private static void Put(IBufferWriter<byte> to, string text) => Encoding.UTF8.GetBytes(text, to);

    // Quotes, backslashes and what is not printable ASCII become \xHH, so that a client cannot forge a field or a line.
    private static void Wire(IBufferWriter<byte> to, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
            bytes = "-"u8;
        var span = to.GetSpan(bytes.Length * 4);
        var n = 0;
        foreach (var b in bytes)
        {
            if (b is > 0x20 and < 0x7f and not (byte)'"' and not (byte)'\\' || b == ' ')
            {
                span[n++] = b;
                continue;
            }

            span[n++] = (byte)'\\';
            span[n++] = (byte)'x';
            span[n++] = Hex(b >> 4);
            span[n++] = Hex(b & 15);
        }

        to.Advance(n);
    }

    private static byte Hex(int nibble) => (byte)(nibble < 10 ? '0' + nibble : 'a' + nibble - 10);
}
