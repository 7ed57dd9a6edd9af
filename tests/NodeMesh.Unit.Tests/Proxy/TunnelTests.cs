using NodeMesh.Plan;
using NodeMesh.Proxy;

namespace NodeMesh.Unit.Tests.Proxy;

[TestFixture]
public class TunnelTests
{
    [Test]
    public void A_server_that_speaks_first_is_heard_on_an_undeclared_port()
    {
        using var proxy = new ProxyFixture(
            socket =>
            {
                socket.Send("220 mail\r\n"u8);
                var buffer = new byte[100];
                var n = socket.Receive(buffer);
                socket.Send(buffer.AsSpan(0, n));
            },
            AppProtocol.Sniff);
        using var client = proxy.Connect();
        Assert.That(ProxyFixture.ReadUntil(client, "\r\n"), Is.EqualTo("220 mail\r\n"));
        client.Send("EHLO me\r\n"u8);
        Assert.That(ProxyFixture.ReadToEnd(client), Is.EqualTo("EHLO me\r\n"));
    }

    [TestCase("\u0016\u0003\u0001 hello")]
    [TestCase("PING\r\n")]
    [TestCase("get key\r\n")]
    [TestCase("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]
    [TestCase("ABC")]
    public void What_is_no_http_passes_untouched(string bytes)
    {
        var raw = System.Text.Encoding.Latin1.GetBytes(bytes);
        using var proxy = new ProxyFixture(Echo, AppProtocol.Sniff);
        using var client = proxy.Connect();
        client.Send(raw);
        Assert.That(ProxyFixture.ReadUntil(client, bytes), Is.EqualTo(bytes));
    }

    [Test]
    public void Http_on_an_undeclared_port_is_treated_as_http_over_the_connection_made_early()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Each((head, _) => $"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{(head.Contains("x-request-id") ? 'y' : 'n')}"), AppProtocol.Sniff);
        using var client = proxy.Connect();
        client.Send("GET / HTTP/1.1\r\nHost: web\r\n\r\n"u8);
        Assert.That(ProxyFixture.ReadUntil(client, "y"), Does.StartWith("HTTP/1.1 200"));
        Assert.That(proxy.Backend.Connections, Is.EqualTo(1));
    }

    [Test]
    public void Half_a_close_passes_and_the_other_half_goes_on()
    {
        using var proxy = new ProxyFixture(
            socket =>
            {
                var buffer = new byte[100];
                var total = 0;
                for (int n; (n = socket.Receive(buffer)) > 0;)
                    total += n;
                socket.Send(System.Text.Encoding.ASCII.GetBytes($"got {total}"));
            },
            AppProtocol.Tcp);
        using var client = proxy.Connect();
        client.Send("12345"u8);
        client.Shutdown(System.Net.Sockets.SocketShutdown.Send);
        Assert.That(ProxyFixture.ReadToEnd(client), Is.EqualTo("got 5"));
    }

    [Test]
    public void The_listener_itself_is_no_destination()
    {
        using var proxy = new ProxyFixture(Echo, tune: o => o with { DirectDestination = null });
        using var client = proxy.Connect();
        Assert.That(ProxyFixture.ReadToEnd(client), Is.EqualTo("<reset>"));
        Assert.That(proxy.Server.Snapshot().ConnectionErrors[CloseReason.DialledListener], Is.EqualTo(1));
    }

    [Test]
    public void One_client_cannot_take_more_than_its_share()
    {
        using var proxy = new ProxyFixture(Echo, AppProtocol.Tcp, o => o with { MaxConnectionsPerPod = 2 });
        using var a = proxy.Connect();
        using var b = proxy.Connect();
        a.Send("x"u8);
        ProxyFixture.ReadUntil(a, "x");
        using var c = proxy.Connect();
        Assert.That(ProxyFixture.ReadToEnd(c), Is.EqualTo("<reset>"));
    }

    private static void Echo(System.Net.Sockets.Socket socket)
    {
        var buffer = new byte[4096];
        for (int n; (n = socket.Receive(buffer)) > 0;)
            socket.Send(buffer.AsSpan(0, n));
    }
}
