using NodeMesh.Model;
using NodeMesh.Sources;
using NodeMesh.Sources.Kubernetes;
using NodeMesh.Testing.ApiServer;

namespace NodeMesh.Unit.Tests.Sources;

/// <summary>An agent that starts while the API server is away goes by what the one before it heard.</summary>
internal sealed class RecallTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly List<string> _notes = [];
    private InProcessApiServer _server = null!;
    private string _cache = "";

    [SetUp]
    public async Task Begin()
    {
        _server = await InProcessApiServer.StartAsync(InProcessApiServer.BuiltIn);
        _server.Put("namespaces", """{"metadata":{"name":"shop"}}""");
        _server.Put("pods", Pod("web-0", "10.0.0.1"));
        _server.Put("pods", Pod("web-1", "10.0.0.2"));
        _server.Put("networking.k8s.io/networkpolicies", """{"metadata":{"name":"deny","namespace":"shop"},"spec":{"podSelector":{}}}""");
        _cache = Directory.CreateTempSubdirectory("nodemesh-recall-").FullName;
        _notes.Clear();
    }

    [TearDown]
    public async Task End()
    {
        await _server.DisposeAsync();
        Directory.Delete(_cache, recursive: true);
    }

    private static string Pod(string name, string ip) => $$"""
        {"metadata":{"name":"{{name}}","namespace":"shop","labels":{"app":"web"} },"spec":{"nodeName":"n1","containers":[{"name":"c","ports":[{"name":"http","containerPort":8080}]}]},
         "status":{"phase":"Running","podIPs":[{"ip":"{{ip}}"}],"conditions":[{"type":"Ready","status":"True"}]} }
        """;

    private static IEnumerable<string> Names(MeshSnapshot mesh) => mesh.Workloads.Select(w => w.Name.Name);

    /// <summary>An agent's source and world, until it is killed.</summary>
    private sealed class Agent : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new(TimeSpan.FromMinutes(3));
        private readonly IAsyncEnumerator<MeshSnapshot> _snapshots;
        private readonly Task _running;

        public Agent(InProcessApiServer server, string? cache, Action<string> note)
        {
            var world = new MeshWorld(1);
            Source = new KubernetesSource(new ApiServerAccess(server.Client()), world.Events, cache, note);
            _snapshots = world.SnapshotsAsync(_stop.Token).GetAsyncEnumerator();
            _running = Source.RunAsync(_stop.Token);
        }

        public KubernetesSource Source { get; }

        public async Task<MeshSnapshot> NextAsync(Func<MeshSnapshot, bool> fits, Action<MeshSnapshot>? each = null)
        {
            while (await _snapshots.MoveNextAsync().AsTask().WaitAsync(Limit))
            {
                each?.Invoke(_snapshots.Current);
                if (fits(_snapshots.Current))
                    return _snapshots.Current;
            }

            throw new InvalidOperationException("the snapshots ended");
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Source.Dispose();
            _stop.Dispose();
        }
    }

    private Agent Start(bool keeps = true) => new(_server, keeps ? _cache : null, _notes.Add);

    /// <summary>One that hears everything and is gone.</summary>
    private async Task RunOneAsync()
    {
        await using var agent = Start();
        var mesh = await agent.NextAsync(_ => true);
        Assert.That((mesh.IsRecalled, mesh.Workloads.Length, _notes.Count), Is.EqualTo((false, 2, 0)));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task With_the_server_away_what_was_heard_before_is_there_and_goes_only_when_the_server_says_so(bool silent)
    {
        await RunOneAsync();
        (_server.IsSilent, _server.Refuses) = (silent, _ => 503);
        await using var agent = Start();
        var recalled = await agent.NextAsync(_ => true);
        Assert.That((recalled.IsRecalled, recalled.Policies.Length), Is.EqualTo((true, 1)));
        Assert.That(Names(recalled), Is.EqualTo(new[] { "web-0", "web-1" }));
        Assert.That((agent.Source.State.IsSynced, agent.Source.State.Stale), Is.EqualTo((false, 4)));
        Assert.That(_notes.Single(), Does.Contain("does not answer: 4 objects"));

        // What happened while nobody heard.
        _server.Store.Delete("pods", "shop", "web-1");
        _server.Put("pods", Pod("web-2", "10.0.0.3"));
        (_server.IsSilent, _server.Refuses) = (false, null);
        var least = int.MaxValue;
        var heard = await agent.NextAsync(m => !m.IsRecalled, m => least = Math.Min(least, m.Workloads.Length));
        Assert.That(Names(heard), Is.EqualTo(new[] { "web-0", "web-2" }));
        Assert.That(least, Is.GreaterThanOrEqualTo(2), "nothing was missing in between");
        Assert.That(heard.Workloads[0], Is.SameAs(recalled.Workloads[0]), "what is as it was is no change");
        Assert.That(heard.Policies[0], Is.SameAs(recalled.Policies[0]));
        Assert.That((agent.Source.State.IsSynced, agent.Source.State.Stale), Is.EqualTo((true, 0)));
    }

    [Test]
    public async Task The_end_of_the_absence_is_a_snapshot_even_when_nothing_changed()
    {
        await RunOneAsync();
        _server.Refuses = _ => 503;
        await using var agent = Start();
        var recalled = await agent.NextAsync(_ => true);
        _server.Refuses = null;
        var heard = await agent.NextAsync(m => !m.IsRecalled);
        Assert.That(heard.Workloads, Is.EqualTo(recalled.Workloads));
        Assert.That(heard.Revision, Is.GreaterThan(recalled.Revision));
    }

    [Test]
    public async Task Kinds_that_are_heard_are_as_heard_and_the_others_as_kept()
    {
        await RunOneAsync();
        _server.Store.Delete("pods", "shop", "web-1");
        _server.Store.Delete("networking.k8s.io/networkpolicies", "shop", "deny");
        _server.Refuses = r => r.Resource == "networking.k8s.io/networkpolicies" ? 500 : 0;
        await using var agent = Start();
        var mesh = await agent.NextAsync(m => m.Workloads.Length == 1);
        Assert.That((mesh.IsRecalled, mesh.Policies.Length), Is.EqualTo((true, 1)));
        _server.Refuses = null;
        Assert.That((await agent.NextAsync(m => !m.IsRecalled)).Policies, Is.Empty);
    }

    [Test]
    public async Task What_was_heard_of_a_list_that_broke_is_not_overtaken_by_what_was_kept()
    {
        for (var i = 0; i < 600; i++)
            _server.Put("pods", Pod($"many-{i}", $"10.1.{i / 250}.{(i % 250) + 1}"));
        await using (var first = Start())
            await first.NextAsync(m => m.Workloads.Length == 602);
        _server.StreamsLists = false;
        _server.Put("pods", Pod("many-0", "10.2.0.1"));
        _server.Refuses = r => r.Resource == "pods" && r.Query.Contains("continue", StringComparison.Ordinal) ? 500 : 0;
        await using var agent = Start();
        var mesh = await agent.NextAsync(_ => true);
        Assert.That((mesh.IsRecalled, mesh.Workloads.Length), Is.EqualTo((true, 602)));
        Assert.That(mesh.Workloads.Single(w => w.Name.Name == "many-0").Addresses.Single(), Is.EqualTo(IpAddr.Parse("10.2.0.1")));
    }

    [Test]
    public async Task Secrets_of_Gateways_are_recalled_with_them()
    {
        foreach (var kind in (string[])["gateways", "gatewayclasses", "httproutes", "referencegrants"])
            _server.Install($"gateway.networking.k8s.io/{kind}");
        var certificate = Tls.TestCertificates.Make("one", "www.example.com");
        _server.Put("secrets", $$"""
            {"metadata":{"name":"cert","namespace":"shop"},"type":"kubernetes.io/tls",
             "data":{"tls.crt":"{{Convert.ToBase64String(certificate.ChainPem.Reveal())}}","tls.key":"{{Convert.ToBase64String(certificate.KeyPem.Reveal())}}"} }
            """);
        _server.Put("gateway.networking.k8s.io/gatewayclasses", """{"metadata":{"name":"nodemesh"},"spec":{"controllerName":"nodemesh.io/gateway-controller"}}""");
        _server.Put("gateway.networking.k8s.io/gateways", """
            {"metadata":{"name":"edge","namespace":"shop"},"spec":{"gatewayClassName":"nodemesh","listeners":[
             {"name":"https","port":443,"protocol":"HTTPS","tls":{"certificateRefs":[{"name":"cert"}]}}]}}
            """);
        var inMemory = Path.Combine("/dev/shm", Path.GetFileName(_cache));
        try
        {
            await using (var first = new Agent(_server, inMemory, _notes.Add))
                await first.NextAsync(m => m.Certificates.Length == 1);
            _server.Refuses = _ => 503;
            await using var agent = new Agent(_server, inMemory, _notes.Add);
            var mesh = await agent.NextAsync(_ => true);
            Assert.That((mesh.IsRecalled, mesh.Gateways.Length, mesh.Certificates.Length), Is.EqualTo((true, 1, 1)));
        }
        finally
        {
            Directory.Delete(inMemory, recursive: true);
        }
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task With_nothing_kept_nothing_is_said_before_the_server_does(bool keeps)
    {
        _server.Refuses = _ => 503;
        await using var agent = Start(keeps);
        var first = agent.NextAsync(_ => true);
        Testing.Eventually.True(() => agent.Source.State.Resources.All(r => r.Errors > 0), "every kind was asked for in vain");
        Assert.That(first.IsCompleted, Is.False);
        _server.Refuses = null;
        Assert.That((await first).IsRecalled, Is.False);
    }
}
