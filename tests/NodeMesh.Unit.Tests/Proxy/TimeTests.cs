using System.Collections.Frozen;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using NodeMesh.Model;
using NodeMesh.Native.Net;
using NodeMesh.Plan;
using NodeMesh.Proxy;
using NodeMesh.Proxy.Engine;
using MatchType = NodeMesh.Model.MatchType;

namespace NodeMesh.Unit.Tests.Proxy;

[TestFixture]
public class TimeTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n";
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(300);

    [Test]
    public void A_time_set_by_the_route_covers_the_response_and_resets_it()
    {
        using var proxy = new ProxyFixture(Begin, time: new ManualTime(), plan: p => WithTimes(p, Short, null, covers: true));
        Assert.That(ReadBegunAsTimePasses(proxy), Is.EqualTo("<reset>"));
        Assert.That(proxy.Server.Snapshot().Requests.Single().Reason, Is.EqualTo(CloseReason.UpstreamTimeout));
    }

    [Test]
    public void The_default_time_ends_with_the_responses_head()
    {
        var time = new ManualTime();
        using var late = new ManualResetEventSlim();
        using var proxy = new ProxyFixture(
            socket =>
            {
                socket.Receive(new byte[4096]);
                socket.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"u8);
                late.Wait();
                socket.Send("xxxxxxxxx"u8);
            },
            time: time, plan: p => WithTimes(p, Short, null, covers: false));
        using var client = proxy.Connect();
        client.Send(Encoding.ASCII.GetBytes(Get));
        ProxyFixture.ReadUntil(client, "x");
        time.Advance(Short * 10);
        proxy.Server.Snapshot();
        late.Set();
        Assert.That(ProxyFixture.ReadToEnd(client), Is.EqualTo("xxxxxxxxx"));
    }

    [Test]
    public void The_time_of_a_try_covers_the_backends_response()
    {
        using var proxy = new ProxyFixture(Begin, time: new ManualTime(), plan: p => WithTimes(p, null, Short, covers: false));
        Assert.That(ReadBegunAsTimePasses(proxy), Is.EqualTo("<reset>"));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_routes_time_that_is_up_before_the_head_gives_504_UT(bool whole)
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Silent, time: new ManualTime(), plan: p => WithTimes(p, whole ? Short : null, whole ? null : Short, covers: whole));
        Assert.That(proxy.ExchangeAsTimePasses(Get), Does.StartWith("HTTP/1.1 504 "));
        Assert.That(proxy.Server.Snapshot().Requests.Single().Reason, Is.EqualTo(CloseReason.UpstreamTimeout));
    }

    [Test]
    public void A_time_set_by_the_route_runs_while_the_request_is_still_coming()
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Silent, time: new ManualTime(), plan: p => WithTimes(p, Short, null, covers: true));
        Assert.That(proxy.ExchangeAsTimePasses("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n\r\nhe"), Does.StartWith("HTTP/1.1 504 "));
    }

    [Test]
    public void A_backend_that_does_not_take_the_connection_gives_503_UF()
    {
        // A full accept queue: SYNs are dropped.
        using var stuck = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        stuck.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        stuck.Listen(0);
        var address = (IPEndPoint)stuck.LocalEndPoint!;
        using var a = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        a.Connect(address);
        using var proxy = new ProxyFixture(
            _ => { }, tune: o => o with { ConnectTimeout = Short }, time: new ManualTime(),
            plan: p => WithCluster(p, new ClusterPlan("shop/stuck:80", [new EndpointAddress(IpAddr.Parse("127.0.0.1"), (ushort)address.Port)])));
        Assert.That(proxy.ExchangeAsTimePasses(Get), Does.StartWith("HTTP/1.1 503 "));
        Assert.That(proxy.Server.Snapshot().Requests.Single().Reason, Is.EqualTo(CloseReason.UpstreamConnectFailure));
    }

    [TestCase(Get, "HTTP/1.1 504 ")]
    [TestCase("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n\r\nhe", "HTTP/1.1 408 ")]
    public void A_stream_without_a_byte_for_too_long_ends(string request, string expected)
    {
        using var proxy = new ProxyFixture(ScriptedBackend.Silent, tune: o => o with { StreamIdleTimeout = Short }, time: new ManualTime());
        Assert.That(proxy.ExchangeAsTimePasses(request), Does.StartWith(expected));
        Assert.That(proxy.Server.Snapshot().Requests.Single().Reason, Is.EqualTo(CloseReason.StreamIdle));
    }

    [Test]
    public void A_response_without_a_byte_for_too_long_is_reset()
    {
        using var proxy = new ProxyFixture(Begin, tune: o => o with { StreamIdleTimeout = Short }, time: new ManualTime());
        Assert.That(ReadBegunAsTimePasses(proxy), Is.EqualTo("<reset>"));
        Assert.That(proxy.Server.Snapshot().Requests.Single().Reason, Is.EqualTo(CloseReason.StreamIdle));
    }

    [Test]
    public void A_timer_that_throws_is_closed_and_the_others_go_on()
    {
        var shared = new WorkerShared(
            new ProxyOptions { Transparent = false, Workers = 1 }, new ProxyState(ProxyPlan.Empty), NullLogger.Instance, TimeProvider.System, null, []);
        using var worker = new Worker(0, shared, accessLog: false);
        var bad = new Probe(_ => throw new InvalidOperationException("a defect"));
        var good = new Probe(_ => worker.Stop());
        worker.Timers.Set(bad, worker.Now + 10);
        worker.Timers.Set(good, worker.Now + 150);
        var thread = new Thread(worker.Run);
        thread.Start();
        Assert.That(thread.Join(ProxyFixture.Patience));
        Assert.That((bad.Failures, good.Failures), Is.EqualTo((1, 0)));
    }

    /// <summary>A backend that never goes on after the first byte of its body.</summary>
    private static void Begin(Socket socket)
    {
        socket.Receive(new byte[4096]);
        socket.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"u8);
        ScriptedBackend.Silent(socket);
    }

    /// <summary>What the client gets after that byte as time passes.</summary>
    private static string ReadBegunAsTimePasses(ProxyFixture proxy)
    {
        using var client = proxy.Connect();
        client.Send(Encoding.ASCII.GetBytes(Get));
        Assert.That(ProxyFixture.ReadUntil(client, "x"), Does.StartWith("HTTP/1.1 200 "));
        proxy.PassTime(client);
        return ProxyFixture.ReadToEnd(client);
    }

    private static ProxyPlan WithTimes(ProxyPlan plan, TimeSpan? whole, TimeSpan? each, bool covers)
    {
        var service = plan.Services.Values.Single();
        var action = new RouteActionPlan("shop/r", null, null, [], [], [new RouteTargetPlan(service.Cluster, 1, [], [])], 1, whole, each, covers);
        var match = new RouteMatch(new StringMatch(MatchType.PathPrefix, "/"), [], [], null);
        return With(plan, service with { Routes = new RouteTablePlan([new VirtualHostPlan("*", [new RouteEntryPlan(match, action)])]) });
    }

    private static ProxyPlan WithCluster(ProxyPlan plan, ClusterPlan cluster) => With(plan, plan.Services.Values.Single() with { Cluster = cluster });

    private static ProxyPlan With(ProxyPlan plan, ServicePlan service) => plan with
    {
        Services = new Dictionary<ServiceAddress, ServicePlan> { [plan.Services.Keys.Single()] = service }.ToFrozenDictionary(),
    };

    private sealed class Probe(Action<long> due) : IoHandler
    {
        public int Failures { get; private set; }

        public override void OnReady(EpollFlags flags)
        {
            // It has no socket.
        }

        public override void OnTimer(long now) => due(now);

        public override void Fail() => Failures++;
    }
}
