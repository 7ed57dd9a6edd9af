using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Proxy;
using NodeMesh.Proxy.Tls;
using NodeMesh.Testing;
using NodeMesh.Unit.Tests.Proxy;
using NodeMesh.Unit.Tests.Routing;

namespace NodeMesh.Unit.Tests.Tls;

/// <summary>A whole HTTPS gateway: TLS, route, backend, with curl as the client.</summary>
public sealed class TlsGatewayTests
{
    private static readonly Certificate One = TestCertificates.Make("one", "www.example.com");
    private static readonly Certificate Two = TestCertificates.Make("two", "www.example.com");

    private ScriptedBackend _backend = null!;
    private ProxyServer _server = null!;
    private int _port;

    [SetUp]
    public void Start()
    {
        _backend = new ScriptedBackend(ScriptedBackend.Each((head, _) =>
            $"HTTP/1.1 200 OK\r\nContent-Length: {head.Split("\r\n")[0].Length}\r\n\r\n{head.Split("\r\n")[0]}"));
        _port = FreePort.Next();
        var options = new ProxyOptions { Port = 0, Workers = 2, Transparent = false, KeepSource = false };
        _server = new ProxyServer(
            options, new ProxyState(Plan(One)), NullLogger.Instance, TimeProvider.System, new TlsContextStore(TlsOptions.Default, TimeProvider.System));
        _server.Start();
        Assert.That(() => Curl("--version 2>&1 | head -1"), Does.StartWith("curl"));
    }

    [TearDown]
    public void Stop()
    {
        _server.Dispose();
        _backend.Dispose();
    }

    [TestCase("--tlsv1.2 --tls-max 1.2")]
    [TestCase("--tlsv1.3")]
    public void A_request_is_decrypted_and_routed(string version)
    {
        Assert.That(Request($"{version} -w '|%{{http_code}}' https://www.example.com:{_port}/a?b"), Is.EqualTo("GET /a?b HTTP/1.1|200"));
        Assert.That(Request($"{version} -w '|%{{http_code}}' https://www.example.com:{_port}/none -H 'Host: other.test'"), Does.EndWith("|404").Or.EndWith("|421"));
    }

    [Test]
    public void A_certificate_is_swapped_under_requests_without_a_failure()
    {
        var urls = string.Join(' ', Enumerable.Repeat($"https://www.example.com:{_port}/x", 300));
        using var done = new CancellationTokenSource();
        var swaps = 0;
        var swapper = Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
            {
                _server.Publish(Plan(swaps++ % 2 == 0 ? Two : One));
                Thread.Sleep(10);
            }
        });
        var kept = Request($"--fail {urls}");
        var fresh = Request($"--fail --no-keepalive -H 'Connection: close' {urls}");
        done.Cancel();
        swapper.Wait();
        Assert.That(kept.Split("GET /x HTTP/1.1").Length - 1, Is.EqualTo(300));
        Assert.That(fresh.Split("GET /x HTTP/1.1").Length - 1, Is.EqualTo(300));
        Assert.That(swaps, Is.GreaterThan(3));
    }

    private ProxyPlan Plan(Certificate certificate)
    {
        var cluster = new ClusterPlan("shop/web:80", [new EndpointAddress(IpAddr.Parse("127.0.0.1"), _backend.Port)]);
        var action = Routes.Action("shop/web", targets: [new RouteTargetPlan(cluster, 1, [], [])]);
        var routes = Routes.Table(("www.example.com", [new RouteEntryPlan(Routes.Prefix("/"), action)]));
        var host = new GatewayHostPlan("https", "www.example.com", [certificate], routes);
        return ProxyPlan.Empty with
        {
            Revision = 1,
            Gateways = [new GatewayPlan("edge/web:443", new IPEndPoint(IPAddress.Loopback, _port), ListenerProtocol.Https, [host])],
            NodeAddressV4 = IpAddr.Parse("127.0.0.1"),
        };
    }

    private string Request(string arguments) => Curl($"-sS -k --max-time 120 --resolve www.example.com:{_port}:127.0.0.1 {arguments} 2>&1");

    private static string Curl(string arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("sh", ["-c", "curl " + arguments]) { RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output.Trim();
    }
}
