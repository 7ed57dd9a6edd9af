using NodeMesh.Model;
using NodeMesh.Sources;
using NodeMesh.Sources.Kubernetes;
using NodeMesh.Testing.ApiServer;

namespace NodeMesh.Unit.Tests.Sources;

/// <summary>The source against an API server in this process: waits are for a snapshot that fits, never for a time to pass.</summary>
internal sealed class KubernetesSourceTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private InProcessApiServer _server = null!;
    private KubernetesSource? _source;
    private CancellationTokenSource _stop = null!;
    private Task _running = Task.CompletedTask;
    private IAsyncEnumerator<MeshSnapshot>? _snapshots;

    [SetUp]
    public async Task Begin()
    {
        _stop = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        _server = await InProcessApiServer.StartAsync(InProcessApiServer.BuiltIn);
        _server.Put("namespaces", """{"metadata":{"name":"shop"}}""");
    }

    [TearDown]
    public async Task End()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_snapshots is not null)
            await _snapshots.DisposeAsync();
        _source?.Dispose();
        await _server.DisposeAsync();
        _stop.Dispose();
    }

    private static string Pod(string name, string ip, string app = "web") => $$"""
        {"metadata":{"name":"{{name}}","namespace":"shop","labels":{"app":"{{app}}"},"managedFields":[{"manager":"kubelet"}]},
         "spec":{"nodeName":"n1","volumes":[{"name":"token"}],"containers":[{"name":"c","image":"web:1","ports":[{"name":"http","containerPort":8080}]}]},
         "status":{"phase":"Running","podIPs":[{"ip":"{{ip}}"}],"conditions":[{"type":"Ready","status":"True","lastProbeTime":"2026-01-01T00:00:00Z"}]} }
        """;

    private static string Policy(string name) => $$"""{"metadata":{"name":"{{name}}","namespace":"shop"},"spec":{"podSelector":{} } }""";

    private async Task<MeshSnapshot> StartAsync(ApiServerAccess? access = null)
    {
        var world = new MeshWorld(1);
        _source = new KubernetesSource(access ?? new ApiServerAccess(_server.Client()), world.Events);
        _running = _source.RunAsync(_stop.Token);
        _snapshots = world.SnapshotsAsync(_stop.Token).GetAsyncEnumerator();
        return await NextAsync(_ => true);
    }

    private async Task<MeshSnapshot> NextAsync(Func<MeshSnapshot, bool> fits, Action<MeshSnapshot>? each = null)
    {
        while (await _snapshots!.MoveNextAsync().AsTask().WaitAsync(Limit))
        {
            each?.Invoke(_snapshots.Current);
            if (fits(_snapshots.Current))
                return _snapshots.Current;
        }

        throw new InvalidOperationException("the snapshots ended");
    }

    private static IEnumerable<string> Names(MeshSnapshot mesh) => mesh.Workloads.Select(w => w.Name.Name);

    [TestCase(true)]
    [TestCase(false)]
    public async Task What_is_there_is_one_snapshot_and_what_changes_the_next(bool streams)
    {
        _server.StreamsLists = streams;
        _server.Put("pods", Pod("web-0", "10.0.0.1"));
        _server.Put("services", """{"metadata":{"name":"web","namespace":"shop"},"spec":{"clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1"],"selector":{"app":"web"},"ports":[{"port":80,"targetPort":8080}]}}""");
        _server.Put("discovery.k8s.io/endpointslices", """
            {"metadata":{"name":"web-x","namespace":"shop","labels":{"kubernetes.io/service-name":"web"}},"addressType":"IPv4",
             "ports":[{"name":"","port":8080,"protocol":"TCP"}],"endpoints":[{"addresses":["10.0.0.1"],"nodeName":"n1","conditions":{"ready":true}}]}
            """);
        _server.Put("networking.k8s.io/networkpolicies", Policy("deny"));

        var mesh = await StartAsync();
        Assert.That(mesh.Diagnostics.Where(d => d.Severity == Severity.Error), Is.Empty);
        Assert.That(Names(mesh), Is.EqualTo(new[] { "web-0" }));
        Assert.That(mesh.Services.Single().Ports.Single().Backends.Single().Address, Is.EqualTo(IpAddr.Parse("10.0.0.1")));
        Assert.That(mesh.Policies.Single().IsolatesIngress);

        _server.Put("pods", Pod("web-1", "10.0.0.2"));
        await NextAsync(m => Names(m).Contains("web-1"));
        _server.Put("pods", Pod("web-1", "10.0.0.2", app: "api"));
        await NextAsync(m => m.Workloads.Any(w => w.Labels.GetValueOrDefault("app") == "api"));
        _server.Store.Delete("pods", "shop", "web-0");
        mesh = await NextAsync(m => !Names(m).Contains("web-0"));
        Assert.That(Names(mesh), Is.EqualTo(new[] { "web-1" }));
    }

    [Test]
    public async Task A_long_list_comes_in_pages()
    {
        _server.StreamsLists = false;
        for (var i = 0; i < 1203; i++)
            _server.Put("pods", Pod($"web-{i}", $"10.1.{i / 250}.{(i % 250) + 1}"));
        var mesh = await StartAsync();
        Assert.That(mesh.Workloads, Has.Length.EqualTo(1203));
        Assert.That(_server.Requests.Count(r => r is { Verb: "list", Resource: "pods" }), Is.EqualTo(3));
    }

    [Test]
    public async Task What_comes_in_an_awkward_order_is_right_in_the_end()
    {
        await StartAsync();
        _server.Put("networking.k8s.io/networkpolicies", """{"metadata":{"name":"deny","namespace":"late"},"spec":{"podSelector":{}}}""");
        _server.Put("discovery.k8s.io/endpointslices", """
            {"metadata":{"name":"db-x","namespace":"shop","labels":{"kubernetes.io/service-name":"db"}},"addressType":"IPv4",
             "ports":[{"name":"","port":5432,"protocol":"TCP"}],"endpoints":[{"addresses":["10.0.9.1"]}]}
            """);
        _server.Put("services", """{"metadata":{"name":"db","namespace":"shop"},"spec":{"clusterIP":"10.96.0.2","ports":[{"port":5432}]}}""");
        await NextAsync(m => m.Services.Any(s => s.Ports.Any(p => p.Backends.Length == 1)));
        _server.Put("namespaces", """{"metadata":{"name":"late"}}""");
        var mesh = await NextAsync(m => m.Policies.Length == 1 && m.Namespaces.Length == 2);
        Assert.That(mesh.Diagnostics, Is.Empty);
    }

    [TestCase(true, true)]
    [TestCase(true, false)]
    [TestCase(false, true)]
    public async Task A_forgotten_place_is_listed_anew_and_nothing_is_missing_in_between(bool streams, bool insideAnEvent)
    {
        _server.StreamsLists = streams;
        for (var i = 0; i < 600; i++)
            _server.Put("pods", Pod($"web-{i}", $"10.1.{i / 250}.{(i % 250) + 1}"));
        await StartAsync();
        _server.Store.Delete("pods", "shop", "web-0");
        await NextAsync(m => m.Workloads.Length == 599);

        // What happens while nobody listens, and is forgotten before anybody does.
        _server.Fail(503, times: 14);
        _server.CutWatches(insideAnEvent);
        _server.Store.Delete("pods", "shop", "web-1");
        _server.Put("pods", Pod("web-new", "10.2.0.1"));
        _server.Store.Compact();
        var least = int.MaxValue;
        await NextAsync(m => Names(m).Contains("web-new") && !Names(m).Contains("web-1"), m => least = Math.Min(least, m.Workloads.Length));
        Assert.That(least, Is.GreaterThanOrEqualTo(599));
    }

    [Test]
    public async Task A_cut_watch_goes_on_where_it_was()
    {
        _server.Put("pods", Pod("web-0", "10.0.0.1"));
        await StartAsync();
        var before = _server.Requests.Count;
        _server.CutWatches(insideAnEvent: true);
        _server.Put("pods", Pod("web-1", "10.0.0.2"));
        var mesh = await NextAsync(m => m.Workloads.Length == 2);
        Assert.That(mesh.Diagnostics, Is.Empty);
        Assert.That(_server.Requests.Skip(before), Has.None.Matches<ApiRequest>(r => r.Verb == "list" || r.Query.Contains("sendInitialEvents", StringComparison.Ordinal)));
    }

    [Test]
    public async Task A_busy_server_is_asked_again_when_it_wants()
    {
        _server.Fail(429, times: 6, TimeSpan.FromSeconds(1));
        _server.Fail(500, times: 6);
        _server.Put("pods", Pod("web-0", "10.0.0.1"));
        Assert.That(Names(await StartAsync()), Is.EqualTo(new[] { "web-0" }));
        Assert.That(_source!.State.Troubles, Is.Empty);
    }

    [Test]
    public async Task A_storm_of_failures_is_no_storm_of_requests_and_ends_with_it()
    {
        _server.Put("pods", Pod("web-0", "10.0.0.1"));
        await StartAsync();
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var before = _server.Requests.Count;
        _server.Refuses = _ => 500;
        _server.CutWatches();
        Testing.Eventually.True(() => _source!.State.Resources.Where(r => InProcessApiServer.BuiltIn.Any(b => b.EndsWith(r.Resource, StringComparison.Ordinal))).All(r => r.Errors >= 4), "every kind was asked for in vain, four times");

        // The shortest waits are a quarter, a half, one second and so on; one more for the watch that was cut.
        var most = 3 + Math.Log2((4 * clock.Elapsed.TotalSeconds) + 1);
        Assert.That(_server.Requests.Skip(before).Where(r => r.Resource == "pods").Count(), Is.LessThanOrEqualTo(most));

        _server.Put("pods", Pod("web-1", "10.0.0.2"));
        _server.Refuses = null;
        Assert.That((await NextAsync(m => m.Workloads.Length == 2)).Diagnostics, Is.Empty);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Ten_thousand_pods_come_whole_and_so_do_their_changes(bool streams)
    {
        const int pods = 10_000;
        _server.StreamsLists = streams;
        for (var i = 0; i < pods; i++)
            _server.Put("pods", Pod($"web-{i}", Address(i)));
        Assert.That((await StartAsync()).Workloads, Has.Length.EqualTo(pods));

        // Every tenth goes, every other tenth has another label, and as many come.
        for (var i = 0; i < pods; i += 10)
        {
            _server.Store.Delete("pods", "shop", $"web-{i}");
            _server.Put("pods", Pod($"web-{i + 1}", Address(i + 1), app: "api"));
            _server.Put("pods", Pod($"new-{i}", Address(pods + i)));
        }

        var mesh = await NextAsync(m => Names(m).Contains("new-9990") && m.Workloads.Length == pods);
        Assert.That(mesh.Workloads.Count(w => w.Labels.GetValueOrDefault("app") == "api"), Is.EqualTo(pods / 10));
        Assert.That(mesh.Diagnostics, Is.Empty);

        // Where a stream is refused, that is asked for once, too.
        Assert.That(_source!.State.Resources.Single(r => r.Resource == "pods").Lists, Is.EqualTo(streams ? 1 : 2));

        static string Address(int i) => $"10.{1 + (i >> 16)}.{(i >> 8) & 255}.{i & 255}";
    }

    [Test]
    public async Task A_kind_that_is_installed_later_is_followed_from_then_on()
    {
        await StartAsync();
        Assert.That(_source!.State.IsSynced);
        _server.Put("nodemesh.io/meshpolicies", """
            {"apiVersion":"nodemesh.io/v1alpha1","kind":"MeshPolicy","metadata":{"name":"m","namespace":"shop"},"spec":{"ingress":[{"from":[{"entity":"cluster"}]}]}}
            """);
        _server.Install("nodemesh.io/meshpolicies");
        var mesh = await NextAsync(m => m.Policies.Length == 1);
        Assert.That(mesh.Policies.Single().Kind, Is.EqualTo(PolicyKind.MeshPolicy));
        _server.Uninstall("nodemesh.io/meshpolicies");
        _server.CutWatches();
        await NextAsync(m => m.Policies.Length == 0);
    }

    [Test]
    public async Task Only_Secrets_that_a_Gateway_names_are_asked_for()
    {
        foreach (var kind in (string[])["gateways", "gatewayclasses", "httproutes", "referencegrants"])
            _server.Install($"gateway.networking.k8s.io/{kind}");
        var certificate = Tls.TestCertificates.Make("one", "www.example.com");
        _server.Put("secrets", $$"""
            {"metadata":{"name":"cert","namespace":"shop"},"type":"kubernetes.io/tls",
             "data":{"tls.crt":"{{Base64(certificate.ChainPem)}}","tls.key":"{{Base64(certificate.KeyPem)}}"} }
            """);
        _server.Put("secrets", """{"metadata":{"name":"other","namespace":"shop"},"type":"Opaque","data":{}}""");
        _server.Put("gateway.networking.k8s.io/gatewayclasses", """{"metadata":{"name":"nodemesh"},"spec":{"controllerName":"nodemesh.io/gateway-controller"}}""");
        _server.Put("gateway.networking.k8s.io/gateways", """
            {"metadata":{"name":"edge","namespace":"shop"},"spec":{"gatewayClassName":"nodemesh","listeners":[
             {"name":"https","port":443,"protocol":"HTTPS","tls":{"certificateRefs":[{"name":"cert"}]}}]}}
            """);
        var mesh = await StartAsync();
        Assert.That(mesh.Certificates.Select(c => c.Name.Name), Is.EqualTo(new[] { "cert" }));
        Assert.That(_server.Requests.Where(r => r.Resource == "secrets").Select(r => r.Query), Has.All.Contains("metadata.name%3Dcert"));

        _server.Store.Delete("gateway.networking.k8s.io/gateways", "shop", "edge");
        await NextAsync(m => m.Certificates.Length == 0);
    }

    [Test]
    public async Task A_new_pod_has_its_address_though_the_end_of_the_old_one_was_not_heard()
    {
        _server.Put("pods", Pod("a-old", "10.0.0.1").Replace("\"namespace\"", "\"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"namespace\"", StringComparison.Ordinal));
        await StartAsync();
        _server.Put("pods", Pod("b-new", "10.0.0.1").Replace("\"namespace\"", "\"creationTimestamp\":\"2026-01-02T00:00:00Z\",\"namespace\"", StringComparison.Ordinal));
        Assert.That(Names(await NextAsync(m => Names(m).Contains("b-new"))), Is.EqualTo(new[] { "b-new" }));
        _server.Store.Delete("pods", "shop", "a-old");
        Assert.That((await NextAsync(m => m.Diagnostics.IsEmpty)).Workloads, Has.Length.EqualTo(1));
    }

    [Test]
    public async Task Annotations_that_mean_nothing_here_are_no_change()
    {
        var pod = Pod("web-0", "10.0.0.1").Replace("\"namespace\"", "\"annotations\":{\"cni/id\":\"1\",\"nodemesh.io/netns\":\"web\"},\"namespace\"", StringComparison.Ordinal);
        _server.Put("pods", pod);
        var mesh = await StartAsync();
        Assert.That(mesh.Workloads.Single().Attachment.Netns, Is.EqualTo("web"));
        _server.Put("pods", pod.Replace("cni/id\":\"1", "cni/id\":\"2", StringComparison.Ordinal));
        _server.Put("pods", Pod("web-1", "10.0.0.2"));
        Assert.That((await NextAsync(m => m.Workloads.Length == 2)).Workloads[0], Is.SameAs(mesh.Workloads[0]));
    }

    [Test]
    public async Task What_nobody_reads_of_a_pod_is_no_change_and_each_kind_is_watched_once()
    {
        _server.Put("pods", Pod("web-0", "10.0.0.1"));
        var mesh = await StartAsync();
        _server.Put("pods", Pod("web-0", "10.0.0.1").Replace("2026-01-01", "2026-01-02", StringComparison.Ordinal).Replace("web:1", "web:2", StringComparison.Ordinal));
        _server.Put("pods", Pod("web-1", "10.0.0.2"));
        var next = await NextAsync(m => m.Workloads.Length == 2);
        Assert.That(next.Workloads[0], Is.SameAs(mesh.Workloads[0]));
        Assert.That(next.Revision, Is.EqualTo(mesh.Revision + 1));
        var watches = _server.Requests.Where(r => r.Verb == "watch").GroupBy(r => r.Resource);
        Assert.That(watches.Where(g => InProcessApiServer.BuiltIn.Contains(g.Key)).Select(g => g.Count()), Has.All.EqualTo(1));
    }

    [Test]
    public async Task With_the_server_away_what_was_heard_stays_and_the_state_says_so()
    {
        _server.Put("pods", Pod("web-0", "10.0.0.1"));
        await StartAsync();
        _server.Fail(503, times: 1000);
        _server.CutWatches();
        var deadline = DateTime.UtcNow + Limit;
        while (_source!.State.Troubles.Count == 0 && DateTime.UtcNow < deadline)
            await Task.Delay(20);
        Assert.That(_source.State.Troubles, Has.Some.Contains("503"));
        Assert.That(_source.State.IsSynced, Is.True);
        Assert.That(_snapshots!.Current.Workloads, Has.Length.EqualTo(1));
    }

    private static string Base64(SensitiveBytes bytes) => Convert.ToBase64String(bytes.Reveal());
}
