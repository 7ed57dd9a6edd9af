using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using k8s;
using NodeMesh.Model;
using NodeMesh.Sources;
using NodeMesh.Sources.Kubernetes;
using NodeMesh.Testing;
using NodeMesh.Testing.ApiServer;

namespace NodeMesh.Unit.Tests.Sources;

/// <summary>Several API servers in this process that have the same objects: which of them is asked.</summary>
public sealed class ApiServerAddressTests
{
    private static readonly IPAddress s_service = IPAddress.Parse("127.0.0.2");
    private static readonly IPAddress s_direct = IPAddress.Parse("127.0.0.3");

    private readonly List<InProcessApiServer> _servers = [];
    private ObjectStore _store = null!;
    private string _cache = "";

    [SetUp]
    public void Begin()
    {
        _store = new ObjectStore();
        _cache = Directory.CreateTempSubdirectory("nm-addresses-").FullName;
    }

    [TearDown]
    public async Task End()
    {
        foreach (var server in _servers)
            await server.DisposeAsync();
        _servers.Clear();
        Directory.Delete(_cache, recursive: true);
    }

    private static Socket Bound(IPAddress address)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(address, 0));
        return socket;
    }

    private async Task<InProcessApiServer> StartAsync(Socket socket, X509Certificate2? certificate = null)
    {
        socket.Listen();
        var server = await InProcessApiServer.StartAsync(socket, _store, certificate, InProcessApiServer.BuiltIn);
        _servers.Add(server);
        return server;
    }

    private async Task StopAsync(InProcessApiServer server)
    {
        _servers.Remove(server);
        await server.DisposeAsync();
    }

    private void Namespace(string name) => _store.Put("namespaces", new JsonObject { ["metadata"] = new JsonObject { ["name"] = name } });

    /// <summary>As API servers keep it.</summary>
    private void Itself(Socket at) => _store.Put("discovery.k8s.io/endpointslices", (JsonObject)JsonNode.Parse($$"""
        {"metadata":{"name":"kubernetes","namespace":"default","labels":{"kubernetes.io/service-name":"kubernetes"} },"addressType":"IPv4",
         "ports":[{"name":"https","port":{{((IPEndPoint)at.LocalEndPoint!).Port}},"protocol":"TCP"}],
         "endpoints":[{"addresses":["{{((IPEndPoint)at.LocalEndPoint!).Address}}"],"conditions":{"ready":true} }]}
        """)!);

    /// <summary>A source and what it makes of the objects.</summary>
    private sealed class Agent : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new(TimeSpan.FromMinutes(3));
        private readonly IAsyncEnumerator<MeshSnapshot> _snapshots;
        private readonly Task _running;

        public Agent(ApiServerAccess access, string? cache = null)
        {
            var world = new MeshWorld(1);
            Source = new KubernetesSource(access, world.Events, cache);
            _snapshots = world.SnapshotsAsync(_stop.Token).GetAsyncEnumerator();
            _running = Source.RunAsync(_stop.Token);
        }

        public KubernetesSource Source { get; }

        public async Task<MeshSnapshot> HearsOfAsync(string ns)
        {
            while (await _snapshots.MoveNextAsync())
                if (_snapshots.Current.Namespaces.Any(n => n.Name == ns))
                    return _snapshots.Current;
            throw new InvalidOperationException("the snapshots ended");
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await _snapshots.DisposeAsync();
            Source.Dispose();
            _stop.Dispose();
        }
    }

    [Test]
    public async Task Of_several_addresses_the_next_is_asked_when_one_does_not_answer_and_nothing_is_listed_anew()
    {
        using var nobody = Bound(IPAddress.Loopback); // which is not listened on
        var first = await StartAsync(Bound(IPAddress.Loopback));
        var second = await StartAsync(Bound(IPAddress.Loopback));
        Namespace("early");
        await using var agent = new Agent(new ApiServerAccess(first.Client()) { Servers = [$"http://{nobody.LocalEndPoint}", first.Address, second.Address] });
        await agent.HearsOfAsync("early");
        Assert.That(agent.Source.State.Server, Is.EqualTo(first.Address));
        Assert.That(second.Requests, Is.Empty);

        await StopAsync(first);
        Namespace("late");
        await agent.HearsOfAsync("late");
        Assert.That(agent.Source.State.Server, Is.EqualTo(second.Address));
        Assert.That(second.Requests.Where(r => InProcessApiServer.BuiltIn.Contains(r.Resource)),
            Has.None.Matches<ApiRequest>(r => r.Verb == "list" || r.Query.Contains("sendInitialEvents", StringComparison.Ordinal)));
    }

    [Test]
    public async Task A_server_that_cannot_serve_is_left_for_another()
    {
        var first = await StartAsync(Bound(IPAddress.Loopback));
        var second = await StartAsync(Bound(IPAddress.Loopback));
        first.Refuses = _ => 503;
        Namespace("early");
        await using var agent = new Agent(new ApiServerAccess(first.Client()) { Servers = [first.Address, second.Address] });
        await agent.HearsOfAsync("early");
        Assert.That(agent.Source.State.Server, Is.EqualTo(second.Address));
    }

    [Test]
    public async Task Where_nobody_answers_each_address_is_named()
    {
        using var one = Bound(IPAddress.Loopback);
        using var other = Bound(IPAddress.Loopback);
        await using var agent = new Agent(new ApiServerAccess(new KubernetesClientConfiguration { Host = "http://unused" }) { Servers = [$"http://{one.LocalEndPoint}", $"http://{other.LocalEndPoint}"] });
        Eventually.True(() => agent.Source.State.Troubles.Any(t => t.Contains($"{one.LocalEndPoint}", StringComparison.Ordinal) && t.Contains($"{other.LocalEndPoint}", StringComparison.Ordinal)), "both are named");
        (await StartAsync(other)).Put("namespaces", """{"metadata":{"name":"early"}}""");
        await agent.HearsOfAsync("early");
    }

    /// <summary>The service's address is served, and then it is not: by an agent that runs, and by one that starts then.</summary>
    [TestCase(true)]
    [TestCase(false)]
    public async Task Where_its_service_does_not_lead_to_it_the_server_is_asked_where_it_said_that_it_is(bool startsAnew)
    {
        using var certificate = ApiServerHttpTests.SelfSigned("kubernetes", s_service);
        var access = new ApiServerAccess(new KubernetesClientConfiguration { SslCaCerts = [certificate] });
        var direct = Bound(s_direct);
        Itself(direct);
        Namespace("early");
        var service = await StartAsync(Bound(s_service), certificate);
        access.Client.Host = service.Address;
        var agent = new Agent(access, _cache);
        await agent.HearsOfAsync("early");
        await StopAsync(service);
        await StartAsync(direct, certificate);
        if (startsAnew)
        {
            await agent.DisposeAsync();
            agent = new Agent(access, _cache);
        }

        Namespace("late");
        await agent.HearsOfAsync("late");
        Assert.That(agent.Source.State.Server, Is.EqualTo($"https://{direct.LocalEndPoint}"));
        await agent.DisposeAsync();
    }

    [TestCase(true, TestName = "Whoever_does_not_prove_the_name_at_such_an_address_is_told_nothing")]
    [TestCase(false, TestName = "Where_no_name_is_proved_such_addresses_are_not_asked")]
    public async Task Stranger(bool verifies)
    {
        using var certificate = ApiServerHttpTests.SelfSigned("kubernetes", s_service);
        using var other = ApiServerHttpTests.SelfSigned("kubernetes", s_direct);
        var access = new ApiServerAccess(new KubernetesClientConfiguration { SslCaCerts = [certificate, other], SkipTlsVerify = !verifies });
        var direct = Bound(s_direct);
        Itself(direct);
        Namespace("early");
        var service = await StartAsync(Bound(s_service), certificate);
        access.Client.Host = service.Address;
        await using var agent = new Agent(access);
        await agent.HearsOfAsync("early");
        await StopAsync(service);
        var stranger = await StartAsync(direct, other);
        Eventually.True(() => agent.Source.State.Resources.Single(r => r.Resource == "pods").Errors >= 3, "it was asked for in vain three times");
        Assert.That(stranger.Requests, Is.Empty);
        Assert.That(agent.Source.State.Troubles.Any(t => t.Contains($"{direct.LocalEndPoint}", StringComparison.Ordinal)), Is.EqualTo(verifies));
    }
}
