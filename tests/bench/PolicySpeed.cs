using System.Globalization;
using System.Text;
using NodeMesh.Testing;

namespace NodeMesh.Bench;

/// <summary>The same two pods under ever more rules, by turns: half of the rules are about who reaches the server, half about whom the client reaches.</summary>
internal static class PolicySpeed
{
    private const int Connections = 16;
    private const int RulesPerFile = 100;

    private static readonly int[] s_sizes = [0, 10, 1_000, 10_000];

    public static void Run(int rounds, int seconds)
    {
        using var box = new NodeBox();
        var client = box.AddPod("client");
        var server = box.AddServer("server");
        var url = $"http://{server.Address}/";
        using var agent = box.StartAgent().MustBeReady();
        var keepAlive = new Report("Same-node keep-alive L4 by number of policy rules");
        var connects = new Report("Same-node new connections by number of policy rules");
        Measure.Wrk(client.Netns, url, seconds, Connections, []); // the first is always slower
        var files = 0;
        for (var i = 0; i < rounds; i++)
        {
            // Each round begins with another size, so that none always follows the same.
            foreach (var size in s_sizes.Skip(i % s_sizes.Length).Concat(s_sizes.Take(i % s_sizes.Length)))
            {
                files = Write(box, size, files);

                // Each rule has a peer of its own, so each makes a class.
                Eventually.True(() => agent.Metric("nodemesh_datapath_map_entries{map=\"nm_class\"}") == size, $"{size} rules are in force", TimeSpan.FromSeconds(60));
                keepAlive.Add(Name(size), Measure.Wrk(client.Netns, url, seconds, Connections, [agent.Pid]));
                connects.Add(Name(size), Measure.Wrk(client.Netns, url, seconds, Connections, [agent.Pid], "-H", "Connection: close"));
            }
        }

        foreach (var report in new[] { keepAlive, connects })
        {
            report.Print(Name(0));
            foreach (var size in s_sizes[1..])
                Services.Aim(report, Name(size), Name(0), ">= 0.95");
        }
    }

    private static string Name(int size) => string.Create(CultureInfo.InvariantCulture, $"{size} rules");

    /// <returns>How many files there are now.</returns>
    private static int Write(NodeBox box, int size, int before)
    {
        var files = 0;
        foreach (var (app, direction, peers) in new[] { ("server", "ingress", "from"), ("client", "egress", "to") })
        {
            var rules = Enumerable.Range(0, size / 2).Select(i => Rule(i, i == size / 4, direction, peers)).Chunk(RulesPerFile);
            foreach (var chunk in rules)
                box.WriteConfig(File(files++), Policy(app, direction, string.Concat(chunk), files));
        }

        for (var file = files; file < before; file++)
            box.DeleteConfig(File(file));
        return files;
    }

    private static string File(int number) => string.Create(CultureInfo.InvariantCulture, $"rules-{number:000}.yaml");

    /// <param name="real">The one that lets the client's connections through, in the middle.</param>
    private static string Rule(int number, bool real, string direction, string peers) => real
        ? $"  - {{ {peers}: [ {{ podSelector: {{ matchLabels: {{ app: {(direction == "ingress" ? "client" : "server")} }} }} }} ], ports: [ {{ port: 80 }} ] }}\n"
        : string.Create(CultureInfo.InvariantCulture,
            $"  - {{ {peers}: [ {{ ipBlock: {{ cidr: 10.{(direction == "ingress" ? 1 : 2)}.{number >> 8}.{number & 255}/32 }} }} ], ports: [ {{ port: {1024 + number} }} ] }}\n");

    private static string Policy(string app, string direction, string rules, int number) => new StringBuilder().Append(CultureInfo.InvariantCulture, $$"""
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: { name: rules-{{number}}, namespace: default }
        spec:
          podSelector: { matchLabels: { app: {{app}} } }
          policyTypes: [ {{(direction == "ingress" ? "Ingress" : "Egress")}} ]
          {{direction}}:

        """).Append(rules).ToString();
}
