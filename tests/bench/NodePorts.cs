using NodeMesh.Testing;

namespace NodeMesh.Bench;

/// <summary>From the outside world to a NodePort, whose backend is a pod of the node or one of another node, NodeMesh against iptables, by turns.</summary>
internal static class NodePorts
{
    private const int ServiceCount = 10;
    private const int Connections = 16;
    private const int Port = 30080;

    /// <summary>More than one: translated source ports toward one address run out at some thousand connections a second.</summary>
    private const int Backends = 5;

    private static readonly string[] FarPods = [.. Enumerable.Range(2, Backends).Select(i => $"10.244.1.{i}")];

    public static void Run(int rounds, int seconds)
    {
        foreach (var far in new[] { false, true })
        {
            using var ours = new NodeBox();
            using var theirs = new NodeBox();
            ServiceSet.WriteConfig(ours, Make(ours, far));
            KubeProxyRules.Install(theirs, Make(theirs, far), "iptables-restore");
            using var agent = ours.StartAgent().MustBeReady();
            foreach (var box in new[] { ours, theirs })
                Eventually.True(() => box.Outside.Run([.. Measure.Elsewhere, "curl", "-sSf", "-m", "2", Url]).ExitCode == 0, $"the NodePort answers ({(box == ours ? "nodemesh" : "iptables")}, {(far ? "remote" : "local")} backend)");

            var where = far ? "of another node" : "of this node";
            var keepAlive = new Report($"NodePort from outside, backend {where}, keep-alive");
            var connects = new Report($"NodePort from outside, backend {where}, new connections");
            for (var i = 0; i < rounds; i++)
            {
                foreach (var box in i % 2 == 0 ? new[] { ours, theirs } : [theirs, ours])
                {
                    var (name, pids) = box == ours ? ("nodemesh", new[] { agent.Pid }) : ("iptables", []);
                    keepAlive.Add(name, Measure.WrkFromOutside(box, Url, seconds, Connections, pids));
                    connects.Add(name, Measure.WrkFromOutside(box, Url, seconds, Connections, pids, "-H", "Connection: close"));
                }
            }

            keepAlive.Print("iptables");
            Services.Aim(keepAlive, "nodemesh", "iptables", ">= 1.00");
            connects.Print("iptables");
            Services.Aim(connects, "nodemesh", "iptables", ">= 1.00");
        }
    }

    private static string Url => $"http://{NodeBox.NodeAddress}:{Port}/";

    private static IReadOnlyList<BenchService> Make(NodeBox box, bool far) =>
        ServiceSet.Make(ServiceCount, far ? FarNode(box) : [.. Enumerable.Range(1, Backends).Select(i => box.AddServer($"server-{i}").Address)], Port);

    /// <summary>Another node behind a link of its own, with pods' addresses that serve; answers them.</summary>
    private static string[] FarNode(NodeBox box)
    {
        var netns = $"{box.Id}-far";
        Shell.Script($"""
            ip netns add {netns}
            ip -n {netns} link set lo up
            {string.Join('\n', FarPods.Select(a => $"ip -n {netns} addr add {a}/32 dev lo"))}
            ip -n {box.Node.Name} link add eth1 type veth peer name eth0 netns {netns}
            ip -n {box.Node.Name} addr add 203.0.113.1/24 dev eth1
            ip -n {box.Node.Name} link set eth1 up
            ip -n {netns} addr add 203.0.113.2/24 dev eth0
            ip -n {netns} link set eth0 up
            ip -n {netns} route add default via 203.0.113.1
            ip -n {box.Node.Name} route add 10.244.1.0/24 via 203.0.113.2
            """).MustSucceed("making the far node");
        box.InNamespace(netns).StartNginx(Path.Combine(box.WorkDir, "nginx-far"), """
              server { listen 80 reuseport backlog=4096; location / { return 200 "far\n"; } }
            """);
        return FarPods;
    }
}
