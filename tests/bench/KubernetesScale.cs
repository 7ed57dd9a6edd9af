using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using NodeMesh.Model;
using NodeMesh.Native.Bpf;
using NodeMesh.Native.Namespaces;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;
using NodeMesh.Testing;
using NodeMesh.Testing.ApiServer;

namespace NodeMesh.Bench;

/// <summary>
/// An agent in a large cluster where something changes all the time: how long after the API server took a change the kernel has its rows, and what that costs. The
/// server is in this process, on the same machine; the kernel's rows are looked at every millisecond.
/// </summary>
internal sealed class KubernetesScale : IDisposable
{
    private const int PerSecond = 50;
    private const int Port = 6443;
    private const string Compiling = "nodemesh_plan_compile_duration_seconds_sum";
    private const string Writing = "nodemesh_datapath_reconcile_duration_seconds_sum";

    /// <summary>How long a pod that was added is there, in rounds of ten changes: longer than any change takes.</summary>
    private const int RoundsThere = 60;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    private readonly NodeBox _box;
    private readonly KubernetesWorld _world;
    private readonly BpfMap<IdentityKey, IdentityEntry> _identities;
    private readonly BpfMap<FrontendKey, FrontendEntry> _frontends;
    private readonly BpfMap<EndpointKey, EndpointEntry> _endpoints;
    private readonly EndpointKey[] _local;

    private KubernetesScale(NodeBox box, KubernetesWorld world)
    {
        (_box, _world) = (box, world);
        _identities = Open<IdentityKey, IdentityEntry>("nm_identity");
        _frontends = Open<FrontendKey, FrontendEntry>("nm_frontend");
        _endpoints = Open<EndpointKey, EndpointEntry>("nm_endpoint");
        _local = [.. world.Local.Select(p => new EndpointKey { Ifindex = IndexOf(p.HostInterface) })];
    }

    public static async Task RunAsync(int seconds)
    {
        using var box = new NodeBox();
        var store = new ObjectStore();
        await using var server = await InProcessApiServer.StartAsync(Listen(box), store, [.. InProcessApiServer.BuiltIn, "nodemesh.io/meshpolicies", "gateway.networking.k8s.io/httproutes"]);
        server.BookmarkInterval = TimeSpan.FromMinutes(1);
        var world = new KubernetesWorld(box, store);
        world.Fill();
        var clock = Stopwatch.StartNew();
        using var agent = box.StartAgentOf(server.Address);
        Eventually.True(() => agent.HasExited || box.Node.Curl("http://127.0.0.1:9464/readyz").Status == 200, $"the agent is ready; its log:\n{agent.Log}", TimeSpan.FromSeconds(180));
        agent.MustBeReady();
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{KubernetesWorld.Pods} pods (of this node {world.Local.Count}), {KubernetesWorld.Services} services, {KubernetesWorld.Namespaces * KubernetesWorld.PoliciesPerNamespace} policies from an API server; ready {clock.Elapsed.TotalSeconds:0.0} s after the start"));
        Thread.Sleep(5000);
        Memory(agent, " before the changes");
        var idle = Cpu(agent, TimeSpan.FromSeconds(10));

        using var scale = new KubernetesScale(box, world);
        scale.Churn(0, PerSecond); // code that was never run, rows that grow for the first time
        var (compiling, writing) = (agent.Metric(Compiling), agent.Metric(Writing));
        var cpu = Scale.CpuMilliseconds(agent.Pid);
        clock.Restart();
        var changes = scale.Churn(PerSecond, PerSecond * seconds);
        var cores = (Scale.CpuMilliseconds(agent.Pid) - cpu) / clock.Elapsed.TotalMilliseconds;
        Show($"a change in the API to the kernel's rows, {PerSecond} changes/s", changes, " (aims: median 10, p99 50)");
        foreach (var kind in changes.GroupBy(c => c.Kind))
            Show($"  {kind.Key}", [.. kind], "");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  CPU of the agent: {cores:0.000} cores (aim: <= 0.1), {idle:0.000} with nothing changing; {cores * 1000 / PerSecond:0.00} ms a change"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  by the clock, for each change: compiling {(agent.Metric(Compiling) - compiling) * 1000 / changes.Count:0.00} ms, the kernel's rows {(agent.Metric(Writing) - writing) * 1000 / changes.Count:0.00} ms"));
        Memory(agent, $" after {changes.Count} changes");
        Requests(server);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  kept on the node: {agent.Metric("nodemesh_source_cache_bytes") / 1048576.0:0.0} MiB"));
    }

    public void Dispose()
    {
        _identities.Dispose();
        _frontends.Dispose();
        _endpoints.Dispose();
    }

    /// <param name="Done">The kernel has it.</param>
    private sealed record Waiting(string Kind, long Since, Func<bool> Done);

    private sealed record Change(string Kind, double Milliseconds);

    private List<Change> Churn(int first, int changes)
    {
        var open = new List<Waiting>();
        var done = new List<Change>();
        var began = Stopwatch.GetTimestamp();
        for (var i = 0; i < changes || open.Count > 0;)
        {
            while (i < changes && Stopwatch.GetElapsedTime(began) >= TimeSpan.FromSeconds((double)i / PerSecond))
                open.Add(Next(first + i++));
            foreach (var one in open.Where(w => w.Done()).ToList())
            {
                open.Remove(one);
                done.Add(new Change(one.Kind, Stopwatch.GetElapsedTime(one.Since).TotalMilliseconds));
            }

            if (open.Find(w => Stopwatch.GetElapsedTime(w.Since) > s_limit) is { } lost)
                throw new TimeoutException($"not in the kernel within {s_limit.TotalSeconds} s: {lost.Kind}");
            Thread.Sleep(1);
        }

        return done;
    }

    /// <summary>Of ten changes four relabel a pod, one adds and one removes one (at first, changes endpoints), three are of endpoints, one is of a policy of a pod of this node.</summary>
    private Waiting Next(int number)
    {
        var round = number / 10;
        switch (number % 10)
        {
            case 8 when round >= RoundsThere:
                return Identity("a pod removed", KubernetesWorld.Pods + round - RoundsThere, _world.DeletePod);
            case 0 or 2 or 4 or 6:
                const int pairs = KubernetesWorld.Pods / 2;
                var pair = 1000 + (round * 4) + (number % 10 / 2);
                var app = FormattableString.Invariant($"a{(pair + (7 * (1 + (pair / pairs)))) % KubernetesWorld.Applications}");
                return Identity("a pod relabelled", (2 * (pair % pairs)) + 1, p => _world.PutPod(p, app));
            case 1:
                return Identity("a pod added", KubernetesWorld.Pods + round, p => _world.PutPod(p, "a7"));
            case 9:
                var (local, version) = (round % (KubernetesWorld.LocalNamespaces * 5), 1 + (round / (KubernetesWorld.LocalNamespaces * 5)));
                var (ns, application) = (local / 5, local % 5);
                var endpoint = _local[(ns * KubernetesWorld.LocalApplications) + application];
                _endpoints.TryGet(endpoint, out var row);
                return Begun("a policy of one application", () => _world.PutPolicy(ns, 5 + application, version), () => _endpoints.TryGet(endpoint, out var now) && now.Set != row.Set);
            default:
                var service = ((round * 3) + (number % 10 / 2)) % KubernetesWorld.Services;
                var key = new FrontendKey { Addr = Addr.From(IpAddr.Parse(KubernetesWorld.ServiceAddress(service))), PortBe = Be16.FromHost(80), Proto = (byte)Protocol.Tcp };
                _frontends.TryGet(key, out var before);
                return Begun("an endpoint changed", () => _world.PutSlice(service, 1 + number), () => _frontends.TryGet(key, out var now) && now != before);
        }
    }

    private Waiting Identity(string kind, int pod, Action<int> change)
    {
        var key = new IdentityKey { PrefixBits = 128, Addr = Addr.From(IpAddr.Parse(KubernetesWorld.PodAddress(pod))) };
        var was = _identities.TryGet(key, out var before);
        return Begun(kind, () => change(pod), () => _identities.TryGet(key, out var now) != was || now.Identity != before.Identity);
    }

    private static Waiting Begun(string kind, Action change, Func<bool> isDone)
    {
        var since = Stopwatch.GetTimestamp();
        change();
        return new Waiting(kind, since, isDone);
    }

    private static void Show(string what, IReadOnlyCollection<Change> changes, string aim)
    {
        var sorted = changes.Select(c => c.Milliseconds).Order().ToArray();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  {what}: median {Measure.Median(sorted):0.0} ms, p90 {sorted[(int)(sorted.Length * 0.9)]:0.0} ms, p99 {sorted[(int)(sorted.Length * 0.99)]:0.0} ms, most {sorted[^1]:0.0} ms of {sorted.Length}{aim}"));
    }

    private static double Cpu(AgentProcess agent, TimeSpan over)
    {
        var before = Scale.CpuMilliseconds(agent.Pid);
        Thread.Sleep(over);
        return (Scale.CpuMilliseconds(agent.Pid) - before) / over.TotalMilliseconds;
    }

    private static void Memory(AgentProcess agent, string when) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"  memory{when}: {agent.PrivateBytes / 1048576.0:0.0} MiB private (aim: <= 150), {agent.ResidentBytes / 1048576.0:0.0} MiB resident"));

    private static void Requests(InProcessApiServer server)
    {
        Console.WriteLine($"  requests since the start: {server.Requests.Count}");
        foreach (var kind in server.Requests.GroupBy(r => r.Verb).OrderBy(g => g.Key, StringComparer.Ordinal))
            Console.WriteLine($"    {kind.Key}: {string.Join(", ", kind.GroupBy(r => r.Resource).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => $"{g.Key} {g.Count()}"))}");
    }

    private BpfMap<TKey, TValue> Open<TKey, TValue>(string map)
        where TKey : unmanaged
        where TValue : unmanaged => new(MapFacts.OpenPinned($"{_box.Bpffs}/nodemesh/{AbiHash.Value}/maps/{map}") ?? throw new InvalidOperationException($"{map} is not pinned"), map);

    private uint IndexOf(string device) =>
        uint.Parse(_box.Node.Run("ip", "-o", "link", "show", "dev", device).MustSucceed(device).Output.Split(':')[0], CultureInfo.InvariantCulture);

    /// <summary>On the node's own loopback.</summary>
    private static Socket Listen(NodeBox box)
    {
        using var node = NetNamespace.Open(box.Node.Name);
        return node.Run(() =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Loopback, Port));
            socket.Listen();
            return socket;
        });
    }
}
