using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>
/// Namespaces x, y and z with pods a, b and c, each with a service of its own. After each change everybody asks everybody, by the pod's addresses and by its
/// service's, over both families.
/// </summary>
public abstract class PolicyMatrix
{
    private static readonly string[] s_ports = ["tcp:80", "tcp:81", "udp:80", "udp:81"];

    /// <summary>The pods and their services' addresses.</summary>
    private protected Dictionary<ClusterPod, (string Address, string Address6)> Services { get; } = [];

    private protected Cluster Cluster { get; private set; } = null!;

    private ClusterPod _canary = null!;
    private bool _canaryIsClosed;
    private int _policies;

    [OneTimeSetUp]
    public async Task StartMesh()
    {
        Cluster = await Cluster.StartAsync();
        foreach (var ns in (string[])["x", "y", "z"])
        {
            Cluster.PutNamespace(ns);
            foreach (var pod in (string[])["a", "b", "c"])
                Start(ns, pod);
        }

        Cluster.PutNamespace("canary");
        _canary = Cluster.StartPod("canary", "canary", ["tcp:80"]);
    }

    [OneTimeTearDown]
    public async Task EndMesh() => await Cluster.DisposeAsync();

    [TearDown]
    public void EndPolicies()
    {
        Cluster.DeletePolicies();
        _canaryIsClosed = false;
    }

    /// <summary>The pod comes first and then its service.</summary>
    private protected void Start(string ns, string name)
    {
        var pod = Cluster.StartPod(ns, name, s_ports);
        var number = ((ns[0] - 'w') * 10) + name[0] - 'a';
        Services[pod] = ($"10.96.1.{number}", $"fd00:96:1::{number}");
        Cluster.PutService(ns, $"s-{ns}-{name}", Services[pod].Address,
            ["service-port-tcp-80:80:80:TCP", "service-port-tcp-81:81:81:TCP", "service-port-udp-80:80:80:UDP", "service-port-udp-81:81:81:UDP"],
            $"'pod':'{name}'", address6: Services[pod].Address6);
    }

    private protected static bool X(ClusterPod pod) => pod.Namespace == "x";

    private protected static bool Is(ClusterPod pod, string name) => pod.ToString() == name;

    private protected ClusterPod Pod(string name) => Services.Keys.Single(p => Is(p, name));

    private protected static string Named(string ns) => $"{{'matchLabels':{{'kubernetes.io/metadata.name':'{ns}'}}}}";

    private protected void Ingress(string ns, string pods, params string[] rules) => Put(ns, pods, "Ingress", rules);

    private protected void Egress(string ns, string pods, params string[] rules) => Put(ns, pods, "Egress", rules);

    private void Put(string ns, string pods, string direction, string[] rules) =>
        Cluster.PutPolicy(ns, $"p{_policies++}", $"{{'podSelector':{pods},'policyTypes':['{direction}'],'{direction.ToLowerInvariant()}':[{string.Join(',', rules)}]}}");

    /// <summary>Everybody asks everybody, until all answers of one round are those expected.</summary>
    private protected void Truth(string protocol, int port, Func<ClusterPod, ClusterPod, bool> expected)
    {
        Settle();
        string[] wrong = [];
        try
        {
            Eventually.True(() => (wrong = WrongAsync(protocol, port, expected).GetAwaiter().GetResult()).Length == 0, "the truth table");
        }
        catch (TimeoutException)
        {
            Assert.Fail(string.Join('\n', wrong));
        }
    }

    private async Task<string[]> WrongAsync(string protocol, int port, Func<ClusterPod, ClusterPod, bool> expected)
    {
        var probes =
            from client in Services.Keys
            from server in Services.Keys
            from at in (string[])[server.Address, server.Address6, Services[server].Address, Services[server].Address6]
            select (Client: client, Server: server, At: at, Answer: client.Agnhost!.AskAsync(protocol, at, port, isBrief: true));
        var wrong = new List<string>();
        foreach (var (client, server, at, answer) in probes.ToArray())
        {
            var said = await answer;
            var isReached = said == $"{server.Name} as {(at.Contains(':', StringComparison.Ordinal) ? client.Address6 : client.Address)}";
            if (isReached != (client == server || expected(client, server)) || (!isReached && said is not ("REFUSED" or "RESET" or "DENIED" or "TIMEOUT")))
                wrong.Add($"{client} to {server} at {at}, {protocol} {port}: {said}");
        }

        return [.. wrong];
    }

    /// <summary>Waits until the agent enforces every policy so far: those come in their order, and here comes one more, of which it is seen whether it is in force.</summary>
    private void Settle()
    {
        _canaryIsClosed = !_canaryIsClosed;
        Cluster.PutPolicy("canary", "canary", $"{{'podSelector':{{}},'policyTypes':['Ingress'],'ingress':[{(_canaryIsClosed ? "" : "{}")}]}}");
        var asks = Pod("z/c").Agnhost!;
        Eventually.True(() => asks.Ask("tcp", _canary.Address, 80, isBrief: true).StartsWith("canary", StringComparison.Ordinal) != _canaryIsClosed, "the last policy is in force");
    }
}
