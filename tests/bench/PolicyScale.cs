using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using NodeMesh.Testing;

namespace NodeMesh.Bench;

/// <summary>What policy costs the control side in a large cluster: all from nothing, one changed policy or pod from its file to enforced, and memory.</summary>
internal static partial class PolicyScale
{
    /// <summary>A file counts once it has held still: that long nothing can happen.</summary>
    private const double SettleMilliseconds = 40;

    public static void Run(int changes)
    {
        using var box = new NodeBox();
        var world = new PolicyWorld(box);
        world.WriteLocalPods();
        double attaching;
        using (var first = Ready(box))
            attaching = Scale.Milliseconds(Scale.InKernel(), first.Log).Max();
        box.CleanUpAgent();
        world.WriteRest();
        using var agent = Ready(box);
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Plan().Match(agent.Log).Value}, of which {box.Pods.Count} pods of this node"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  from nothing: compiled in {Scale.Milliseconds(Scale.Compiled(), agent.Log).Max():0} ms, in the kernel in {Scale.Milliseconds(Scale.InKernel(), agent.Log).Max():0} ms (aim: <= 2000 together); with these pods and nothing else {attaching:0} ms"));
        Fill(agent, "nm_identity", "nm_class", "nm_verdict", "nm_slot");
        Thread.Sleep(3000);
        Memory(agent, "");

        var all = new List<Change>();
        const int ns = PolicyWorld.LocalNamespaces;
        Changes("a policy of one application", i => world.WritePolicy(i % ns, PolicyWorld.OfOneApplication + (i / ns % 5), 1 + (i / (ns * 5))));
        Changes("a policy of a namespace (11 pods): a port", i => world.WritePolicy(i % ns, 2, 1 + (i / ns)));
        Changes("a policy of a namespace: its peers", i => world.WritePolicy(i % ns, 3, 1 + (i / ns)));
        Changes("a policy of a namespace: a block", i => world.WritePolicy(i % ns, 4, 1 + (i / ns)));
        Changes("a policy of no pod of this node", i => world.WritePolicy(ns + (i % PolicyWorld.HotPolicies), PolicyWorld.OfOneApplication, 1 + (i / PolicyWorld.HotPolicies)), Scale.Compiled());
        Show("one changed policy", all, "aim: p99 <= 20");
        Console.WriteLine();

        all.Clear();
        Changes("a pod of another node relabelled, new labels", i => world.WriteHotPod(i % ns, string.Create(CultureInfo.InvariantCulture, $"app: x{i}")));
        Changes("a pod of another node relabelled, known labels", i => world.WriteHotPod(i % ns, string.Create(CultureInfo.InvariantCulture, $"app: a{1 + (i / ns % 9)}")));
        Changes("a pod of another node gone, or there again", i => world.WriteHotPod(i % ns, i / ns % 2 == 0 ? null : "app: a3"));
        Changes("a pod of this node relabelled", i => world.RelabelLocalPod(i % 110, string.Create(CultureInfo.InvariantCulture, $"app: y{i}")));
        Show("one pod added, removed or relabelled", all, "aim: p99 <= 20");
        Memory(agent, " after these changes");

        // The last thing that a change does is to write rows, where there are any.
        void Changes(string what, Action<int> change, Regex? last = null)
        {
            var measured = Enumerable.Range(0, changes).Select(i => Measured(agent, () => change(i), last ?? Written())).ToList();
            Show(what, measured, "");
            all.AddRange(measured);
        }
    }

    private static AgentProcess Ready(NodeBox box)
    {
        var agent = box.StartAgent("--log-level", "debug");
        Eventually.True(() => agent.HasExited || box.Node.Curl("http://127.0.0.1:9464/readyz").Status == 200, "the agent is ready", TimeSpan.FromSeconds(180));
        return agent.HasExited ? throw new InvalidOperationException($"the agent ended with {agent.ExitCode}:\n{agent.Log}") : agent;
    }

    /// <param name="Clock">From the file held still to the last row.</param>
    /// <param name="Cpu">Of the agent, from the file's writing on.</param>
    private readonly record struct Change(double Clock, double Cpu, double Compile, double Write, double Rows);

    private static Change Measured(AgentProcess agent, Action change, Regex last)
    {
        var from = agent.LogLength;
        var cpu = Scale.CpuMilliseconds(agent.Pid);
        var clock = Stopwatch.StartNew();
        change();
        string log;
        while (!last.IsMatch(log = agent.LogSince(from)))
        {
            if (clock.Elapsed > TimeSpan.FromSeconds(10))
                throw new TimeoutException($"not enforced within 10 s:\n{log}");
            Thread.Sleep(1);
        }

        var elapsed = clock.Elapsed.TotalMilliseconds - SettleMilliseconds;
        Thread.Sleep(60); // what the agent still does after the rows are written
        var written = Written().Match(log);
        return new Change(elapsed, Scale.CpuMilliseconds(agent.Pid) - cpu, Scale.Milliseconds(Scale.Compiled(), log).Sum(), Scale.Milliseconds(Scale.InKernel(), log).Sum(),
            written.Success ? int.Parse(written.Groups[1].Value, CultureInfo.InvariantCulture) + int.Parse(written.Groups[2].Value, CultureInfo.InvariantCulture) : 0);
    }

    private static void Show(string what, IReadOnlyCollection<Change> changes, string aim)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {what} ({changes.Count} changes)"));
        Scale.Show("  to enforced, by the clock, the file's holding still left out", changes.Select(c => c.Clock), aim);
        Scale.Show("  CPU of the agent", changes.Select(c => c.Cpu), aim);
        Scale.Show("  compiling, by the clock", changes.Select(c => c.Compile), "");
        Scale.Show("  writing rows, by the clock", changes.Select(c => c.Write), "");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"    rows written and removed: median {Measure.Median(changes.Select(c => c.Rows)):0}, most {changes.Max(c => c.Rows):0}"));
    }

    private static void Memory(AgentProcess agent, string when) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"  memory{when}: {agent.PrivateBytes / 1048576.0:0.0} MiB private (aim: <= 150), {agent.ResidentBytes / 1048576.0:0.0} MiB resident"));

    private static void Fill(AgentProcess agent, params string[] maps) => Console.WriteLine(
        "  rows: " + string.Join(", ", maps.Select(m => string.Create(CultureInfo.InvariantCulture, $"{m} {agent.Metric($"nodemesh_datapath_map_entries{{map=\"{m}\"}}"):0}"))));

    [GeneratedRegex(@"is in the kernel: ([0-9]+) rows written, ([0-9]+) removed")]
    private static partial Regex Written();

    [GeneratedRegex(@"[0-9]+ pods, [0-9]+ services, [0-9]+ policies")]
    private static partial Regex Plan();
}
