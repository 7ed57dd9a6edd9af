using System.Collections.Frozen;
using System.Net;
using System.Net.Sockets;
using System.Text;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Proxy.Upstream;

namespace NodeMesh.Unit.Tests.Proxy;

[TestFixture]
public class AddressTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n";
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

    [Test]
    public void A_request_of_http_1_0_without_host_names_what_was_dialled()
    {
        var seen = "";
        using var proxy = new ProxyFixture(ScriptedBackend.Each((head, _) =>
        {
            seen = head;
            return Ok;
        }));
        Assert.That(proxy.Exchange("GET / HTTP/1.0\r\n\r\n"), Does.EndWith("hi"));
        Assert.That(seen, Does.StartWith("GET / HTTP/1.1\r\nhost: 10.96.0.1:80\r\n"));
    }

    [Test]
    public void A_client_of_ipv6_is_served_and_its_destination_is_bracketed()
    {
        var seen = "";
        var vip = new ServiceAddress(IpAddr.Parse("fd00::1"), 80);
        using var proxy = new ProxyFixture(
            ScriptedBackend.Each((head, _) =>
            {
                seen = head;
                return Ok;
            }),
            tune: o => o with { DirectDestination = vip },
            plan: p => p with { Services = new Dictionary<ServiceAddress, ServicePlan> { [vip] = p.Services.Values.Single() }.ToFrozenDictionary() });
        using var client = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 10_000 };
        client.Connect(IPAddress.IPv6Loopback, proxy.Server.Port);
        client.Send("GET / HTTP/1.0\r\n\r\n"u8);
        Assert.That(ProxyFixture.ReadToEnd(client), Does.EndWith("hi"));
        Assert.That(seen, Does.StartWith("GET / HTTP/1.1\r\nhost: [fd00::1]:80\r\n"));
    }

    [Test]
    public void A_backend_of_ipv6_is_reached()
    {
        using var listener = new TcpListener(IPAddress.IPv6Loopback, 0);
        listener.Start();
        var accepted = Task.Run(() =>
        {
            using var socket = listener.AcceptSocket();
            socket.Receive(new byte[4096]);
            socket.Send(Encoding.ASCII.GetBytes(Ok));
        });
        var endpoint = new EndpointAddress(IpAddr.Parse("::1"), (ushort)((IPEndPoint)listener.LocalEndpoint).Port);
        using var proxy = new ProxyFixture(_ => { }, plan: p => p with
        {
            Services = new Dictionary<ServiceAddress, ServicePlan>
            {
                [p.Services.Keys.Single()] = p.Services.Values.Single() with { Cluster = new ClusterPlan("shop/six:80", [endpoint]) },
            }.ToFrozenDictionary(),
        });
        Assert.That(proxy.Exchange(Get), Does.EndWith("hi"));
        accepted.Wait(5000);
    }

    [Test]
    public void A_pod_that_reaches_itself_does_so_from_an_address_of_the_node()
    {
        // To keep the source would need privilege and a port from 61000 on; the pod and the backend are both 127.0.0.1 here.
        var pod = IpAddr.Parse("127.0.0.1");
        var port = 0;
        using var proxy = new ProxyFixture(
            socket =>
            {
                port = ((IPEndPoint)socket.RemoteEndPoint!).Port;
                ScriptedBackend.Always(Ok)(socket);
            },
            tune: o => o with { KeepSource = true },
            plan: p => p with
            {
                LocalPods = new Dictionary<IpAddr, LocalPodPlan> { [pod] = new LocalPodPlan(new ObjectName("shop", "client"), pod, 300, 0) }.ToFrozenDictionary(),
            });
        Assert.That(proxy.Exchange(Get), Does.EndWith("hi"));
        Assert.That(port, Is.LessThan(61000));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Several_workers_serve_and_their_counts_are_summed(bool sharedListener)
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Always(Ok), tune: o => o with { Workers = 3, SharedListener = sharedListener });
        Parallel.For(0, 60, _ =>
        {
            using var client = new TcpClient();
            client.Connect(IPAddress.Loopback, proxy.Server.Port);
            client.Client.Send(Encoding.ASCII.GetBytes(Get));
            Assert.That(ProxyFixture.ReadToEnd(client.Client), Does.EndWith("hi"));
        });
        Assert.That(proxy.Server.Snapshot().Requests.Single().Count, Is.EqualTo(60));
    }

    [Test]
    public void Addresses_that_are_no_service_are_remembered_up_to_a_bound()
    {
        var clusters = new DirectClusters();
        var first = new ServiceAddress(IpAddr.Parse("10.0.0.1"), 1);
        Assert.That(clusters.Of(first), Is.SameAs(clusters.Of(first)));
        for (var i = 0; i < 5000; i++)
        {
            var address = new ServiceAddress(IpAddr.Parse("10.0.0.1"), (ushort)(i + 1));
            Assert.That(clusters.Of(address).Endpoints.Single(), Is.EqualTo(new EndpointAddress(address.Address, address.Port)));
            Assert.That(clusters.Count, Is.LessThanOrEqualTo(DirectClusters.Bound));
        }
    }
}
