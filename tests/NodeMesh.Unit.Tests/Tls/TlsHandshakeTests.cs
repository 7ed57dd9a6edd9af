using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using NodeMesh.Model;
using NodeMesh.Proxy.Tls;

namespace NodeMesh.Unit.Tests.Tls;

public sealed class TlsHandshakeTests
{
    private static readonly Certificate Www = TestCertificates.Make("www", "www.example.com");
    private static readonly Certificate Wild = TestCertificates.Make("wild", "*.example.com");
    private static readonly Certificate Fallback = TestCertificates.Make("fallback");

    [TestCase(SslProtocols.Tls12, "TLSv1.2")]
    [TestCase(SslProtocols.Tls13, "TLSv1.3")]
    public void Both_versions_shake_hands_and_carry_bytes(SslProtocols version, string name)
    {
        using var server = new TlsEchoServer(null, ("www.example.com", [Www]));
        using (var client = TlsClient.Connect(server.Port, "www.example.com", version, "h2", "http/1.1"))
        {
            TlsClient.Exchange(client, "hello");
            Assert.That(client.NegotiatedApplicationProtocol.ToString(), Is.EqualTo("http/1.1"));
        }

        var served = server.Next();
        Assert.That(served.Protocol, Is.EqualTo(name));
        Assert.That(served.ServerName, Is.EqualTo("www.example.com"));
        Assert.That(served.ApplicationProtocol, Is.EqualTo("http/1.1"));
    }

    [TestCase("www.example.com", "www")]
    [TestCase("WWW.Example.COM", "www")]
    [TestCase("api.example.com", "wild")]
    [TestCase("a.b.example.com", "wild")]
    [TestCase("example.org", "fallback")]
    [TestCase("", "fallback", Description = "no SNI")]
    public void The_certificate_follows_the_server_name(string serverName, string expected)
    {
        using var server = new TlsEchoServer(null, ("www.example.com", [Www]), ("*.example.com", [Wild]), ("*", [Fallback]));
        using var client = TlsClient.Connect(server.Port, serverName);
        Assert.That(TlsClient.Subject(client), Is.EqualTo(expected));
    }

    [Test]
    public void Of_several_certificates_of_a_listener_the_one_for_the_name_is_shown()
    {
        using var server = new TlsEchoServer(null, ("*", [Wild, Www]));
        using var first = TlsClient.Connect(server.Port, "www.example.com");
        Assert.That(TlsClient.Subject(first), Is.EqualTo("wild"), "both fit: the listener's order decides");
        using var other = TlsClient.Connect(server.Port, "nowhere.test");
        Assert.That(TlsClient.Subject(other), Is.EqualTo("wild"));
        server.Apply(("*", [Fallback, Www]));
        using var fits = TlsClient.Connect(server.Port, "www.example.com");
        Assert.That(TlsClient.Subject(fits), Is.EqualTo("www"));
    }

    [TestCase("-servername other.test")]
    [TestCase("-noservername")]
    public void An_unknown_server_name_is_refused_with_its_alert(string argument)
    {
        using var server = new TlsEchoServer(null, ("www.example.com", [Www]));
        Assert.That(TlsClient.OpenSsl(server.Port, argument), Does.Contain("unrecognized name"));
        Assert.That(server.Next().Failure, Does.StartWith("tls: "));
    }

    [Test]
    public void A_client_without_a_common_version_is_refused_with_its_alert()
    {
        using var server = new TlsEchoServer(null, ("*", [Www]));
        var output = TlsClient.OpenSsl(server.Port, "-tls1_1 -cipher DEFAULT@SECLEVEL=0");
        Assert.That(output, Does.Contain("protocol version"));
        Assert.That(server.Next().Failure, Does.Contain("unsupported protocol"));
    }

    [TestCase("-tls1_2")]
    [TestCase("-tls1_3")]
    public void A_session_is_resumed_also_after_the_certificate_changed_for_other_hosts(string version)
    {
        using var server = new TlsEchoServer(null, ("www.example.com", [Www]), ("*", [Fallback]));
        var file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            TlsClient.OpenSsl(server.Port, $"{version} -servername www.example.com -sess_out {file}", "hello");
            Assert.That(server.Next().Resumed, Is.False);
            server.Apply(("www.example.com", [Www]), ("*", [TestCertificates.Make("new")]));
            TlsClient.OpenSsl(server.Port, $"{version} -servername www.example.com -sess_in {file}", "hello");
            Assert.That(server.Next().Resumed, Is.True);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Test]
    public void Renegotiation_is_refused()
    {
        using var server = new TlsEchoServer(null, ("*", [Www]));
        var output = TlsClient.OpenSsl(server.Port, "-tls1_2", "hello", "R");
        Assert.That(output, Does.Contain("no renegotiation"));
    }

    [Test]
    public void A_client_that_stalls_is_dropped_in_time()
    {
        using var server = new TlsEchoServer(TlsOptions.Default with { HandshakeTimeout = TimeSpan.FromMilliseconds(200) }, ("*", [Www]));
        using var client = new TcpClient();
        client.Connect(IPAddress.Loopback, server.Port);
        client.GetStream().Write([0x16, 3, 1]);
        Assert.That(server.Next().Failure, Is.EqualTo("tls: handshake timeout"));
    }

    [Test]
    public void One_address_has_only_so_many_unfinished_handshakes()
    {
        using var server = new TlsEchoServer(TlsOptions.Default with { HandshakesPerClient = 2 }, ("*", [Www]));
        var stalled = Enumerable.Range(0, 2).Select(_ => new TcpClient("127.0.0.1", server.Port)).ToArray();
        using (var third = new TcpClient("127.0.0.1", server.Port))
            Assert.That(server.Next().Failure, Does.Contain("too many unfinished handshakes"));
        foreach (var client in stalled)
            client.Dispose();
        server.Next();
        server.Next();
        using var again = TlsClient.Connect(server.Port, "x.test");
        TlsClient.Exchange(again, "room again");
    }

    [Test]
    public void Bytes_that_are_no_TLS_are_an_error_and_no_crash()
    {
        using var server = new TlsEchoServer(null, ("*", [Www]));
        using (var client = new TcpClient("127.0.0.1", server.Port))
            client.GetStream().Write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"u8);
        Assert.That(server.Next().Failure, Does.Contain("http request"));
    }
}
