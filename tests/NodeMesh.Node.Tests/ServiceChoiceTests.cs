using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Which backend a client gets: affinity, and what is ready, terminating or gone.</summary>
public sealed class ServiceChoiceTests
{
    private NodeBox _box = null!;
    private PodBox _client = null!;
    private PodBox[] _servers = null!;
    private AgentProcess _agent = null!;

    [OneTimeSetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        _client = _box.AddPod("client");
        var other = new OtherNode(_box);
        _servers = [other.AddServer("a"), other.AddServer("b"), other.AddServer("c")];
        _agent = _box.StartAgent().MustBeReady();
    }

    [OneTimeTearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    [Test]
    public void A_client_keeps_its_backend_until_it_was_away_too_long()
    {
        (Netns From, string At)[] clients = [(_client.Netns, "10.96.0.20"), (_box.Node, "10.96.0.20"), (_box.Node, "192.0.2.1:30020"), (_box.Outside, "192.0.2.1:30020")];
        WriteService("sticky", "10.96.0.20", 30020, Affinity(10800), _servers.Select(Ready));
        foreach (var (from, at) in clients)
        {
            Eventually.True(() => Ask(from, at) is not "", $"{from.Name} is served");
            var first = Ask(from, at);
            Assert.That(Enumerable.Range(0, 10).Select(_ => Ask(from, at)), Is.All.EqualTo(first), $"{from.Name} at {at}");
        }

        WriteService("sticky", "10.96.0.20", 30020, Affinity(1), _servers.Select(Ready));
        foreach (var (from, at) in clients)
        {
            var last = Ask(from, at);
            Eventually.True(() => AfterRest(from, at) is var now && now != "" && now != last, $"{from.Name} gets another backend at {at} after a rest");
        }

        static string Affinity(int seconds) => $"sessionAffinity: ClientIP\nsessionAffinityConfig: {{ clientIP: {{ timeoutSeconds: {seconds} }} }}";

        // Asking sooner would renew what is to run out.
        static string AfterRest(Netns from, string at)
        {
            Thread.Sleep(1100);
            return Ask(from, at);
        }
    }

    [Test]
    public void A_client_whose_backend_is_gone_gets_another_and_keeps_that()
    {
        WriteService("moving", "10.96.0.21", 30021, "sessionAffinity: ClientIP", _servers.Select(Ready));
        Eventually.True(() => Ask(_client.Netns, "10.96.0.21") is not "", "the service is served");
        var first = Ask(_client.Netns, "10.96.0.21");

        WriteService("moving", "10.96.0.21", 30021, "sessionAffinity: ClientIP", _servers.Where(s => s.Name != first).Select(Ready));
        Eventually.True(() => Ask(_client.Netns, "10.96.0.21") is var now && now != "" && now != first, "the client moves");

        var second = Ask(_client.Netns, "10.96.0.21");
        WriteService("moving", "10.96.0.21", 30021, "sessionAffinity: ClientIP", _servers.Select(Ready));
        Assert.That(Enumerable.Range(0, 20).Select(_ => Ask(_client.Netns, "10.96.0.21")), Is.All.EqualTo(second));
    }

    [Test]
    public void Terminating_backends_serve_only_while_none_is_ready()
    {
        WriteService("ending", "10.96.0.22", 30022, "", [Terminating(_servers[0]), Ready(_servers[1])]);
        ServedBy("10.96.0.22", 30022, "b");

        WriteService("ending", "10.96.0.22", 30022, "", [Terminating(_servers[0]), NotReady(_servers[1])]);
        ServedBy("10.96.0.22", 30022, "a");

        WriteService("ending", "10.96.0.22", 30022, "", [NotReady(_servers[1])]);
        Eventually.True(() => _client.Netns.Curl("http://10.96.0.22/").CurlExit == 7, "nobody is left");
        Eventually.True(() => _box.Outside.Curl("http://192.0.2.1:30022/").CurlExit == 7, "nobody is left for the world");
    }

    [TestCase("random")]
    [TestCase("maglev")]
    public void Every_backend_gets_its_share(string algorithm)
    {
        _box.WriteConfig("share.yaml", Manifests.Service("share", "", "10.96.0.23", "http:80:80:TCP::30023", more: "type: NodePort")
            .Replace("namespace: default", $"namespace: default, annotations: {{ nodemesh.io/lb-algorithm: {algorithm} }}", StringComparison.Ordinal)
            + "\n---\n" + Manifests.Endpoints("share", "http:80", _servers.Select(Ready)));
        Eventually.True(() => Ask(_box.Outside, "192.0.2.1:30023") is not "", "the service is served");
        foreach (var (from, at) in new[] { (_client.Netns, "10.96.0.23"), (_box.Outside, "192.0.2.1:30023") })
            Assert.That(Enumerable.Range(0, 40).Select(_ => Ask(from, at)).ToHashSet(), Is.EquivalentTo(["a", "b", "c"]), from.Name);
    }

    private void ServedBy(string vip, int nodePort, string name)
    {
        foreach (var (from, at) in new[] { (_client.Netns, vip), (_box.Outside, $"192.0.2.1:{nodePort}") })
        {
            Eventually.True(() => Ask(from, at) == name, $"{name} serves at {at}");
            Assert.That(Enumerable.Range(0, 12).Select(_ => Ask(from, at)), Is.All.EqualTo(name), at);
        }
    }

    private static string Ask(Netns from, string at) => from.Curl($"http://{at}/").Body.Split(' ')[0];

    private void WriteService(string name, string vip, int nodePort, string more, IEnumerable<string> endpoints) => _box.WriteConfig($"{name}.yaml",
        Manifests.Service(name, "", vip, $"http:80:80:TCP::{nodePort}", more: $"type: NodePort\n{more}") + "\n---\n" + Manifests.Endpoints(name, "http:80", endpoints));

    private static string Ready(PodBox pod) => $"addresses: [ {pod.Address} ], nodeName: other";

    private static string NotReady(PodBox pod) => Ready(pod) + ", conditions: { ready: false, serving: false, terminating: false }";

    private static string Terminating(PodBox pod) => Ready(pod) + ", conditions: { ready: false, serving: true, terminating: true }";
}
