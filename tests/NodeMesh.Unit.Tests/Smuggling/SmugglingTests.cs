using NodeMesh.Unit.Tests.Proxy;

namespace NodeMesh.Unit.Tests.Smuggling;

/// <summary>Messages that two parsers read differently, from RFC 9110 and 9112, through the whole proxy to a backend that records.</summary>
public sealed class SmugglingTests
{
    private const string Smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

    private RecordingUpstream _upstream = null!;

    [OneTimeSetUp]
    public void Start() => _upstream = new RecordingUpstream();

    [OneTimeTearDown]
    public void Stop() => _upstream.Dispose();

    private static IEnumerable<TestCaseData> RefusedHeads()
    {
        // Framing: RFC 9112 section 6.
        yield return Post("CL.TE", "Content-Length: 6\r\nTransfer-Encoding: chunked", "0\r\n\r\nG");
        yield return Post("TE.CL", "Transfer-Encoding: chunked\r\nContent-Length: 4", "5c\r\n" + Smuggled + "0\r\n\r\n");
        yield return Post("duplicate equal lengths", "Content-Length: 2\r\nContent-Length: 2", "hi");
        yield return Post("conflicting lengths", "Content-Length: 2\r\nContent-Length: 60", "hi" + Smuggled);
        yield return Post("list of equal lengths", "Content-Length: 5, 5", "hello");
        yield return Post("list of lengths", "Content-Length: 5, 6", "hello");
        yield return Post("signed length", "Content-Length: +5", "hello");
        yield return Post("negative length", "Content-Length: -5", "hello");
        yield return Post("hexadecimal length", "Content-Length: 0x5", "hello");
        yield return Post("length with fraction", "Content-Length: 5.0", "hello");
        yield return Post("empty length", "Content-Length:", "");
        yield return Post("length with inner blank", "Content-Length: 1 0", "0123456789");
        yield return Post("length past 64 bits", "Content-Length: 18446744073709551621", "hello");
        yield return Post("length with underscore name", "Content-Length : 5", "hello");
        yield return Post("TE.TE xchunked", "Transfer-Encoding: xchunked", "0\r\n\r\n");
        yield return Post("TE.TE identity", "Transfer-Encoding: identity", "");
        yield return Post("TE.TE gzip then chunked", "Transfer-Encoding: gzip, chunked", "0\r\n\r\n");
        yield return Post("TE.TE chunked twice", "Transfer-Encoding: chunked, chunked", "0\r\n\r\n");
        yield return Post("TE.TE two lines", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x", "0\r\n\r\n");
        yield return Post("TE.TE two equal lines", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n");
        yield return Post("TE.TE blank before colon", "Transfer-Encoding : chunked", "0\r\n\r\n");
        yield return Post("TE.TE tab before colon", "Transfer-Encoding\t: chunked", "0\r\n\r\n");
        yield return Post("TE.TE folded", "Transfer-Encoding:\r\n chunked", "0\r\n\r\n");
        yield return Post("TE.TE quoted", "Transfer-Encoding: \"chunked\"", "0\r\n\r\n");
        yield return Post("TE.TE vertical tab", "Transfer-Encoding: \vchunked", "0\r\n\r\n");
        yield return Post("TE.TE parameter", "Transfer-Encoding: chunked;q=1", "0\r\n\r\n");
        yield return Post("TE.TE trailing comma", "Transfer-Encoding: chunked,", "0\r\n\r\n");
        yield return Post("TE.TE name with NUL", "Transfer\0-Encoding: chunked", "0\r\n\r\n");
        yield return Post("TE.TE hidden behind bare LF", "X: a\nTransfer-Encoding: chunked", "0\r\n\r\n");
        yield return Post("TE.TE hidden behind bare CR", "X: a\rTransfer-Encoding: chunked", "0\r\n\r\n");
        yield return Raw("TE in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");

        // Lines and characters: sections 2.2, 5.
        yield return Get("obs-fold", "X: a\r\n b");
        yield return Get("first field folded", " X: a");
        yield return Get("bare LF ends a line", "X: a\nY: b");
        yield return Get("bare CR in a value", "X: a\rb");
        yield return Get("NUL in a value", "X: a\0b");
        yield return Get("DEL in a value", "X: a\x7f");
        yield return Get("escape in a value", "X: \x1b[0m");
        yield return Get("blank in a name", "X Y: a");
        yield return Get("blank before the colon", "X : a");
        yield return Get("empty name", ": a");
        yield return Get("no colon", "X");
        yield return Get("parenthesis in a name", "X(: a");
        yield return Get("non-ASCII in a name", "X\xe9: a");
        yield return Raw("bare LF message", "GET / HTTP/1.1\nHost: a\n\n");
        yield return Raw("LF CR", "GET / HTTP/1.1\n\rHost: a\n\r\n\r");
        yield return Raw("bare CR after the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n");
        yield return Raw("empty line of LF first", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");

        // Request line: section 3.
        yield return Raw("tab in the request line", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Raw("two blanks", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Raw("blank in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Raw("trailing blank", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n");
        yield return Raw("leading blank", " GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Raw("NUL in the target", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Raw("fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Raw("backslash", "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Raw("raw non-ASCII target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Raw("relative target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Raw("method with a colon", "GE:T / HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Raw("asterisk for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Raw("lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n");
        yield return Raw("version with a second digit", "GET / HTTP/1.10\r\nHost: a\r\n\r\n");
        yield return Raw("version 1", "GET / HTTP/1\r\nHost: a\r\n\r\n");
        yield return Raw("version 1,1", "GET / HTTP/1,1\r\nHost: a\r\n\r\n");
        yield return Raw("HTTP/0.9", "GET /\r\n\r\n");

        // Host: sections 3.2 and 3.3.
        yield return Raw("no Host", "GET / HTTP/1.1\r\n\r\n");
        yield return Raw("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
        yield return Raw("empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n");
        yield return Raw("blank in Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
        yield return Raw("list in Host", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n");
        yield return Raw("path in Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n");
        yield return Raw("user in Host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n");
        yield return Raw("bad port", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n");
        yield return Raw("port past 65535", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n");
        yield return Raw("two ports", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n");
        yield return Raw("open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n");
        yield return Raw("absolute form of another host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Raw("absolute form with another port", "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Raw("absolute form with a user", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n");
        yield return Raw("absolute form of another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n");

        // What is known and not served.
        yield return new TestCaseData("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501).SetArgDisplayNames("CONNECT");
        yield return new TestCaseData("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505).SetArgDisplayNames("version 2.0");
        yield return new TestCaseData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505).SetArgDisplayNames("HTTP/2 preface");
        yield return new TestCaseData("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505).SetArgDisplayNames("version 1.2");
        yield return new TestCaseData("GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", 417).SetArgDisplayNames("unknown Expect");
        yield return new TestCaseData("GET /" + new string('a', 61 * 1024) + " HTTP/1.1\r\nHost: a\r\n\r\n", 431).SetArgDisplayNames("head past 60 KiB");
        yield return new TestCaseData(
            "GET / HTTP/1.1\r\nHost: a\r\n" + string.Concat(Enumerable.Repeat("X: y\r\n", 101)) + "\r\n", 431).SetArgDisplayNames("more than 100 fields");
    }

    /// <summary>Chunked bodies: the head is good, so the request may have begun; it must never be completed, and nothing may follow it.</summary>
    private static IEnumerable<TestCaseData> RefusedBodies()
    {
        yield return Chunked("size past 64 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n");
        yield return Chunked("size of sixteen f", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n");
        yield return Chunked("negative size", "-5\r\nhello\r\n0\r\n\r\n");
        yield return Chunked("signed size", "+5\r\nhello\r\n0\r\n\r\n");
        yield return Chunked("0x size", "0x5\r\nhello\r\n0\r\n\r\n");
        yield return Chunked("empty size", "\r\nhello\r\n0\r\n\r\n");
        yield return Chunked("blank before the size", " 5\r\nhello\r\n0\r\n\r\n");
        yield return Chunked("blank behind the size", "5 \r\nhello\r\n0\r\n\r\n");
        yield return Chunked("extension", "5;x=y\r\nhello\r\n0\r\n\r\n");
        yield return Chunked("extension with LF", "5;\nxx\r\nhello\r\n0\r\n\r\n");
        yield return Chunked("bare LF behind the size", "5\nhello\r\n0\r\n\r\n");
        yield return Chunked("bare CR behind the size", "5\rhello\r\n0\r\n\r\n");
        yield return Chunked("no CRLF behind the data", "5\r\nhello0\r\n\r\n");
        yield return Chunked("LF behind the data", "5\r\nhello\n0\r\n\r\n");
        yield return Chunked("data longer than its size", "5\r\nhello!\r\n0\r\n\r\n");
        yield return Chunked("bare LF at the end", "5\r\nhello\r\n0\n\n");
        yield return Chunked("framing in a trailer", "5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n");
        yield return Chunked("coding in a trailer", "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n");
        yield return Chunked("Host in a trailer", "5\r\nhello\r\n0\r\nHost: b\r\n\r\n");
        yield return Chunked("bare CR in a trailer", "5\r\nhello\r\n0\r\nX: a\rb\r\n\r\n");
        yield return Chunked("folded trailer", "5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n");
    }

    [TestCaseSource(nameof(RefusedHeads))]
    public void An_ambiguous_head_is_refused_and_nothing_reaches_the_backend(string request, int status)
    {
        _upstream.Take();
        var answer = _upstream.Exchange(request + Smuggled, patience: ProxyFixture.Patience);
        Assert.That(answer, Does.StartWith($"HTTP/1.1 {status} "));
        Assert.That(answer.Split("HTTP/1.1 ").Length, Is.EqualTo(2), "one answer, then the end");
        Assert.That(_upstream.Take(), Is.Empty);
    }

    [TestCaseSource(nameof(RefusedBodies))]
    public void An_ambiguous_body_is_never_completed(string request)
    {
        using var upstream = new RecordingUpstream();
        var answer = upstream.Exchange(request + Smuggled, patience: ProxyFixture.Patience);
        Assert.That(answer, Does.Not.Contain("200 OK").And.Not.Contain("<silence>"));
        upstream.End();
        foreach (var connection in upstream.Take())
        {
            var (requests, _) = WireRequest.ReadAll(connection);
            Assert.That(requests, Is.Empty, connection);
        }
    }

    [TestCase("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1", "")]
    [TestCase("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1", "", Description = "one CRLF first is let pass (section 2.2)")]
    [TestCase("GET http://a/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x?y HTTP/1.1", "")]
    [TestCase("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1", "")]
    [TestCase("GET / HTTP/1.0\r\nHost: a\r\n\r\n", "GET / HTTP/1.1", "")]
    [TestCase("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\nhello!!", "POST / HTTP/1.1", "hello!!")]
    [TestCase("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", null, "")]
    [TestCase("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n05\r\nhello\r\n000\r\nX: y\r\n\r\n", "POST / HTTP/1.1", "hello")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 36\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n.", "GET / HTTP/1.1", "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n.")]
    [TestCase("GET / HTTP/1.1\r\nHost: a\r\nConnection: content-length, x-y\r\nX-Y: 1\r\n\r\n", null, "")]
    public void What_is_let_pass_arrives_as_one_request(string request, string? line, string body)
    {
        _upstream.Take();
        var answer = _upstream.Exchange(request, patience: ProxyFixture.Patience);
        var requests = _upstream.Take().SelectMany(c => WireRequest.ReadAll(c).Requests).ToList();
        if (line is null && requests.Count == 0)
        {
            Assert.That(answer, Does.StartWith("HTTP/1.1 400 "), "refused is as good");
            return;
        }

        Assert.That(requests, Has.Count.EqualTo(1));
        if (line is not null)
        {
            Assert.That(answer, Does.Contain("200 OK"));
            Assert.That(requests[0].Line, Is.EqualTo(line));
            Assert.That(requests[0].Body, Is.EqualTo(body));
        }
    }

    private static TestCaseData Post(string name, string fields, string body) => Raw(name, $"POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}");

    private static TestCaseData Get(string name, string fields) => Raw(name, $"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");

    private static TestCaseData Raw(string name, string request) => new TestCaseData(request, 400).SetArgDisplayNames(name);

    private static TestCaseData Chunked(string name, string body) =>
        new TestCaseData($"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}").SetArgDisplayNames(name);
}
