using System.Collections.Frozen;
using System.Net;
using System.Net.Sockets;
using System.Text;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Proxy;
using NodeMesh.Testing;

namespace NodeMesh.Unit.Tests.Proxy;

[TestFixture]
public class SourceAndPolicyTests
{
    private static readonly IpAddr Pod = IpAddr.Parse("127.0.0.2");

    [Test]
    public void A_pod_without_a_verdict_for_its_peer_gets_403()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), plan: p => WithPod(p, policySet: 7));
        var answer = From(Pod, proxy, "GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n");
        Assert.That(answer, Does.StartWith("HTTP/1.1 403 ").And.EndsWith("RBAC: access denied"));
        Assert.That(proxy.Server.Snapshot().Requests.Single().Reason, Is.EqualTo(CloseReason.PolicyDenied));
        Assert.That(proxy.Backend.Connections, Is.Zero);
    }

    [Test]
    public void A_refused_request_with_its_body_there_leaves_the_connection_usable()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Always(""), plan: p => WithPod(p, policySet: 7));
        const string Request = "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n\r\nhello";
        var answer = From(Pod, proxy, Request + Request + "GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n");
        Assert.That(answer.Split("HTTP/1.1 403 "), Has.Length.EqualTo(4));
    }

    [Test]
    public void A_pod_without_a_verdict_cannot_open_a_tunnel()
    {
        using var proxy = new ProxyFixture(socket => socket.Send("secret"u8), AppProtocol.Tcp, plan: p => WithPod(p, policySet: 7));
        Assert.That(From(Pod, proxy, "hello"), Is.EqualTo("<reset>"));
        Assert.That(proxy.Backend.Connections, Is.Zero);
    }

    /// <summary>Needs CAP_NET_ADMIN for IP_TRANSPARENT and SO_MARK; fails without it.</summary>
    [Test]
    [Category("root")]
    public void The_backend_sees_the_pods_address_and_a_reserved_port()
    {
        var seen = "";
        using var proxy = new ProxyFixture(
            socket =>
            {
                seen = socket.RemoteEndPoint!.ToString()!;
                ScriptedBackend.Always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")(socket);
            },
            tune: o => o with { KeepSource = true, Transparent = true },
            plan: p => WithPod(p, policySet: 0));
        var answer = From(Pod, proxy, "GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n");
        Assert.That(answer, Does.EndWith("hi"));
        var peer = IPEndPoint.Parse(seen);
        Assert.That(peer.Address, Is.EqualTo(Pod.ToIPAddress()));
        Assert.That(peer.Port, Is.InRange(61000, 65535));
    }

    [Test]
    public void A_gateway_serves_its_hosts_and_tells_backends_who_called()
    {
        var seen = "";
        var port = FreePort.Next();
        using var proxy = new ProxyFixture(ScriptedBackend.Each((head, _) =>
        {
            seen = head;
            return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        }));
        proxy.Server.Publish(WithGateway(proxy, port));
        Assert.That(proxy.Server.Snapshot().Listeners.Single().Listening, Is.True);

        var answer = To(port, "GET / HTTP/1.1\r\nHost: www.example.com\r\nx-request-id: forged\r\nX-Forwarded-For: 1.2.3.4\r\nConnection: close\r\n\r\n");
        Assert.That(answer, Does.EndWith("hi"));
        Assert.That(seen, Does.Contain("x-forwarded-for: 1.2.3.4, 127.0.0.1\r\n").And.Not.Contains("forged"));
        Assert.That(To(port, "GET / HTTP/1.1\r\nHost: other.example.com\r\nConnection: close\r\n\r\n"), Does.StartWith("HTTP/1.1 404 "));

        proxy.Server.Publish(proxy.Plan with { Revision = 3 });
        proxy.Server.Snapshot();
        Assert.That(() => To(port, "GET / HTTP/1.1\r\n\r\n"), Throws.InstanceOf<SocketException>());
    }

    [Test]
    public void A_gateway_port_that_is_taken_is_reported_and_the_others_work_on()
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        taken.Listen();
        using var proxy = new ProxyFixture(ScriptedBackend.Always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
        proxy.Server.Publish(WithGateway(proxy, (ushort)((IPEndPoint)taken.LocalEndPoint!).Port));
        var status = proxy.Server.Snapshot().Listeners.Single();
        Assert.That(status.Listening, Is.False);
        Assert.That(status.Problem, Does.Contain("in use"));
        Assert.That(proxy.Exchange("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"), Does.EndWith("hi"));
    }

    [Test]
    public void A_second_proxy_on_the_same_port_says_so()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Always(""));
        using var second = new ProxyServer(
            new ProxyOptions { Port = proxy.Server.Port, Transparent = false },
            new ProxyState(ProxyPlan.Empty),
            Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance,
            TimeProvider.System);
        Assert.That(second.Start, Throws.InstanceOf<ProxyStartException>().With.Message.Contains("in use"));
    }

    private static ProxyPlan WithPod(ProxyPlan plan, uint policySet) => plan with
    {
        LocalPods = new Dictionary<IpAddr, LocalPodPlan> { [Pod] = new LocalPodPlan(new ObjectName("shop", "client"), Pod, 300, policySet) }.ToFrozenDictionary(),
    };

    private static ProxyPlan WithGateway(ProxyFixture proxy, ushort port)
    {
        var action = new RouteActionPlan("shop/r", null, null, [], [], [new RouteTargetPlan(proxy.Cluster, 1, [], [])], 1, null, null);
        var match = new RouteMatch(new StringMatch(NodeMesh.Model.MatchType.PathPrefix, "/"), [], [], null);
        var routes = new RouteTablePlan([new VirtualHostPlan("www.example.com", [new RouteEntryPlan(match, action)])]);
        var host = new GatewayHostPlan("edge/web/http", "www.example.com", [], routes);
        return proxy.Plan with { Revision = 2, Gateways = [new GatewayPlan("edge/web", new IPEndPoint(IPAddress.Loopback, port), ListenerProtocol.Http, [host])] };
    }

    private static string From(IpAddr source, ProxyFixture proxy, string text)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = ProxyFixture.Patience };
        socket.Bind(new IPEndPoint(source.ToIPAddress(), 0));
        socket.Connect(IPAddress.Loopback, proxy.Server.Port);
        try
        {
            socket.Send(Encoding.Latin1.GetBytes(text));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // Refused before it could say anything.
            return "<reset>";
        }

        return ProxyFixture.ReadToEnd(socket);
    }

    private static string To(ushort port, string text)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = ProxyFixture.Patience };
        socket.Connect(IPAddress.Loopback, port);
        socket.Send(Encoding.Latin1.GetBytes(text));
        return ProxyFixture.ReadToEnd(socket);
    }
}
