using System.Buffers;
using System.Text;
using System.Text.Json;
using NodeMesh.Flows.AccessLog;
using NodeMesh.Model;

namespace NodeMesh.Unit.Tests.Flows;

public class AccessLogTests
{
    private static AccessEntry Entry(string target) => new()
    {
        Start = new DateTimeOffset(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero),
        Duration = TimeSpan.FromMilliseconds(12.5),
        Status = 403,
        Flags = "UAEX",
        Detail = "policy",
        Route = "shop/split",
        Cluster = "shop/web:80",
        Client = IpAddr.Parse("10.244.0.3"),
        ClientPort = 4000,
        Upstream = default,
        UpstreamPort = 0,
        BytesReceived = 1,
        BytesSent = 2,
        Attempts = 0,
        Method = "GET"u8,
        Target = Encoding.Latin1.GetBytes(target),
        Authority = "web"u8,
        RequestId = "id-1"u8,
        UserAgent = default,
    };

    private static string Text(string target)
    {
        var buffer = new ArrayBufferWriter<byte>();
        AccessLogText.Text(Entry(target), buffer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    [Test]
    public void The_text_begins_as_envoys_default_format() =>
        Assert.That(Text("/a?b=c"), Is.EqualTo(
            "[2026-01-02T03:04:05.678Z] \"GET /a?b=c HTTP/1.1\" 403 UAEX 1 2 12 \"policy\" \"-\" \"id-1\" \"web\" \"-\" 10.244.0.3:4000 shop/web:80 shop/split\n"));

    [TestCase("/\" 200 -\n[", "/\\x22 200 -\\x0a[")]
    [TestCase("/\u001b[2J", "/\\x1b[2J")]
    [TestCase("/\\x", "/\\x5cx")]
    public void A_client_cannot_forge_a_field_or_a_line(string target, string shown)
    {
        var text = Text(target);
        Assert.That(text, Does.Contain($"\"GET {shown} HTTP/1.1\""));
        Assert.That(text.Count(c => c == '\n'), Is.EqualTo(1));
    }

    [Test]
    public void Json_is_one_object_per_line()
    {
        var buffer = new ArrayBufferWriter<byte>();
        AccessLogText.Json(Entry("/\"\n"), buffer);
        var text = Encoding.UTF8.GetString(buffer.WrittenSpan);
        Assert.That(text.Count(c => c == '\n'), Is.EqualTo(1));
        using var json = JsonDocument.Parse(text);
        Assert.That(json.RootElement.GetProperty("path").GetString(), Is.EqualTo("/\"\n"));
        Assert.That(json.RootElement.GetProperty("response_code").GetInt32(), Is.EqualTo(403));
    }
}
