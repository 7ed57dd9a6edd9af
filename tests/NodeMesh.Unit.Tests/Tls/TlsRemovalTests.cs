using System.Collections.Immutable;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using NodeMesh.Model;
using NodeMesh.Native.Tls;
using NodeMesh.Plan;
using NodeMesh.Proxy.Tls;

namespace NodeMesh.Unit.Tests.Tls;

public sealed class TlsRemovalTests
{
    private static readonly Certificate Www = TestCertificates.Make("www", "www.example.com");

    [Test]
    public void A_gateway_that_no_plan_names_serves_handshakes_under_way_and_no_new_ones()
    {
        using var server = new TlsEchoServer(null, ("www.example.com", [Www]));
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 60_000, SendTimeout = 60_000 };
        socket.Connect(IPAddress.Loopback, server.Port);
        Assert.That(() => server.Accepted, Is.EqualTo(1).After(60_000, 5));
        server.Forget();
        Collect();

        using var stream = new SslStream(new NetworkStream(socket), leaveInnerStreamOpen: false, (_, _, _, _) => true);
        stream.AuthenticateAsClient("www.example.com");
        Assert.That(TlsClient.Subject(stream), Is.EqualTo("www"));
        Collect();
        TlsClient.Exchange(stream, "still here");

        Assert.That(() => TlsClient.Connect(server.Port, "www.example.com"), Throws.InstanceOf<Exception>());
        Assert.That(server.Next().Failure, Does.Contain("no usable certificate"));
    }

    [Test]
    public void A_gateway_that_comes_back_serves_again()
    {
        using var server = new TlsEchoServer(null, ("www.example.com", [Www]));
        server.Forget();
        server.Apply(("www.example.com", [Www]));
        using var client = TlsClient.Connect(server.Port, "www.example.com");
        TlsClient.Exchange(client, "again");
    }

    [Test]
    public void Nothing_of_a_removed_gateway_stays_in_memory()
    {
        var gone = MakeAndDispose();
        Assert.That(() => { Collect(); return gone.IsAlive; }, Is.False.After(60_000, 50));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference MakeAndDispose()
    {
        var gateway = new TlsGateway("edge/gone:443", new TicketKeyRing(TimeProvider.System));
        gateway.Apply(new GatewayPlan("edge/gone:443", new IPEndPoint(IPAddress.Loopback, 443), ListenerProtocol.Https,
            [new GatewayHostPlan("l", "www.example.com", ImmutableArray.Create(Www), new RouteTablePlan([]))]));
        gateway.Dispose();
        return new WeakReference(gateway);
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }
}
