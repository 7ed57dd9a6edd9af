using System.Globalization;
using NodeMesh.Testing;

namespace NodeMesh.Bench;

/// <summary>One run of wrk and the CPU it took.</summary>
/// <param name="ProcessCpu">Seconds of the measured processes; zero when none was named.</param>
/// <param name="MachineCpu">Busy seconds of the whole machine, wrk and backend included.</param>
/// <param name="Retried">SYNs that the client sent again, each after a second at least: nobody answered the first.</param>
internal sealed record Round(double Requests, double Seconds, double ProcessCpu, double MachineCpu, double Retried)
{
    public double PerSecond => Requests / Seconds;

    public double ProcessMicrosPerRequest => ProcessCpu * 1e6 / Requests;

    public double MachineMicrosPerRequest => MachineCpu * 1e6 / Requests;

    public double RetriedPerTenThousand => Retried * 10_000 / Requests;
}

internal static class Measure
{
    private const double TicksPerSecond = 100;

    /// <summary>Runs wrk in <paramref name="client"/>; the run must be free of errors.</summary>
    public static Round Wrk(Netns client, string url, int seconds, int connections, IReadOnlyList<int> pids, params string[] more) =>
        Wrk(client, [], url, seconds, connections, pids, more);

    /// <summary>The same from another machine: outside the box's cgroup, where no socket hook of the node translates addresses.</summary>
    public static Round WrkFromOutside(NodeBox box, string url, int seconds, int connections, IReadOnlyList<int> pids, params string[] more) =>
        Wrk(box.Outside, Elsewhere, url, seconds, connections, pids, more);

    /// <summary>What a command begins with that plays another machine.</summary>
    public static readonly string[] Elsewhere = ["/bin/sh", "-c", $"echo $$ > {NodeBox.Cgroup2Mount()}/cgroup.procs && exec \"$@\"", "sh"];

    private static Round Wrk(Netns client, string[] before, string url, int seconds, int connections, IReadOnlyList<int> pids, string[] more)
    {
        var process = pids.Sum(ProcessTicks);
        var retried = SynsSentAgain(client);
        var machine = MachineTicks();
        var output = client.Run([.. before, "wrk", "-t1", $"-c{connections}", $"-d{seconds}", .. more, url], TimeSpan.FromSeconds(seconds + 20)).MustSucceed("wrk").Output;
        machine = MachineTicks() - machine;
        process = pids.Sum(ProcessTicks) - process;
        retried = SynsSentAgain(client) - retried;
        if (output.Contains("Socket errors", StringComparison.Ordinal) || output.Contains("Non-2xx", StringComparison.Ordinal))
            throw new InvalidOperationException($"the load was not clean:\n{output}");
        var line = output.Split('\n').First(l => l.Contains("requests in", StringComparison.Ordinal)).Trim().Split(' ');
        return new Round(double.Parse(line[0], CultureInfo.InvariantCulture), double.Parse(line[3].TrimEnd('s', ','), CultureInfo.InvariantCulture),
            process / TicksPerSecond, machine / TicksPerSecond, retried);
    }

    /// <summary>The process and its children (nginx's and HAProxy's workers).</summary>
    public static IReadOnlyList<int> Family(int pid)
    {
        var family = new List<int> { pid };
        for (var i = 0; i < family.Count; i++)
            foreach (var task in Directory.EnumerateDirectories($"/proc/{family[i]}/task"))
                family.AddRange(File.ReadAllText(Path.Combine(task, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries)
                    .Select(c => int.Parse(c, CultureInfo.InvariantCulture)));
        return family;
    }

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>Two lines for each protocol: names and numbers.</summary>
    private static double SynsSentAgain(Netns client)
    {
        var lines = client.Run("cat", "/proc/net/netstat").MustSucceed("netstat").Output.Split('\n').Where(l => l.StartsWith("TcpExt:", StringComparison.Ordinal)).Select(l => l.Split(' ')).ToArray();
        return double.Parse(lines[1][Array.IndexOf(lines[0], "TCPSynRetrans")], CultureInfo.InvariantCulture);
    }

    private static double ProcessTicks(int pid)
    {
        var stat = File.ReadAllText($"/proc/{pid}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return double.Parse(fields[11], CultureInfo.InvariantCulture) + double.Parse(fields[12], CultureInfo.InvariantCulture);
    }

    private static double MachineTicks()
    {
        var cpu = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        // user nice system idle iowait irq softirq: everything but idle and iowait.
        return new[] { 1, 2, 3, 6, 7 }.Sum(i => double.Parse(cpu[i], CultureInfo.InvariantCulture));
    }
}
