using System.Globalization;
using NodeMesh.Testing;

namespace NodeMesh.Bench;

/// <summary>
/// New connections from a pod to a ClusterIP at few and at many services, NodeMesh against iptables. Each contestant has a node and pods of the same
/// make, all stand at once, and they run by turns.
/// </summary>
internal static class Services
{
    private const int Few = 10;
    private const int Backends = 5;
    private const int Connections = 16;

    public static void Run(int rounds, int seconds, int many)
    {
        Console.WriteLine();
        var contestants = new List<Contestant>();
        try
        {
            contestants.Add(Contestant.Bare());
            foreach (var services in new[] { Few, many })
            {
                contestants.Add(Contestant.NodeMesh(services));
                contestants.Add(Contestant.Iptables("iptables", "iptables-restore", services));
                if (Shell.Run("iptables-legacy", ["-t", "nat", "-nL"]).ExitCode == 0)
                    contestants.Add(Contestant.Iptables("legacy", "iptables-legacy-restore", services));
            }

            foreach (var contestant in contestants)
                Eventually.True(() => contestant.Client.Netns.Curl(contestant.Url).Status == 200, $"{contestant.Name} serves");
            var report = new Report("New connections to a ClusterIP, Connection: close");
            for (var i = 0; i < rounds; i++)
            {
                // Each round begins with another one, so that none always follows the same.
                foreach (var contestant in contestants.Skip(i % contestants.Count).Concat(contestants.Take(i % contestants.Count)))
                    report.Add(contestant.Name, Measure.Wrk(contestant.Client.Netns, contestant.Url, seconds, Connections, contestant.Pids, "-H", "Connection: close"));
            }

            report.Print("no mesh");
            Aim(report, Named("nodemesh", Few), Named("iptables", Few), ">= 1.00");
            Aim(report, Named("nodemesh", many), Named("iptables", many), ">= 2.00");
            Aim(report, Named("nodemesh", many), Named("nodemesh", Few), ">= 0.95");
        }
        finally
        {
            contestants.ForEach(c => c.Dispose());
        }
    }

    internal static void Aim(Report report, string one, string other, string aim) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"  {one} against {other}: x{report.Median(one, r => r.PerSecond) / report.Median(other, r => r.PerSecond):0.00} (aim: {aim})"));

    private static string Named(string who, int services) => string.Create(CultureInfo.InvariantCulture, $"{who} {services}");

    private sealed class Contestant : IDisposable
    {
        private readonly NodeBox _box = new();
        private AgentProcess? _agent;

        private Contestant(string name)
        {
            Name = name;
            Client = _box.AddPod("client");
            Servers = [.. Enumerable.Range(1, Backends).Select(i => _box.AddServer(string.Create(CultureInfo.InvariantCulture, $"server-{i}")))];
            Url = $"http://{Servers[0].Address}/";
        }

        public string Name { get; }

        public PodBox Client { get; }

        public string Url { get; private set; }

        public IReadOnlyList<int> Pids => _agent is null ? [] : [_agent.Pid];

        private IReadOnlyList<PodBox> Servers { get; }

        /// <summary>No service at all: one backend by its own address.</summary>
        public static Contestant Bare() => new("no mesh");

        public static Contestant NodeMesh(int services)
        {
            var made = new Contestant(Named("nodemesh", services));
            ServiceSet.WriteConfig(made._box, made.Aimed(services));
            made._agent = made._box.StartAgent();
            Eventually.True(() => made._agent.HasExited || made._box.Node.Curl("http://127.0.0.1:9464/readyz").Status == 200, "the agent is ready", TimeSpan.FromSeconds(60));
            return made;
        }

        public static Contestant Iptables(string name, string restore, int services)
        {
            var made = new Contestant(Named(name, services));
            var set = made.Aimed(services);
            var started = DateTime.UtcNow;
            KubeProxyRules.Install(made._box, set, restore);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {made.Name}: rules in force after {(DateTime.UtcNow - started).TotalSeconds:0.0} s"));
            return made;
        }

        public void Dispose()
        {
            _agent?.Dispose();
            _box.Dispose();
        }

        private IReadOnlyList<BenchService> Aimed(int services)
        {
            var set = ServiceSet.Make(services, [.. Servers.Select(s => s.Address)]);
            Url = $"http://{ServiceSet.Target(set).Vip}/";
            return set;
        }
    }
}
