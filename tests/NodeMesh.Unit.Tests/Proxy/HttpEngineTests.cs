using System.Net.Sockets;
using System.Text;
using NodeMesh.Proxy;
using NodeMesh.Proxy.Stats;

namespace NodeMesh.Unit.Tests.Proxy;

[TestFixture]
public class HttpEngineTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

    [Test]
    public void A_request_reaches_the_backend_and_its_answer_the_client()
    {
        var seen = "";
        using var proxy = new ProxyFixture(ScriptedBackend.Each((head, _) =>
        {
            seen = head;
            return Ok;
        }));
        using var client = proxy.Connect();
        client.Send("GET /a?b=c HTTP/1.1\r\nHost: web\r\nX-One: 1\r\nConnection: keep-alive, x-hop\r\nX-Hop: gone\r\n\r\n"u8);
        var answer = ProxyFixture.ReadUntil(client, "hi");
        Assert.That(answer, Is.EqualTo("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
        Assert.That(seen, Does.StartWith("GET /a?b=c HTTP/1.1\r\nhost: web\r\nX-One: 1\r\nx-request-id: "));
        Assert.That(seen, Does.Contain("x-forwarded-proto: http\r\n").And.Not.Contains("x-forwarded-for").And.Not.Contains("Hop").And.Not.Contains("onnection"));
    }

    [Test]
    public void Connections_are_kept_on_both_sides()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Always(Ok));
        using var client = proxy.Connect();
        for (var i = 0; i < 10; i++)
        {
            client.Send("GET / HTTP/1.1\r\nHost: web\r\n\r\n"u8);
            ProxyFixture.ReadUntil(client, "hi");
        }

        Assert.That(proxy.Backend.Connections, Is.EqualTo(1));
        var snapshot = proxy.Server.Snapshot();
        Assert.That(snapshot.Requests, Is.EqualTo(new[] { new RequestCount("shop/web:80", "shop/web:80", 200, CloseReason.None, 10) }));
        Assert.That(snapshot.UpstreamReused, Is.EqualTo(9));
        Assert.That(snapshot.BuffersRented, Is.Zero, "idle connections hold no buffers");
    }

    [Test]
    public void Pipelined_requests_are_answered_in_order()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Each((head, _) =>
        {
            var path = head.Split(' ')[1];
            return $"HTTP/1.1 200 OK\r\nContent-Length: {path.Length}\r\n\r\n{path}";
        }));
        using var client = proxy.Connect();
        client.Send(Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 50).Select(i => $"GET /{i} HTTP/1.1\r\nHost: web\r\n\r\n"))));
        var answer = ProxyFixture.ReadUntil(client, "/49");
        for (int i = 0, at = 0; i < 50; i++)
        {
            at = answer.IndexOf($"\r\n\r\n/{i}", at, StringComparison.Ordinal);
            Assert.That(at, Is.GreaterThan(0), $"answer {i}");
        }
    }

    [Test]
    public void Head_gets_the_headers_only()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Always("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"));
        var answer = proxy.Exchange("HEAD / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n");
        Assert.That(answer, Is.EqualTo("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nconnection: close\r\n\r\n"));
    }

    [TestCase("204 No Content", "")]
    [TestCase("304 Not Modified", "")]
    [TestCase("200 OK", "Content-Length: 0\r\n")]
    public void Answers_without_a_body_leave_the_connection_usable(string status, string headers)
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Always($"HTTP/1.1 {status}\r\n{headers}\r\n"));
        using var client = proxy.Connect();
        for (var i = 0; i < 3; i++)
        {
            client.Send("GET / HTTP/1.1\r\nHost: web\r\n\r\n"u8);
            Assert.That(ProxyFixture.ReadUntil(client, "\r\n\r\n"), Does.StartWith($"HTTP/1.1 {status}"));
        }

        Assert.That(proxy.Backend.Connections, Is.EqualTo(1));
    }

    [Test]
    public void Expect_continue_is_answered_by_the_proxy()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Each((head, body) =>
            $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\nX-Expect: {head.Contains("Expect", StringComparison.OrdinalIgnoreCase)}\r\n\r\n{body}"));
        using var client = proxy.Connect();
        client.Send("POST / HTTP/1.1\r\nHost: web\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"u8);
        Assert.That(ProxyFixture.ReadUntil(client, "\r\n\r\n"), Is.EqualTo("HTTP/1.1 100 Continue\r\n\r\n"));
        client.Send("hello"u8);
        Assert.That(ProxyFixture.ReadUntil(client, "hello"), Does.Contain("X-Expect: False"));
    }

    [Test]
    public void Chunks_and_trailers_pass_both_ways()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Each((_, body) => $"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"));
        using var client = proxy.Connect();
        const string Body = "5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 11\r\n\r\n";
        client.Send(Encoding.ASCII.GetBytes("POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n" + Body));
        Assert.That(ProxyFixture.ReadUntil(client, "X-Sum: 11\r\n\r\n"), Does.EndWith("\r\n\r\n" + Body));
    }

    [Test]
    public void A_client_of_http_1_0_gets_the_data_without_chunks_and_then_the_end()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"));
        var answer = proxy.Exchange("GET / HTTP/1.0\r\n\r\n");
        Assert.That(answer, Is.EqualTo("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello world"));
    }

    [Test]
    public void A_body_that_ends_with_the_backends_connection_ends_with_the_clients()
    {
        using var proxy = new ProxyFixture(socket =>
        {
            socket.Receive(new byte[4096]);
            socket.Send("HTTP/1.1 200 OK\r\n\r\npart one, "u8);
            Thread.Sleep(50);
            socket.Send("part two"u8);
        });
        Assert.That(proxy.Exchange("GET / HTTP/1.1\r\nHost: web\r\n\r\n"), Does.EndWith("connection: close\r\n\r\npart one, part two"));
    }

    [Test]
    public void Upgrades_become_a_tunnel()
    {
        using var proxy = new ProxyFixture(socket =>
        {
            var buffer = new byte[4096];
            socket.Receive(buffer);
            socket.Send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst"u8);
            for (int n; (n = socket.Receive(buffer)) > 0;)
                socket.Send(buffer.AsSpan(0, n));
        });
        using var client = proxy.Connect();
        client.Send("GET / HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"u8);
        Assert.That(ProxyFixture.ReadUntil(client, "first"), Does.StartWith("HTTP/1.1 101 ").And.Contains("upgrade: websocket\r\n"));
        client.Send("ping"u8);
        Assert.That(ProxyFixture.ReadUntil(client, "ping"), Is.EqualTo("ping"));
    }

    [Test]
    public void A_backend_that_refuses_gives_503_UF()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Always(Ok));
        proxy.Backend.Dispose();
        Assert.That(proxy.Exchange("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"), Does.StartWith("HTTP/1.1 503 "));
        Assert.That(proxy.Server.Snapshot().Requests.Single().Reason, Is.EqualTo(CloseReason.UpstreamConnectFailure));
    }

    [Test]
    public void A_backend_that_dies_before_its_answer_gives_503_UC()
    {
        using var proxy = new ProxyFixture(socket => socket.Receive(new byte[4096]));
        Assert.That(proxy.Exchange("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"), Does.StartWith("HTTP/1.1 503 "));
        Assert.That(proxy.Server.Snapshot().Requests.Single().Reason, Is.EqualTo(CloseReason.UpstreamClosed));
    }

    [Test]
    public void A_backend_that_dies_within_its_answer_resets_the_client()
    {
        using var proxy = new ProxyFixture(socket =>
        {
            socket.Receive(new byte[4096]);
            socket.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"u8);
        });
        Assert.That(proxy.Exchange("GET / HTTP/1.1\r\nHost: web\r\n\r\n"), Does.EndWith("<reset>"));
    }

    [Test]
    public void A_pooled_connection_that_died_is_replaced_without_the_client_seeing_it()
    {
        var served = 0;
        using var proxy = new ProxyFixture(socket =>
        {
            socket.Receive(new byte[4096]);
            socket.Send(Encoding.ASCII.GetBytes(Ok));
            if (Interlocked.Increment(ref served) > 1)
                return;

            // The second request is read and not answered: the close races with it, as idle time-outs of servers do.
            socket.Receive(new byte[4096]);
        });
        using var client = proxy.Connect();
        for (var i = 0; i < 2; i++)
        {
            client.Send("GET / HTTP/1.1\r\nHost: web\r\n\r\n"u8);
            ProxyFixture.ReadUntil(client, "hi");
        }

        Assert.That(proxy.Server.Snapshot().UpstreamRetries, Is.EqualTo(1));
    }

    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")]
    [TestCase("HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nhi")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi")]
    [TestCase("garbage\r\n\r\n")]
    public void A_backend_that_breaks_the_protocol_gives_502(string response)
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Always(response));
        Assert.That(proxy.Exchange("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"), Does.StartWith("HTTP/1.1 502 "));
    }

    [Test]
    public void A_slow_backend_gives_504_UT()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Silent, tune: o => o with { DefaultRouteTimeout = TimeSpan.FromMilliseconds(200) }, time: new ManualTime());
        Assert.That(proxy.ExchangeAsTimePasses("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"), Does.StartWith("HTTP/1.1 504 "));
        Assert.That(proxy.Server.Snapshot().Requests.Single().Reason, Is.EqualTo(CloseReason.UpstreamTimeout));
    }

    [Test]
    public void A_head_that_does_not_come_gives_408()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Always(Ok), tune: o => o with { RequestHeadTimeout = TimeSpan.FromMilliseconds(200) }, time: new ManualTime());
        Assert.That(proxy.ExchangeAsTimePasses("GET / HTTP/1.1\r\nHo"), Does.StartWith("HTTP/1.1 408 "));
    }

    [Test]
    public void A_head_in_single_bytes_is_read_as_one()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Always(Ok));
        using var client = proxy.Connect();
        foreach (var b in "GET / HTTP/1.1\r\nHost: web\r\n\r\n"u8.ToArray())
            client.Send([b]);
        ProxyFixture.ReadUntil(client, "hi");
    }

    [Test]
    public void A_large_head_passes_and_one_over_60_KiB_gives_431()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Always(Ok));
        var value = new string('x', 50 * 1024);
        Assert.That(proxy.Exchange($"GET / HTTP/1.1\r\nHost: web\r\nX-Big: {value}\r\nConnection: close\r\n\r\n"), Does.EndWith("hi"));
        value = new string('x', 61 * 1024);
        Assert.That(proxy.Exchange($"GET / HTTP/1.1\r\nHost: web\r\nX-Big: {value}\r\nConnection: close\r\n\r\n"), Does.StartWith("HTTP/1.1 431 "));
    }

    [Test]
    public void Drain_lets_a_running_request_finish_and_closes_its_connection()
    {
        using var asked = new ManualResetEventSlim();
        using var draining = new ManualResetEventSlim();
        using var proxy = new ProxyFixture(socket =>
        {
            socket.Receive(new byte[4096]);
            asked.Set();
            draining.Wait();
            socket.Send(Encoding.ASCII.GetBytes(Ok));
        });
        using var client = proxy.Connect();
        using var idle = proxy.Connect();
        client.Send("GET / HTTP/1.1\r\nHost: web\r\n\r\n"u8);
        Assert.That(asked.Wait(ProxyFixture.Patience));
        var drained = proxy.Server.DrainAsync(TimeSpan.FromMinutes(1));
        proxy.Server.Snapshot(); // every worker has begun
        draining.Set();
        Assert.That(ProxyFixture.ReadToEnd(client), Does.Contain("connection: close").And.EndsWith("hi"));
        Assert.That(idle.Receive(new byte[1]), Is.Zero);
        Assert.That(drained.Wait(ProxyFixture.Patience));
        Assert.That(() => proxy.Connect(), Throws.InstanceOf<SocketException>());
    }
}
