using System.Text;
using NodeMesh.Proxy.Http;

namespace NodeMesh.Unit.Tests.Proxy;

[TestFixture]
public class RequestParserTests
{
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/", "", "a")]
    [TestCase("\r\nGET /x?y=1 HTTP/1.1\r\nHost: a:80\r\n\r\n", "GET", "/x", "y=1", "a:80")]
    [TestCase("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS", "*", "", "a")]
    [TestCase("GET http://a/x HTTP/1.1\r\nHost: A\r\n\r\n", "GET", "/x", "", "a")]
    [TestCase("GET / HTTP/1.0\r\n\r\n", "GET", "/", "", "")]
    [TestCase("M-SEARCH /a HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "M-SEARCH", "/a", "", "[::1]:8080")]
    [TestCase("GET / HTTP/1.1\r\nhost:a\r\nEmpty:\r\nTab:\tx\t\r\n\r\n", "GET", "/", "", "a")]
    public void Good_heads_are_read(string text, string method, string path, string query, string authority)
    {
        Assert.That(Parse(text, out var head), Is.EqualTo(ParseStatus.Complete));
        Assert.That(Text(head.Method), Is.EqualTo(method));
        Assert.That(Text(head.Path), Is.EqualTo(path));
        Assert.That(Text(head.Query), Is.EqualTo(query));
        Assert.That(Text(head.Authority), Is.EqualTo(authority));
    }

    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", TestName = "CL and TE")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", TestName = "two equal CL")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", TestName = "two different CL")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", TestName = "CL list")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", TestName = "CL with sign")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n", TestName = "CL in hex")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n", TestName = "CL empty")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n", TestName = "CL overflow")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", TestName = "TE list")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", TestName = "TE unknown")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", TestName = "TE twice")]
    [TestCase("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", TestName = "TE in 1.0")]
    [TestCase("GET / HTTP/1.1\nHost: a\r\n\r\n", TestName = "bare LF in request line")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", TestName = "bare LF in header")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", TestName = "bare CR in header")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", TestName = "obs-fold")]
    [TestCase("GET / HTTP/1.1\r\n Host: a\r\n\r\n", TestName = "blank before first header")]
    [TestCase("GET / HTTP/1.1\r\nHost : a\r\n\r\n", TestName = "space before colon")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nX\u0000: y\r\n\r\n", TestName = "NUL in name")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nX: y\u0000\r\n\r\n", TestName = "NUL in value")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n", TestName = "empty name")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n", TestName = "no colon")]
    [TestCase("GET / HTTP/1.1\r\n\r\n", TestName = "no Host")]
    [TestCase("GET / HTTP/1.1\r\nHost: \r\n\r\n", TestName = "empty Host")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", TestName = "two Hosts")]
    [TestCase("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", TestName = "Host with path")]
    [TestCase("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", TestName = "Host with user")]
    [TestCase("GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", TestName = "Host with bad port")]
    [TestCase("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", TestName = "absolute form against Host")]
    [TestCase("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", TestName = "absolute form of another scheme")]
    [TestCase("GET a HTTP/1.1\r\nHost: a\r\n\r\n", TestName = "relative target")]
    [TestCase("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", TestName = "two blanks")]
    [TestCase("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", TestName = "tab in request line")]
    [TestCase("GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", TestName = "fragment")]
    [TestCase("GET /\u00e9 HTTP/1.1\r\nHost: a\r\n\r\n", TestName = "non-ASCII target")]
    [TestCase("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", TestName = "method not a token")]
    [TestCase("GET / http/1.1\r\nHost: a\r\n\r\n", TestName = "lower case version")]
    [TestCase("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", TestName = "blank behind version")]
    [TestCase("GET /\r\n\r\n", TestName = "HTTP 0.9")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nConnection: content-length\r\n\r\n", TestName = "Connection strips framing")]
    public void What_is_ambiguous_is_refused(string text) => Assert.That(Parse(text, out _), Is.EqualTo(ParseStatus.Malformed));

    [TestCase("GET / HTTP/2.0\r\nHost: a\r\n\r\n", nameof(ParseStatus.Version))]
    [TestCase("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", nameof(ParseStatus.Unsupported))]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", nameof(ParseStatus.Expectation))]
    public void What_is_not_done_here_has_its_own_status(string text, string status) => Assert.That(Parse(text, out _).ToString(), Is.EqualTo(status));

    [Test]
    public void Every_prefix_of_a_good_head_asks_for_more()
    {
        const string Whole = "POST /a?b HTTP/1.1\r\nHost: a\r\nX-Long: value\r\nContent-Length: 5\r\n\r\n";
        for (var n = 1; n < Whole.Length; n++)
            Assert.That(Parse(Whole[..n], out _), Is.EqualTo(ParseStatus.NeedMore), $"{n} bytes");
        Assert.That(Parse(Whole, out _), Is.EqualTo(ParseStatus.Complete));
    }

    [Test]
    public void More_than_a_hundred_headers_are_too_many() =>
        Assert.That(Parse("GET / HTTP/1.1\r\nHost: a\r\n" + string.Concat(Enumerable.Repeat("a: b\r\n", 100)) + "\r\n", out _), Is.EqualTo(ParseStatus.TooLarge));

    [TestCase("5\r\nhello\r\n0\r\n\r\n", 15, "done")]
    [TestCase("0\r\nX: y\r\n\r\n", 11, "done")]
    [TestCase("5\r\nhel", 6, "more")]
    [TestCase("A", 0, "more")]
    [TestCase("5;a=b\r\nhello\r\n", 0, "bad", TestName = "chunk extension")]
    [TestCase("5 \r\nhello\r\n", 0, "bad", TestName = "blank behind chunk size")]
    [TestCase("0x5\r\nhello\r\n", 0, "bad", TestName = "chunk size with 0x")]
    [TestCase("-5\r\nhello\r\n", 0, "bad", TestName = "negative chunk size")]
    [TestCase("FFFFFFFFFFFFFFFFF\r\n", 0, "bad", TestName = "chunk size overflow")]
    [TestCase("5\nhello\r\n", 0, "bad", TestName = "bare LF behind chunk size")]
    [TestCase("5\r\nhelloX\r\n", 8, "bad", TestName = "chunk longer than its size")]
    [TestCase("0\r\nContent-Length: 5\r\n\r\n", 3, "bad", TestName = "framing in trailers")]
    [TestCase("0\r\nX: y\n\r\n", 3, "bad", TestName = "bare LF in trailers")]
    public void Chunks_are_followed_byte_for_byte(string text, int used, string end)
    {
        var reader = default(ChunkReader);
        Assert.That(reader.Scan(Encoding.ASCII.GetBytes(text)), Is.EqualTo(used));
        Assert.That(reader.IsDone ? "done" : reader.IsBad ? "bad" : "more", Is.EqualTo(end));
    }

    private static ParseStatus Parse(string text, out RequestHead head)
    {
        var bytes = Encoding.Latin1.GetBytes(text);
        head = new RequestHead();
        return RequestParser.Run(bytes, 0, bytes.Length, head);
    }

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);
}
