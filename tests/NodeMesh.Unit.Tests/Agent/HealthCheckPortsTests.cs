using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using NodeMesh.Agent.Hosting;
using NodeMesh.Model;
using NodeMesh.Testing;

namespace NodeMesh.Unit.Tests.Agent;

public sealed class HealthCheckPortsTests
{
    private static readonly ObjectName s_web = new("shop", "web");

    [TestCase(2, true, HttpStatusCode.OK)]
    [TestCase(0, true, HttpStatusCode.ServiceUnavailable)]
    [TestCase(2, false, HttpStatusCode.ServiceUnavailable)]
    public async Task Answers_as_kube_proxy_does(int backends, bool isHealthy, HttpStatusCode status)
    {
        var port = FreePort.Next();
        using var ports = new HealthCheckPorts(() => isHealthy, NullLogger.Instance);
        ports.Set(new Dictionary<ushort, HealthAnswer> { [port] = new(s_web, backends) });
        using var client = new HttpClient();
        using var response = await client.GetAsync(new Uri($"http://127.0.0.1:{port}/healthz"));
        Assert.That(response.StatusCode, Is.EqualTo(status));
        Assert.That(response.Content.Headers.ContentType?.ToString(), Is.EqualTo("application/json"));
        Assert.That(response.Headers.GetValues("X-Content-Type-Options").Single(), Is.EqualTo("nosniff"));
        Assert.That(response.Headers.GetValues("X-Load-Balancing-Endpoint-Weight").Single(), Is.EqualTo($"{backends}"));
        var body = string.Concat((await response.Content.ReadAsStringAsync()).Where(c => !char.IsWhiteSpace(c)));
        Assert.That(body, Is.EqualTo($$"""{"service":{"namespace":"shop","name":"web"},"localEndpoints":{{backends}},"serviceProxyHealthy":{{(isHealthy ? "true" : "false")}}}"""));

        ports.Set(new Dictionary<ushort, HealthAnswer>());
        Assert.That(async () => await client.GetAsync(new Uri($"http://127.0.0.1:{port}/")), Throws.InstanceOf<HttpRequestException>(), "closed when nobody asks for it");
    }

    [Test]
    public void Counts_the_ready_backends_of_this_node_once_each()
    {
        Backend At(string ip, string node, ushort port = 80, bool notReady = false) => new(IpAddr.Parse(ip), port, node) { NotReady = notReady };
        var service = new Service(s_web, [IpAddr.Parse("10.96.0.1")],
        [
            new ServicePort("a", Protocol.Tcp, 80, "", [At("10.0.0.1", "here"), At("10.0.0.2", "there"), At("10.0.0.3", "here", notReady: true)]),
            new ServicePort("b", Protocol.Tcp, 81, "", [At("10.0.0.1", "here", 81)]),
        ])
        { HealthCheckNodePort = 30999 };
        var answers = HealthAnswer.Of(MeshSnapshot.Empty with { Services = [service] }, "here");
        Assert.That(answers, Is.EquivalentTo(new Dictionary<ushort, HealthAnswer> { [30999] = new(s_web, 1) }));
    }
}
