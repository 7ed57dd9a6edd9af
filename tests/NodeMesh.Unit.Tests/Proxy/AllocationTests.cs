namespace NodeMesh.Unit.Tests.Proxy;

[TestFixture]
[NonParallelizable]
public class AllocationTests
{
    private const int Requests = 20_000;

    [Test]
    public void A_proxied_request_allocates_nothing()
    {
        using var proxy = new ProxyFixture(socket =>
        {
            var buffer = new byte[4096];
            while (socket.Receive(buffer) > 0)
                socket.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"u8);
        });
        using var client = proxy.Connect();
        var answer = new byte[4096];
        for (var i = 0; i < 2_000; i++)
            Once();

        // The whole process, test client and backend with it. What a request allocates shows in every round; tiering and what other tests left running
        // do not.
        var perRequest = double.MaxValue;
        for (var round = 0; round < 10 && perRequest >= 1.0; round++)
        {
            var before = GC.GetTotalAllocatedBytes(precise: true);
            for (var i = 0; i < Requests; i++)
                Once();
            perRequest = Math.Min(perRequest, (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)Requests);
        }

        Assert.That(perRequest, Is.LessThan(1.0));

        void Once()
        {
            client.Send("GET /path?q=1 HTTP/1.1\r\nHost: web\r\nUser-Agent: test\r\n\r\n"u8);
            Assume(client.Receive(answer) > 0);
        }

        static void Assume(bool condition)
        {
            if (!condition)
                throw new InvalidOperationException("the proxy closed the connection");
        }
    }
}
