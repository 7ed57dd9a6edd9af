using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Proxy;
using NodeMesh.Testing;

namespace NodeMesh.Unit.Tests.Proxy;

[TestFixture]
public class ListenerRetryTests
{
    [Test]
    public void A_gateway_whose_port_was_in_use_listens_once_it_is_free()
    {
        using var holder = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        holder.Bind(new IPEndPoint(IPAddress.Loopback, FreePort.Next()));
        holder.Listen();
        var address = (IPEndPoint)holder.LocalEndPoint!;
        var plan = ProxyPlan.Empty with
        {
            Revision = 1,
            Gateways = [new GatewayPlan("edge/web:80", address, ListenerProtocol.Http, [])],
        };
        using var server = new ProxyServer(
            new ProxyOptions { Port = 0, Workers = 2, Transparent = false, KeepSource = false }, new ProxyState(plan), NullLogger.Instance, TimeProvider.System);
        server.Start();
        Assert.That(server.Snapshot().Listeners.Single().Problem, Does.Contain("in use"));

        holder.Dispose();
        Assert.That(() => server.Snapshot().Listeners.Single().Listening, Is.True.After(60_000, 50));
        Assert.That(server.Snapshot().Listeners.Single().Problem, Is.Null);

        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = ProxyFixture.Patience };
        client.Connect(address);
        client.Send("GET / HTTP/1.0\r\nHost: web\r\n\r\n"u8);
        Assert.That(ProxyFixture.ReadToEnd(client), Does.StartWith("HTTP/1.1 404 "));
    }

    [Test]
    public void A_gateway_that_the_plan_no_longer_names_is_not_tried_again()
    {
        using var holder = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        holder.Bind(new IPEndPoint(IPAddress.Loopback, FreePort.Next()));
        holder.Listen();
        var address = (IPEndPoint)holder.LocalEndPoint!;
        var plan = ProxyPlan.Empty with { Gateways = [new GatewayPlan("edge/web:80", address, ListenerProtocol.Http, [])] };
        using var server = new ProxyServer(
            new ProxyOptions { Port = 0, Workers = 1, Transparent = false, KeepSource = false }, new ProxyState(plan), NullLogger.Instance, TimeProvider.System);
        server.Start();
        server.Publish(ProxyPlan.Empty);
        holder.Dispose();
        Thread.Sleep(1500);

        Assert.That(server.Snapshot().Listeners, Is.Empty);
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        Assert.That(() => client.Connect(address), Throws.InstanceOf<SocketException>());
    }
}
