using System.Net.Sockets;
using System.Text;
using NodeMesh.Proxy;

namespace NodeMesh.Unit.Tests.Proxy;

[TestFixture]
public class HalfCloseTests
{
    private const string Request = "GET / HTTP/1.1\r\nHost: web\r\n\r\n";

    [Test]
    public void A_client_that_ends_its_side_after_the_request_gets_the_response_and_then_the_end()
    {
        using var asked = new ManualResetEventSlim();
        using var ended = new ManualResetEventSlim();
        using var proxy = new ProxyFixture(ScriptedBackend.Each((_, _) =>
        {
            asked.Set();
            ended.Wait();
            return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        }));
        using var client = proxy.Connect();
        client.Send(Encoding.ASCII.GetBytes(Request));
        Assert.That(asked.Wait(ProxyFixture.Patience));
        client.Shutdown(SocketShutdown.Send);
        proxy.Server.Snapshot(); // the worker's loop has been round since
        ended.Set();

        Assert.That(ProxyFixture.ReadToEnd(client), Does.StartWith("HTTP/1.1 200 ").And.Contain("connection: close").And.EndsWith("ok"));
        Assert.That(proxy.Server.Snapshot().Requests.Single().Reason, Is.EqualTo(CloseReason.None));
    }

    [Test]
    public void Requests_in_line_before_the_end_are_all_answered_and_only_the_last_one_says_close()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
        using var client = proxy.Connect();
        client.Send(Encoding.ASCII.GetBytes(Request + Request));
        client.Shutdown(SocketShutdown.Send);

        var answers = ProxyFixture.ReadToEnd(client);
        Assert.That(answers.Split("HTTP/1.1 200 "), Has.Length.EqualTo(3));
        Assert.That(answers, Does.EndWith("ok"));
        Assert.That(answers.IndexOf("connection: close", StringComparison.Ordinal), Is.EqualTo(-1).Or.GreaterThan(answers.IndexOf("ok", StringComparison.Ordinal)));
    }

    [Test]
    public void A_client_that_ends_in_the_middle_of_its_body_is_gone()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
        using var client = proxy.Connect();
        client.Send("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 10\r\n\r\nhalf"u8);
        client.Shutdown(SocketShutdown.Send);

        Assert.That(ProxyFixture.ReadToEnd(client), Does.Not.Contain("200"));
        Assert.That(() => proxy.Server.Snapshot().Requests.SingleOrDefault()?.Reason, Is.EqualTo(CloseReason.DownstreamClosed).After(ProxyFixture.Patience, 20));
    }

    [Test]
    public void A_client_that_resets_after_it_ended_its_side_ends_the_request()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Silent);
        using var client = proxy.Connect();
        client.Send(Encoding.ASCII.GetBytes(Request));
        client.Shutdown(SocketShutdown.Send);
        Assert.That(() => proxy.Server.Snapshot().UpstreamActive, Is.EqualTo(1).After(ProxyFixture.Patience, 20));
        Assert.That(proxy.Server.Snapshot().Requests, Is.Empty, "the request goes on");
        client.LingerState = new LingerOption(true, 0);
        client.Dispose();

        Assert.That(() => proxy.Server.Snapshot().Requests.SingleOrDefault()?.Reason, Is.EqualTo(CloseReason.DownstreamClosed).After(ProxyFixture.Patience, 20));
    }
}
