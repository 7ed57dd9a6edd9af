using System.Text;
using NodeMesh.Proxy;
using NodeMesh.Proxy.Filters;

namespace NodeMesh.Unit.Tests.Proxy;

[TestFixture]
public class FilterTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: web\r\n\r\n";
    private static readonly Action<System.Net.Sockets.Socket> Backend =
        ScriptedBackend.Each((_, body) => $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length + 2}\r\n\r\n{body}hi");

    [TestCase(true, false)]
    [TestCase(false, true)]
    [TestCase(true, true)]
    public void A_paused_stream_waits_until_another_thread_resumes_it(bool request, bool response)
    {
        var filter = new HoldingFilter(request, response);
        using var proxy = new ProxyFixture(Backend, filters: filter);
        using var client = proxy.Connect();
        for (var i = 0; i < 3; i++)
        {
            client.Send("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n\r\nhello"u8);
            for (var pauses = (request ? 1 : 0) + (response ? 1 : 0); pauses > 0; pauses--)
            {
                var stream = filter.Next();
                Assert.That(client.Poll(20_000, System.Net.Sockets.SelectMode.SelectRead), Is.False, "nothing is sent while paused");
                stream.Resume();
                stream.Resume();
            }

            Assert.That(ProxyFixture.ReadUntil(client, "hellohi"), Does.StartWith("HTTP/1.1 200 "));
        }

        Assert.That(proxy.Backend.Connections, Is.EqualTo(1));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_paused_stream_can_be_answered_from_another_thread(bool request)
    {
        var filter = new HoldingFilter(request, !request);
        using var proxy = new ProxyFixture(Backend, filters: filter);
        using var client = proxy.Connect();
        client.Send(Encoding.ASCII.GetBytes(Get));
        filter.Next().Respond(new LocalReply(403, CloseReason.PolicyDenied, "no", "test"));
        Assert.That(ProxyFixture.ReadUntil(client, "no"), Does.StartWith("HTTP/1.1 403 "));
        client.Send(Encoding.ASCII.GetBytes(Get));
        filter.Next().Resume();
        ProxyFixture.ReadUntil(client, "hi");
    }

    [Test]
    public void A_pause_of_a_request_that_is_gone_is_not_heard()
    {
        var filter = new HoldingFilter(true, false);
        using var proxy = new ProxyFixture(Backend, filters: filter);
        PausedStream gone;
        using (var first = proxy.Connect())
        {
            first.Send(Encoding.ASCII.GetBytes(Get));
            gone = filter.Next();
            first.LingerState = new System.Net.Sockets.LingerOption(true, 0);
        }

        Assert.That(() => proxy.Server.Snapshot().Requests.Length, Is.EqualTo(1).After(ProxyFixture.Patience, 10), "the client's reset is seen in a pause");
        using var client = proxy.Connect();
        client.Send(Encoding.ASCII.GetBytes(Get));
        var stream = filter.Next();
        gone.Respond(new LocalReply(403, CloseReason.PolicyDenied, "no", "test"));
        stream.Resume();
        Assert.That(ProxyFixture.ReadUntil(client, "hi"), Does.StartWith("HTTP/1.1 200 "));
    }

    [Test]
    public void A_pause_that_nobody_ends_is_ended_by_the_streams_idle_time()
    {
        using var proxy = new ProxyFixture(Backend, tune: o => o with { StreamIdleTimeout = TimeSpan.FromMilliseconds(200) }, time: new ManualTime(), filters: new HoldingFilter(true, false));
        Assert.That(proxy.ExchangeAsTimePasses("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"), Does.StartWith("HTTP/1.1 504 "));
    }

    private sealed class HoldingFilter(bool request, bool response) : IFilter
    {
        private readonly System.Collections.Concurrent.BlockingCollection<PausedStream> _held = [];

        public FilterAction OnRequestHeaders(FilterContext context) => Hold(context, request);

        public FilterAction OnResponseHeaders(FilterContext context) => Hold(context, response);

        public PausedStream Next()
        {
            if (!_held.TryTake(out var stream, ProxyFixture.Patience))
                Assert.Fail("no stream was paused");
            return stream;
        }

        private FilterAction Hold(FilterContext context, bool hold)
        {
            if (!hold)
                return FilterAction.Continue;
            _held.Add(context.Stream);
            return FilterAction.Pause;
        }
    }
}
