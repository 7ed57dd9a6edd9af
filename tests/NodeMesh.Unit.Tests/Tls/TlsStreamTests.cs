using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using NodeMesh.Model;
using NodeMesh.Native.Tls;

namespace NodeMesh.Unit.Tests.Tls;

public sealed class TlsStreamTests
{
    private static readonly Certificate One = TestCertificates.Make("one", "www.example.com");
    private static readonly Certificate Two = TestCertificates.Make("two", "www.example.com");

    [Test]
    public void A_certificate_is_swapped_under_load_without_a_failure()
    {
        using var server = new TlsEchoServer(null, ("*", [One]));
        using var live = TlsClient.Connect(server.Port, "www.example.com");
        using var done = new CancellationTokenSource();
        var subjects = new System.Collections.Concurrent.ConcurrentDictionary<string, int>();
        var clients = Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
            {
                using var client = TlsClient.Connect(server.Port, "www.example.com");
                TlsClient.Exchange(client, "hello");
                subjects.AddOrUpdate(TlsClient.Subject(client), 1, (_, n) => n + 1);
            }
        })).ToArray();

        // A busy machine may get few handshakes in between two swaps, so it is their outcome that ends the load, not a count.
        var deadline = Environment.TickCount64 + 60_000;
        for (var i = 0; i < 60 || (subjects.Count < 2 && Environment.TickCount64 < deadline); i++)
        {
            server.Apply(("*", [i % 2 == 0 ? Two : One]));
            TlsClient.Exchange(live, "still here");
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Thread.Sleep(15);
        }

        done.Cancel();
        Assert.DoesNotThrow(() => Task.WaitAll(clients));
        Assert.That(subjects.Keys, Is.EquivalentTo(new[] { "one", "two" }));
        Assert.That(TlsClient.Subject(live), Is.EqualTo("one"));
    }

    [Test]
    public void A_refused_certificate_leaves_the_last_good_one()
    {
        using var server = new TlsEchoServer(null, ("*", [One]));
        var mixed = new Certificate(new ObjectName("edge", "mixed"), Two.ChainPem, One.KeyPem, "mixed", Two.NotAfter);
        server.Apply(("*", [mixed]));
        Assert.That(server.Problem, Does.Contain("edge/mixed").And.Contain("does not fit"));
        server.Apply(("*", [TestCertificates.From("junk", "junk", "junk")]));
        Assert.That(server.Problem, Does.Contain("edge/junk"));
        using var client = TlsClient.Connect(server.Port, "www.example.com");
        Assert.That(TlsClient.Subject(client), Is.EqualTo("one"));
    }

    [TestCase(SslProtocols.Tls12)]
    [TestCase(SslProtocols.Tls13)]
    public void A_client_that_writes_without_reading_gets_every_byte_in_the_end(SslProtocols version)
    {
        using var server = new TlsEchoServer(null, ("*", [One]));
        using var client = TlsClient.Connect(server.Port, "www.example.com", version);
        var sent = new byte[24 * 1024 * 1024];
        new Random(1).NextBytes(sent);
        var writer = Task.Run(() => client.Write(sent));
        Thread.Sleep(300);
        Assert.That(writer.IsCompleted, Is.False, "the server holds back instead of buffering");
        var got = new byte[sent.Length];
        client.ReadExactly(got);
        writer.Wait();
        Assert.That(got.AsSpan().SequenceEqual(sent));
    }

    [Test]
    public void An_abrupt_end_is_told_from_an_orderly_one()
    {
        using var server = new TlsEchoServer(null, ("*", [One]));
        var client = TlsClient.Connect(server.Port, "www.example.com");
        TlsClient.Exchange(client, "hello");
        client.ShutdownAsync().Wait();
        Assert.That(server.Next().Failure, Is.Null);
        client.Dispose();

        using (var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp))
        {
            socket.Connect(IPAddress.Loopback, server.Port);
            var cut = new System.Net.Security.SslStream(new NetworkStream(socket), false, (_, _, _, _) => true);
            cut.AuthenticateAsClient("www.example.com");
            TlsClient.Exchange(cut, "hello");
        }

        Assert.That(server.Next().Failure, Does.Contain("without close_notify"));
    }

    [Test]
    public void Writing_to_a_client_that_reset_the_connection_fails_and_raises_no_signal()
    {
        using var server = new TlsEchoServer(null, ("*", [One]));
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(IPAddress.Loopback, server.Port);
        var client = new System.Net.Security.SslStream(new NetworkStream(socket), false, (_, _, _, _) => true);
        client.AuthenticateAsClient("www.example.com");
        client.Write(new byte[4 * 1024]);
        socket.LingerState = new LingerOption(true, 0);
        socket.Close();
        Assert.That(server.Next().Failure, Does.StartWith("tls: "));
        var ignored = File.ReadLines("/proc/self/status").Single(l => l.StartsWith("SigIgn:", StringComparison.Ordinal))[7..].Trim();
        Assert.That((Convert.ToUInt64(ignored, 16) >> 12) & 1, Is.EqualTo(1), "SIGPIPE is ignored");
    }

    [Test]
    public void Ticket_keys_rotate_and_old_ones_are_forgotten()
    {
        var time = new ManualTime();
        var ring = new TicketKeyRing(time);
        var first = ring.KeyNames.Single();
        time.Advance(TicketKeyRing.RotateEvery);
        Assert.That(ring.KeyNames, Has.Length.EqualTo(2).And.ItemAt(1).EqualTo(first));
        time.Advance(TicketKeyRing.RotateEvery);
        Assert.That(ring.KeyNames, Has.Length.EqualTo(3).And.ItemAt(2).EqualTo(first));
        time.Advance(TicketKeyRing.RotateEvery);
        Assert.That(ring.KeyNames, Has.None.EqualTo(first));
    }
}
