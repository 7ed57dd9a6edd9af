using System.Text;
using NodeMesh.Proxy.Http;

namespace NodeMesh.Unit.Tests.Routing;

/// <summary>Request heads as the codec makes them.</summary>
internal static class Heads
{
    public static RequestHead Parse(string text)
    {
        var bytes = Encoding.Latin1.GetBytes(text);
        var head = new RequestHead();
        var status = RequestParser.Run(bytes, 0, bytes.Length, head);
        Assert.That(status, Is.EqualTo(ParseStatus.Complete), text);
        return head;
    }

    public static RequestHead Get(string target, string host = "example.com", params string[] headers) => Request("GET", target, host, headers);

    public static RequestHead Request(string method, string target, string host, params string[] headers) =>
        Parse($"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{string.Concat(headers.Select(h => h + "\r\n"))}\r\n");
}
