using System.Globalization;
using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>HTTPRoutes of Services, feature by feature, by what a backend saw and what its client got. Each case over IPv4 and IPv6.</summary>
public sealed class MeshRouteTests
{
    private readonly List<EchoServer> _servers = [];
    private NodeBox _box = null!;
    private PodBox _client = null!;
    private PodBox _guest = null!;
    private PodBox _v1 = null!;
    private PodBox _v2 = null!;
    private AgentProcess _agent = null!;

    [OneTimeSetUp]
    public async Task StartMesh()
    {
        _box = new NodeBox();
        _box.AddNamespace("mesh");
        _box.AddNamespace("consumer");
        _client = _box.AddPod("client", "mesh");
        _guest = _box.AddPod("guest", "consumer");
        _v1 = _box.AddPod("echo-v1", "mesh", "app: echo, version: v1");
        _v2 = _box.AddPod("echo-v2", "mesh", "app: echo, version: v2");
        foreach (var pod in (PodBox[])[_v1, _v2, _guest])
            _servers.Add(await EchoServer.StartAsync(pod.Netns, pod.Name, 80, 8080));
        _box.WriteConfig("mesh.yaml", MeshRoutes.All);
        _agent = _box.StartAgent().MustBeReady();
    }

    [OneTimeTearDown]
    public async Task EndMesh()
    {
        Mesh.End(_box, _agent);
        foreach (var server in _servers)
            await server.DisposeAsync();
    }

    /// <summary>What client and backend saw of one exchange, a line each: the status; "echo-v1 GET /path", "host name", "> header: value" at the backend; "&lt; header: value" at the client.</summary>
    private static string[] Exchanged(PodBox client, string service, string request, bool ipv4)
    {
        var words = request.Split(" | ");
        var (port, path) = words[0].StartsWith(':') ? (words[0][1..words[0].IndexOf('/')], words[0][words[0].IndexOf('/')..]) : ("80", words[0]);
        var (v4, v6) = MeshRoutes.Address(service);
        var options = words[1..].SelectMany(w => w.StartsWith('-') ? w.Split(' ') : ["-H", w]);
        var answer = client.Netns.Curl($"http://{service}:{port}{path}", ["-i", "--resolve", $"{service}:{port}:{(ipv4 ? v4 : v6)}", .. options]);
        var lines = answer.Body.Split('\n');
        var end = Array.IndexOf(lines, "");
        Assert.That(lines[0], Does.StartWith("HTTP/1.1 "), answer.Errors);
        Assert.That(end, Is.Positive, "the head of an answer has an end");
        return
        [
            answer.Status.ToString(CultureInfo.InvariantCulture),
            .. lines[1..end].Select(h => h.Split(": ", 2)).Select(h => $"< {h[0].ToLowerInvariant()}: {h[1]}"),
            .. lines[(end + 1)..],
        ];
    }

    /// <param name="expected">Lines, several by " | "; none may begin so where one begins with "no ".</param>
    private static void Expect(PodBox client, string service, string request, string expected)
    {
        foreach (var ipv4 in (bool[])[true, false])
        {
            var seen = Exchanged(client, service, request, ipv4);
            var what = $"{client.Name} over {(ipv4 ? "IPv4" : "IPv6")}\n{string.Join('\n', seen)}";
            foreach (var line in expected.Split(" | "))
                Assert.That(seen, line.StartsWith("no ", StringComparison.Ordinal) ? Has.None.StartsWith(line[3..]) : Has.Member(line), what);
        }
    }

    [TestCase("matching", "/", "200 | echo-v1 GET / | host matching")]
    [TestCase("matching", "/example", "echo-v1 GET /example")]
    [TestCase("matching", "/ | Version: one", "echo-v1 GET /")]
    [TestCase("matching", "/ | Version: two", "echo-v2 GET /")]
    [TestCase("matching", "/v2", "echo-v2 GET /v2")]
    [TestCase("matching", "/v2/", "echo-v2 GET /v2/")]
    [TestCase("matching", "/v2/example", "echo-v2 GET /v2/example")]
    [TestCase("matching", "/v2example", "echo-v1 GET /v2example")]
    [TestCase("matching", "/foo/v2/example", "echo-v1 GET /foo/v2/example")]
    [TestCase("query", "/?animal=whale", "echo-v1 GET /?animal=whale")]
    [TestCase("query", "/?animal=dolphin", "echo-v2 GET /?animal=dolphin")]
    [TestCase("query", "/?animal=whale&other=x", "echo-v1 GET /?animal=whale&other=x")]
    [TestCase("query", "/?other=x&animal=dolphin", "echo-v2 GET /?other=x&animal=dolphin")]
    [TestCase("query", "/?color=blue", "404")]
    [TestCase("query", "/?animal=dog", "404")]
    [TestCase("query", "/?animal=whaledolphin", "404")]
    [TestCase("query", "/", "404")]
    [TestCase("query", "/one?animal=whale", "echo-v1 GET /one?animal=whale")]
    [TestCase("query", "/?animal=whale | version: one", "echo-v2 GET /?animal=whale")]
    [TestCase("query", "/three?animal=shark", "echo-v1 GET /three?animal=shark")]
    [TestCase("query", "/four?animal=kraken | version: three", "echo-v1 GET /four?animal=kraken")]
    [TestCase("query", "/?animal=shark", "404")]
    [TestCase("query", "/four?animal=kraken", "404")]
    [TestCase("query", "/five?animal=hydra", "echo-v1 GET /five?animal=hydra")]
    [TestCase("various", "/exact", "echo-v2 GET /exact")]
    [TestCase("various", "/exact/", "echo-v1 GET /exact/")]
    [TestCase("various", "/v12/x", "echo-v2 GET /v12/x")]
    [TestCase("various", "/x | -X POST -d data", "echo-v2 POST /x | body data")]
    [TestCase("various", "/x | -X PUT -d data", "echo-v1 PUT /x | body data")]
    [TestCase("various", "/x | Host: by.name", "echo-v2 GET /x | host by.name")]
    [TestCase("various", "/x | Cookie: a=b; canary=yes", "echo-v2 GET /x")]
    [TestCase("various", "/x", "echo-v1 GET /x | > x-forwarded-proto: http | no > x-forwarded-for")]
    [TestCase("named", "/named", "echo-v1 GET /named")]
    [TestCase("named", "/unnamed", "echo-v2 GET /unnamed")]
    [TestCase("redirect", "/plain/x?q=1", "302 | < location: http://redirect/plain/x?q=1")]
    [TestCase("redirect", ":8080/plain", "302 | < location: http://redirect:8080/plain")]
    [TestCase("redirect", "/301", "301 | < location: http://example.org/301")]
    [TestCase("redirect", "/302", "302 | < location: http://example.org/302")]
    [TestCase("redirect", "/303", "303 | < location: http://redirect/303")]
    [TestCase("redirect", "/307 | -X POST -d data", "307 | < location: http://redirect/307")]
    [TestCase("redirect", "/308", "308 | < location: http://redirect/308")]
    [TestCase("redirect", "/port", "302 | < location: http://redirect:8083/port")]
    [TestCase("redirect", "/port-and-host", "302 | < location: http://example.org:8083/port-and-host")]
    [TestCase("redirect", "/scheme", "302 | < location: https://redirect/scheme")]
    [TestCase("redirect", ":8080/scheme-and-host", "302 | < location: https://example.org/scheme-and-host")]
    [TestCase("redirect", "/old/lemon", "302 | < location: http://redirect/new/lemon")]
    [TestCase("redirect", "/full/path", "302 | < location: http://redirect/whole")]
    [TestCase("redirect", "/else", "404")]
    [TestCase("rewrite", "/prefix/one/two?q=1", "echo-v1 GET /one/two?q=1 | host rewrite")]
    [TestCase("rewrite", "/strip/three", "echo-v1 GET /three")]
    [TestCase("rewrite", "/strip", "echo-v1 GET /")]
    [TestCase("rewrite", "/full/x | X-Remove: a | X-Add: b | X-Set: c", "echo-v1 GET /test | > x-set: set | > x-add: b | > x-add: more | no > x-remove | no > x-set: c")]
    [TestCase("rewrite", "/host", "echo-v1 GET /host | host other.example")]
    [TestCase("headers", "/rule | other: o", "> x-set: new | > x-add: more | > other: o | < x-backend: hidden | < x-more: answer | no < x-backend: echo | no < server")]
    [TestCase("headers", "/rule | x-set: old | x-add: first | x-remove: a", "> x-set: new | > x-add: first | > x-add: more | no > x-set: old | no > x-remove")]
    [TestCase("headers", "/backend | x-set: old | x-add: first | x-remove: a", "> x-set: new | > x-add: first | > x-add: more | no > x-set: old | no > x-remove | < x-backend: hidden | no < x-backend: echo")]
    [TestCase("headers", "/both | x-set: old", "> x-set: backend | > x-add: rule | > x-add: backend | no > x-set: rule")]
    [TestCase("invalid", "/gone", "500")]
    [TestCase("invalid", "/no-port", "500")]
    [TestCase("invalid", "/kind", "500")]
    [TestCase("invalid", "/protocol", "500")]
    [TestCase("invalid", "/nothing", "500")]
    [TestCase("invalid", "/weightless", "500")]
    [TestCase("invalid", "/one-of-two", "echo-v2 GET /one-of-two")]
    [TestCase("invalid", "/empty", "503")]
    [TestCase("invalid", "/headless", "echo-v2 GET /headless")]
    [TestCase("invalid", "/elsewhere", "guest GET /elsewhere")]
    [TestCase("timeouts", "/silent/request", "504")]
    [TestCase("timeouts", "/silent/backend", "504")]
    [TestCase("timeouts", "/quick", "echo-v1 GET /quick")]
    public void A_request_goes_where_its_route_says(string service, string request, string expected)
    {
        Expect(_client, service, request, expected);

        // One of the backends as the client, which may come back to itself: so does Gateway API's conformance.
        Expect(_v1, service, request, expected);
    }

    [TestCase("port", ":8080/", "echo-v1 GET / | < x-route: port")]
    [TestCase("port", "/", "200 | no < x-route")]
    [TestCase("section", ":8080/", "echo-v1 GET / | < x-route: section")]
    [TestCase("section", "/", "200 | no < x-route")]
    [TestCase("ports", "/", "echo-v1 GET / | < x-route: ports")]
    [TestCase("ports", ":8080/", "echo-v1 GET / | < x-route: ports")]
    [TestCase("ports", ":9090/", "200 | no < x-route", Description = "named tcp")]
    [TestCase("frontend", "/", "echo-v1 GET / | < x-route: frontend", Description = "without backends of its own")]
    [TestCase("precedence", "/other", "< x-route: z-old")]
    [TestCase("precedence", "/same", "< x-route: a")]
    [TestCase("unusable", "/", "200 | no < x-route", Description = "not accepted, so not there")]
    [TestCase("echo", "/", "200 | host echo | no < x-route", Description = "without a route")]
    [TestCase("echo-v2", "/ | Host: ports", "echo-v2 GET / | host ports | no < x-route", Description = "the Host of a service with a route")]
    [TestCase("ports", "/ | Host: echo-v2", "echo-v1 GET / | host echo-v2 | < x-route: ports", Description = "the Host of a service without")]
    public void A_route_holds_for_its_parent_alone(string service, string request, string expected)
    {
        Expect(_client, service, request, expected);
        Expect(_v1, service, request, expected);
    }

    [Test]
    public void A_route_of_another_namespace_holds_for_its_own_clients_and_needs_no_grant()
    {
        Expect(_guest, "consumed", "/", "200 | < x-route: consumer");
        Expect(_client, "consumed", "/", "echo-v1 GET / | < x-route: consumed");
        Expect(_guest, "ports", "/", "echo-v1 GET / | < x-route: ports");
    }

    [Test]
    public void A_request_to_a_pods_own_address_meets_no_route()
    {
        foreach (var address in (string[])[_v2.Address, $"[{_v2.Address6}]"])
            Assert.That(_client.Netns.Curl($"http://{address}:8080/v2", "-H", "Host: ports", "-i").Body, Does.Contain("echo-v2 GET /v2\nhost ports").And.Not.Contain("X-Route").IgnoreCase);
    }

    /// <summary>As Gateway API's conformance asks: within five points of 70 to 30.</summary>
    [TestCase("", TestName = "Weights_hold_for_500_requests_of_one_connection")]
    [TestCase("Connection: close", TestName = "Weights_hold_for_500_requests_of_a_connection_each")]
    public void Weights_hold_for_500_requests(string header)
    {
        var answers = _client.Netns.Run("curl", "-sS", "-m", "100", "-H", header, "--resolve", $"weights:80:{MeshRoutes.Address("weights").V4}", "http://weights/[1-500]").Output;
        var first = answers.Split('\n').Count(l => l.StartsWith("echo-v1 ", StringComparison.Ordinal));
        var second = answers.Split('\n').Count(l => l.StartsWith("echo-v2 ", StringComparison.Ordinal));
        Assert.That(first + second, Is.EqualTo(500));
        Assert.That(first, Is.InRange(325, 375));
    }

    [Test]
    public void A_route_comes_changes_and_goes_again()
    {
        bool Sees(string line) => Exchanged(_client, "changing", "/", ipv4: true).Contains(line);
        bool IsRouted() => Exchanged(_client, "changing", "/", ipv4: true).Any(l => l.StartsWith("< x-route", StringComparison.Ordinal));
        Assert.That(IsRouted(), Is.False);
        _box.WriteConfig("changing.yaml", MeshRoutes.Marked("changing", ""));
        Eventually.True(() => Sees("< x-route: changing") && Sees("echo-v1 GET /"), "the route holds");
        _box.WriteConfig("changing.yaml", MeshRoutes.Marked("changing", "", backend: "echo-v2"));
        Eventually.True(() => Sees("echo-v2 GET /"), "the new backend");
        _box.WriteConfig("changing.yaml", MeshRoutes.Marked("changing", "port: 8080"));
        Eventually.True(() => !IsRouted(), "another port's route");
        _box.WriteConfig("changing.yaml", MeshRoutes.Marked("changing", ""));
        Eventually.True(IsRouted, "it is back");
        _box.DeleteConfig("changing.yaml");
        Eventually.True(() => !IsRouted() && Sees("200"), "no route, no proxy");
    }
}
