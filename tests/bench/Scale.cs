using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using NodeMesh.Testing;

namespace NodeMesh.Bench;

/// <summary>What the control side costs with very many services: the whole state from nothing, one changed backend, and memory.</summary>
internal static partial class Scale
{
    private const int PerFile = 100;
    private const int HotServices = 20;

    public static void Run(int services, int backends, int changes)
    {
        using var box = new NodeBox();
        var files = Write(box, services, backends);
        var started = DateTime.UtcNow;
        using var agent = box.StartAgent("--log-level", "debug");
        Eventually.True(() => agent.HasExited || box.Node.Curl("http://127.0.0.1:9464/readyz").Status == 200, $"the agent is ready; its log:\n{Tail(agent)}", TimeSpan.FromSeconds(180));
        if (agent.HasExited)
            throw new InvalidOperationException($"the agent ended with {agent.ExitCode}:\n{Tail(agent)}");
        var ready = DateTime.UtcNow - started;
        var compile = Milliseconds(Compiled(), agent.Log).Max();
        var apply = Milliseconds(InKernel(), agent.Log).Max();
        Thread.Sleep(3000);
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{services} services x {backends} backends in {files} files"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  from nothing: compiled in {compile:0} ms, written in {apply:0} ms (aim: <= 2000 together); ready {ready.TotalSeconds:0.0} s after the start, reading the files included"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  memory: {agent.ResidentBytes / 1048576.0:0.0} MiB resident (aim: <= 120)"));

        var cpu = new List<double>();
        for (var i = 0; i < changes; i++)
        {
            var before = CpuMilliseconds(agent.Pid);
            box.WriteConfig($"hot-{i % HotServices}.yaml", Slice(i % HotServices, backends, 1 + (i / HotServices)));
            Thread.Sleep(200);
            cpu.Add(CpuMilliseconds(agent.Pid) - before);
        }

        var idle = new List<double>();
        for (var i = 0; i < 20; i++)
        {
            var before = CpuMilliseconds(agent.Pid);
            Thread.Sleep(200);
            idle.Add(CpuMilliseconds(agent.Pid) - before);
        }

        Eventually.True(() => agent.Metric("nodemesh_datapath_enforced_revision") >= changes, "every change is enforced");
        Show("one changed backend, CPU of the agent from file to kernel", cpu, "aim: p99 <= 20");
        Show("  of which compiling, by the clock", Milliseconds(Compiled(), agent.Log).TakeLast(changes), "");
        Show("  of which writing rows, by the clock", Milliseconds(InKernel(), agent.Log).TakeLast(changes), "");
        Show("idle for as long", idle, "");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  memory after {changes} changes: {agent.ResidentBytes / 1048576.0:0.0} MiB resident (aim: <= 120)"));
    }

    internal static void Show(string what, IEnumerable<double> milliseconds, string aim)
    {
        var sorted = milliseconds.Order().ToArray();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  {what}: median {Measure.Median(sorted):0.0} ms, p99 {sorted[(int)(sorted.Length * 0.99)]:0.0} ms, most {sorted[^1]:0.0} ms{(aim.Length > 0 ? $" ({aim})" : "")}"));
    }

    private static int Write(NodeBox box, int services, int backends)
    {
        for (var first = 0; first < services; first += PerFile)
        {
            var text = new StringBuilder();
            for (var i = first; i < Math.Min(first + PerFile, services); i++)
            {
                text.Append(CultureInfo.InvariantCulture, $$"""
                    apiVersion: v1
                    kind: Service
                    metadata: { name: s{{i}}, namespace: default }
                    spec: { clusterIP: "10.{{96 + (i >> 16)}}.{{(i >> 8) & 255}}.{{i & 255}}", ports: [ { port: 80 } ] }
                    ---

                    """);
                if (i >= HotServices)
                    text.Append(Slice(i, backends, 1)).Append("---\n");
            }

            box.WriteConfig($"10-bulk-{first:000000}.yaml", text.ToString());
        }

        for (var i = 0; i < HotServices; i++)
            box.WriteConfig($"hot-{i}.yaml", Slice(i, backends, 0));
        return (services + PerFile - 1) / PerFile + HotServices;
    }

    /// <param name="version">Tells one state from the next: the first backend's address.</param>
    private static string Slice(int service, int backends, int version)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $$"""
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: { name: s{{service}}-a, namespace: default, labels: { kubernetes.io/service-name: s{{service}} } }
            addressType: IPv4
            ports: [ { port: 8080 } ]
            endpoints:

            """);
        for (var i = 0; i < backends; i++)
        {
            var number = (service * backends) + i;
            var second = i == 0 && version > 0 ? 10 + (version % 200) : 10;
            text.Append(CultureInfo.InvariantCulture, $"- {{ addresses: [ \"{second}.{(number >> 16) + 1}.{(number >> 8) & 255}.{number & 255}\" ], nodeName: node-{number % 100}, zone: zone-{number % 3}, conditions: {{ ready: true }} }}\n");
        }

        return text.ToString();
    }

    /// <summary>All threads of a process, to the nanosecond; a thread that ended takes its share with it.</summary>
    internal static double CpuMilliseconds(int pid) => Directory.GetDirectories($"/proc/{pid}/task")
        .Sum(t => double.Parse(File.ReadAllText(Path.Combine(t, "schedstat")).Split(' ')[0], CultureInfo.InvariantCulture)) / 1e6;

    internal static double[] Milliseconds(Regex line, string log) =>
        [.. line.Matches(log).Select(m => double.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture))];

    private static string Tail(AgentProcess agent) => agent.Log.Length > 2000 ? agent.Log[^2000..] : agent.Log;

    [GeneratedRegex(@"compiled in ([0-9.]+) ms")]
    internal static partial Regex Compiled();

    [GeneratedRegex(@"is in the kernel: .* in ([0-9.]+) ms")]
    internal static partial Regex InKernel();
}
