using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace NodeMesh.Unit.Tests.Proxy;

[TestFixture]
public class BodyTests
{
    private const int MiB = 1024 * 1024;

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(16 * 1024)]
    [TestCase(32 * 1024 + 1)]
    [TestCase(3 * MiB)]
    [TestCase(256 * MiB)]
    public void A_body_goes_there_and_back_byte_for_byte_in_flat_memory(int length)
    {
        using var proxy = new ProxyFixture(Echo);
        using var client = proxy.Connect();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        client.Send(Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: {length}\r\n\r\n"));
        var sent = SHA256.Create();
        var sender = Task.Factory.StartNew(
            () =>
            {
                var random = new Random(1);
                var block = new byte[64 * 1024];
                for (var left = length; left > 0;)
                {
                    random.NextBytes(block);
                    var n = Math.Min(left, block.Length);
                    sent.TransformBlock(block, 0, n, null, 0);
                    for (var at = 0; at < n;)
                        at += client.Send(block.AsSpan(at, n - at));
                    left -= n;
                }

                sent.TransformFinalBlock([], 0, 0);
            },
            TaskCreationOptions.LongRunning);

        var received = ReadBody(client, length);
        sender.Wait();
        Assert.That(received, Is.EqualTo(sent.Hash));
        Assert.That(GC.GetTotalMemory(forceFullCollection: true) - before, Is.LessThan(8 * MiB));
    }

    [Test]
    public void A_client_that_does_not_read_stops_the_backend()
    {
        long written = 0;
        using var proxy = new ProxyFixture(socket =>
        {
            socket.Receive(new byte[4096]);
            socket.Send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n"u8);
            var block = new byte[64 * 1024];
            while (true)
                Interlocked.Add(ref written, socket.Send(block));
        });
        using var client = proxy.Connect();
        client.Send("GET / HTTP/1.1\r\nHost: web\r\n\r\n"u8);
        long last = -1;
        for (var i = 0; i < 100 && last != Interlocked.Read(ref written); i++)
        {
            last = Interlocked.Read(ref written);
            Thread.Sleep(200);
        }

        // What the kernel's socket buffers take, and no more.
        Assert.That(last, Is.LessThan(64 * MiB));
        Assert.That(proxy.Server.Snapshot().BuffersRented, Is.LessThanOrEqualTo(4));
    }

    private static byte[] ReadBody(Socket client, int length)
    {
        var buffer = new byte[256 * 1024];
        var head = "";
        var hash = SHA256.Create();
        var got = 0;
        while (true)
        {
            var n = client.Receive(buffer);
            Assert.That(n, Is.GreaterThan(0), $"closed after {got}");
            var from = 0;
            if (!head.Contains("\r\n\r\n", StringComparison.Ordinal))
            {
                var text = Encoding.Latin1.GetString(buffer, 0, n);
                var end = (head + text).IndexOf("\r\n\r\n", StringComparison.Ordinal);
                if (end < 0)
                {
                    head += text;
                    continue;
                }

                from = end + 4 - head.Length;
                head = (head + text)[..(end + 4)];
            }

            hash.TransformBlock(buffer, from, n - from, null, 0);
            got += n - from;
            if (got >= length)
                break;
        }

        hash.TransformFinalBlock([], 0, 0);
        Assert.That(got, Is.EqualTo(length));
        return hash.Hash!;
    }

    /// <summary>Sends back what comes, as it comes.</summary>
    private static void Echo(Socket socket)
    {
        var buffer = new byte[128 * 1024];
        var head = "";
        while (!head.Contains("\r\n\r\n", StringComparison.Ordinal))
            head += Encoding.Latin1.GetString(buffer, 0, socket.Receive(buffer, 1, SocketFlags.None));
        var at = head.IndexOf("Content-Length: ", StringComparison.OrdinalIgnoreCase) + 16;
        var length = int.Parse(head[at..head.IndexOf('\r', at)], System.Globalization.CultureInfo.InvariantCulture);
        socket.Send(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"));
        for (var left = length; left > 0;)
        {
            var n = socket.Receive(buffer);
            for (var sent = 0; sent < n;)
                sent += socket.Send(buffer.AsSpan(sent, n - sent));
            left -= n;
        }

        socket.Receive(buffer);
    }
}
