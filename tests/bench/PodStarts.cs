using System.Diagnostics;
using System.Globalization;
using NodeMesh.Testing;

namespace NodeMesh.Bench;

/// <summary>What a pod's start waits for at the CNI gate, and how soon a pod without a gate is found.</summary>
internal static class PodStarts
{
    public static void Run(int pods)
    {
        using var box = new NodeBox();
        var confDir = Directory.CreateDirectory(Path.Combine(box.WorkDir, "net.d")).FullName;
        var binDir = Path.Combine(box.WorkDir, "cni-bin");
        File.WriteAllText(Path.Combine(confDir, "10-box.conflist"), """{ "cniVersion": "1.0.0", "name": "box", "plugins": [ { "type": "ptp" } ] }""");
        box.WriteConfig("p.yaml", Manifests.DefaultDeny("Ingress"));
        using var agent = box.StartAgent("--cni-gate", "fail-closed", "--cni-bin-dir", binDir, "--cni-conf-dir", confDir).MustBeReady();
        var held = new List<double>();
        var found = new List<double>();
        for (var i = 0; i < pods; i++)
        {
            var pod = box.PlanPod(string.Create(CultureInfo.InvariantCulture, $"pod-{i}"));
            box.Declare(pod, hasAddress: false);
            Eventually.True(() => agent.Cli("endpoints").Output.Contains(pod.Name, StringComparison.Ordinal), "the agent knows the pod");
            box.Connect(pod);
            if (i % 2 == 0)
                held.Add(Add(box, binDir, pod));
            else
                found.Add(Find(agent, pod));
        }

        Console.WriteLine($"Pod starts ({pods / 2} each)");
        Print("ADD of the CNI gate, from the plugin's start to its end", held);
        Print("without a gate, from the first process to its policy in force", found);
    }

    private static double Add(NodeBox box, string binDir, PodBox pod)
    {
        string[] environment =
        [
            "CNI_COMMAND=ADD", $"CNI_CONTAINERID={pod.Name}", $"CNI_NETNS={pod.Netns.Path}", "CNI_IFNAME=eth0",
            $"CNI_ARGS=K8S_POD_NAMESPACE={pod.Namespace};K8S_POD_NAME={pod.Name};K8S_POD_UID={pod.Uid}",
        ];
        var config = $$"""
            { "cniVersion": "1.0.0", "name": "box", "type": "nodemesh-cni", "runDir": "{{box.RunDir}}", "prevResult": {
              "interfaces": [ { "name": "eth0", "sandbox": "{{pod.Netns.Path}}" } ], "ips": [ { "address": "{{pod.Address}}/32", "interface": 0 } ] } }
            """;
        var clock = Stopwatch.StartNew();
        Shell.Run("env", [.. environment, Path.Combine(binDir, "nodemesh-cni")], input: config).MustSucceed("ADD");
        return clock.Elapsed.TotalMilliseconds;
    }

    private static double Find(AgentProcess agent, PodBox pod)
    {
        var began = DateTime.UtcNow;
        var before = agent.Log.Length;
        using var pause = pod.StartPause();
        Eventually.True(() => agent.Cli("endpoints").Output.Split('\n').Any(l => l.Contains(pod.Name + " ", StringComparison.Ordinal) && l.Contains("enforced", StringComparison.Ordinal)), "it is found");
        var line = agent.Log[before..].Split('\n').Last(l => l.Contains("attachments changed", StringComparison.Ordinal));
        return (DateTime.Parse(line[..line.IndexOf(' ')], CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal) - began).TotalMilliseconds;
    }

    private static void Print(string what, List<double> milliseconds)
    {
        milliseconds.Sort();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"    {what}: median {Measure.Median(milliseconds):0} ms, longest {milliseconds[^1]:0} ms"));
    }
}
