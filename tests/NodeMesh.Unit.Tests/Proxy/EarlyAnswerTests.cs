using System.Net.Sockets;
using System.Text;
using NodeMesh.Proxy;

namespace NodeMesh.Unit.Tests.Proxy;

[TestFixture]
public class EarlyAnswerTests
{
    private const string Answer = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig";

    [Test]
    public void An_answer_given_before_the_whole_request_was_read_reaches_the_client()
    {
        using var proxy = new ProxyFixture(socket =>
        {
            socket.Receive(new byte[100]);
            socket.Send(Encoding.ASCII.GetBytes(Answer));

            // Unread bytes are there: the close is a reset.
        }, tune: o => o with { DelayedClose = TimeSpan.FromMinutes(1) });
        for (var i = 0; i < 20; i++)
        {
            using var client = proxy.Connect();
            client.Send("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 10000000\r\n\r\n"u8);
            for (var n = 0; n < 20; n++)
            {
                client.Send(new byte[8192]);
                Thread.Sleep(1);
            }

            Assert.That(ProxyFixture.ReadUntil(client, "big"), Does.StartWith("HTTP/1.1 413 "));
        }

        Assert.That(() => proxy.Server.Snapshot().Requests.Sum(r => r.Count), Is.EqualTo(20).After(ProxyFixture.Patience, 20));
        Assert.That(proxy.Server.Snapshot().Requests.Select(r => r.Code), Is.All.EqualTo(413));
    }

    [Test]
    public void A_backend_that_resets_without_an_answer_gives_503_UC()
    {
        using var proxy = new ProxyFixture(socket =>
        {
            socket.Receive(new byte[100]);
            socket.LingerState = new LingerOption(true, 0);
        });
        using var client = proxy.Connect();
        client.Send("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 1000000\r\n\r\n"u8);
        client.Send(new byte[65536]);
        Assert.That(ProxyFixture.ReadToEnd(client), Does.StartWith("HTTP/1.1 503 "));
        Assert.That(proxy.Server.Snapshot().Requests.Single().Reason, Is.EqualTo(CloseReason.UpstreamClosed));
    }
}
