using System.Buffers.Binary;
using System.Globalization;
using System.Text.RegularExpressions;
using NodeMesh.Testing;

namespace NodeMesh.Bench;

/// <summary>
/// Nanoseconds per program: the programs of a running agent, on its hooks' interfaces and over its tables, run by BPF_PROG_TEST_RUN with packets of
/// connections that are open. Socket hooks cannot be run so: of those the kernel's own count under load is shown.
/// </summary>
internal static partial class ProgramTimes
{
    private const int Singles = 400;
    private const int Repeats = 20;
    private const int PerRepeat = 100;
    private const int ClientPort = 41000;
    private const int NodePort = 30080;
    private const int Remote = 8000;

    public static void Run(int seconds)
    {
        using var box = new NodeBox();
        var client = box.AddPod("client");
        var server = box.AddServer("server");
        ServiceSet.WriteConfig(box, ServiceSet.Make(10, [server.Address], NodePort));
        box.WriteConfig("policy.yaml", Open(server.Name));
        using var agent = box.StartAgent().MustBeReady();
        UnderLoad(box, agent, client, seconds);
        box.Outside.StartServer(Remote, "socat", string.Create(CultureInfo.InvariantCulture, $"TCP4-LISTEN:{Remote},fork,reuseaddr"), "SYSTEM:sleep 600");
        using var local = Hold(client.Netns, [], server.Address, 80);
        using var remote = Hold(client.Netns, [], NodeBox.OutsideAddress, Remote);
        using var outside = Hold(box.Outside, Measure.Elsewhere, NodeBox.NodeAddress, NodePort);

        var clientIf = Ifindex(box, client.HostInterface);
        var serverIf = Ifindex(box, server.HostInterface);
        var device = Ifindex(box, "eth0");
        var fromPod = Program(box, $"ep_{clientIf}_in", "nm_pod_ingress");
        var toPod = Program(box, $"ep_{serverIf}_out", "nm_pod_egress");
        var atNode = Program(box, $"_{device}_in", "nm_node_ingress");
        var leaving = Program(box, $"_{device}_out", "nm_node_egress");

        Console.WriteLine();
        Console.WriteLine("Nanoseconds per program by BPF_PROG_TEST_RUN, less those of a program that returns at once (median; 100 in a row where the packet stays what it is)");
        var nothing = Tcp(NodeBox.NodeAddress, 5000, NodeBox.OutsideAddress, 6000);
        // A forwarded packet is none of nm_node_egress's business: it returns at its first test.
        var empty = Time(box, leaving, nothing, device, device);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {"(at once)",-52}{empty.Single,8:0} single{empty.Row,8:0} in a row"));
        Show("nm_pod_ingress: tracked, to a pod of the node", fromPod, Tcp(client.Address, ClientPort, server.Address, 80), clientIf, 0);
        Show("nm_pod_ingress: tracked, to the world", fromPod, Tcp(client.Address, ClientPort, NodeBox.OutsideAddress, Remote), clientIf, 0);
        Show("nm_node_ingress: to a NodePort, tracked", atNode, Tcp(NodeBox.OutsideAddress, ClientPort, NodeBox.NodeAddress, NodePort), device, 0, changes: true);
        Show("nm_pod_egress: the same, at the pod", toPod, Tcp(NodeBox.OutsideAddress, ClientPort, server.Address, 80), serverIf, device);
        Show("nm_node_ingress: to the node, no service", atNode, Tcp(NodeBox.OutsideAddress, ClientPort, NodeBox.NodeAddress, 22), device, 0);
        Show("nm_node_egress: of the node, no service", leaving, nothing, device, 0);

        void Show(string what, string program, byte[] frame, int ifindex, int cameBy, bool changes = false)
        {
            var (single, row, answer) = Time(box, program, frame, ifindex, cameBy, changes);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"  {what,-52}{single - empty.Single,8:0} single{(changes ? "       -" : $"{row - empty.Row,8:0}")} in a row, answers {answer}"));
        }
    }

    /// <summary>What the kernel counts while new connections to a ClusterIP are made. Its own two clock readings are part of each number.</summary>
    private static void UnderLoad(NodeBox box, AgentProcess agent, PodBox client, int seconds)
    {
        var vip = ServiceSet.Target(ServiceSet.Make(10, ["0.0.0.0"])).Vip;
        var before = File.ReadAllText("/proc/sys/kernel/bpf_stats_enabled");
        File.WriteAllText("/proc/sys/kernel/bpf_stats_enabled", "1");
        try
        {
            var load = Measure.Wrk(client.Netns, $"http://{vip}/", seconds, 16, [agent.Pid], "-H", "Connection: close");
            Console.WriteLine();
            Console.WriteLine("Nanoseconds per run while connections to a ClusterIP are made and ended, by bpf_stats (what counting costs included)");
            // One program stands at many interfaces; its count is of all of them.
            foreach (var id in Directory.GetFiles(Links(box)).Select(l => LinkProgram(box, l)).Distinct())
            {
                var shown = Bpftool(box, "prog", "show", "id", id).Output;
                var (time, runs) = (RunTime().Match(shown), RunCount().Match(shown));
                if (runs.Success && double.Parse(runs.Groups[1].Value, CultureInfo.InvariantCulture) is > 1000 and var count)
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"  {ProgramName().Match(shown).Groups[1].Value,-52}{double.Parse(time.Groups[1].Value, CultureInfo.InvariantCulture) / count,8:0}{count / load.Requests,8:0.0} runs per connection"));
            }
        }
        finally
        {
            File.WriteAllText("/proc/sys/kernel/bpf_stats_enabled", before);
        }
    }

    private static (double Single, double Row, string Answer) Time(NodeBox box, string program, byte[] frame, int ifindex, int cameBy, bool changes = false)
    {
        var data = Path.Combine(box.WorkDir, "frame");
        var context = Path.Combine(box.WorkDir, "context");
        File.WriteAllBytes(data, frame);
        var skb = new byte[192]; // struct __sk_buff
        BinaryPrimitives.WriteInt32LittleEndian(skb.AsSpan(36), cameBy);
        BinaryPrimitives.WriteInt32LittleEndian(skb.AsSpan(40), ifindex);
        File.WriteAllBytes(context, skb);
        var answer = "";
        var run = $"prog run id {program} data_in {data} ctx_in {context} repeat";
        return (Batch(Singles, 1), changes ? 0 : Batch(Repeats, PerRepeat), answer);

        double Batch(int times, int repeat)
        {
            var file = Path.Combine(box.WorkDir, "batch");
            File.WriteAllLines(file, Enumerable.Repeat(string.Create(CultureInfo.InvariantCulture, $"{run} {repeat}"), times));
            var output = Bpftool(box, "batch", "file", file).Output;
            answer = string.Join(' ', Answer().Matches(output).Select(m => m.Groups[1].Value).Distinct());
            return Measure.Median(Duration().Matches(output).Select(m => double.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture)));
        }
    }

    /// <summary>A connection that stays open, from a known port.</summary>
    private static ChildProcess Hold(Netns from, string[] before, string address, int port)
    {
        var held = from.Start([.. before, "socat", "-u", string.Create(CultureInfo.InvariantCulture, $"TCP4:{address}:{port},sourceport={ClientPort},reuseaddr"), "-"]);
        Eventually.True(() => held.HasExited || from.Run("sh", "-c", $"ss -Htn state established dport = :{port} | grep -q .").ExitCode == 0, $"connected to {address}:{port}");
        return held.HasExited ? throw new InvalidOperationException($"no connection to {address}:{port}:\n{held.Output}") : held;
    }

    private static string Open(string app) => $$"""
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: { name: open, namespace: default }
        spec:
          podSelector: { matchLabels: { app: {{app}} } }
          ingress: [ { ports: [ { port: 80 } ] } ]
        """;

    private static int Ifindex(NodeBox box, string device) =>
        int.Parse(box.Node.Run("sh", "-c", $"ip -o link show {device} | cut -d: -f1").MustSucceed("ip link").Output, CultureInfo.InvariantCulture);

    private static string Links(NodeBox box) => Path.Combine(Directory.GetDirectories(Path.Combine(box.Bpffs, "nodemesh")).Single(), "links");

    private static string Program(NodeBox box, string link, string program)
    {
        var path = Directory.GetFiles(Links(box)).Single(f => Path.GetFileName(f).EndsWith(link, StringComparison.Ordinal));
        var id = LinkProgram(box, path);
        return Bpftool(box, "prog", "show", "id", id).Output.Contains(program, StringComparison.Ordinal) ? id : throw new InvalidOperationException($"{link} is not {program}'s");
    }

    private static string LinkProgram(NodeBox box, string path) => LinkedProgram().Match(Bpftool(box, "link", "show", "pinned", path).Output).Groups[1].Value;

    private static CommandResult Bpftool(NodeBox box, params string[] arguments) => box.Node.Run(["bpftool", .. arguments]).MustSucceed("bpftool");

    /// <summary>An acknowledgment, of 64 bytes of data.</summary>
    private static byte[] Tcp(string from, int fromPort, string to, int toPort)
    {
        var frame = new byte[14 + 20 + 20 + 64];
        frame[12] = 8;
        frame[14] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(16), (ushort)(frame.Length - 14));
        frame[22] = 255;
        frame[23] = 6;
        System.Net.IPAddress.Parse(from).GetAddressBytes().CopyTo(frame, 26);
        System.Net.IPAddress.Parse(to).GetAddressBytes().CopyTo(frame, 30);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(34), (ushort)fromPort);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(36), (ushort)toPort);
        frame[46] = 5 << 4;
        frame[47] = 16;
        return frame;
    }

    [GeneratedRegex(@"duration(?: \(average\))?: ([0-9]+)ns")]
    private static partial Regex Duration();

    [GeneratedRegex(@"prog ([0-9]+)")]
    private static partial Regex LinkedProgram();

    [GeneratedRegex(@"name (\w+)")]
    private static partial Regex ProgramName();

    [GeneratedRegex(@"Return value: ([0-9]+)")]
    private static partial Regex Answer();

    [GeneratedRegex(@"run_time_ns ([0-9]+)")]
    private static partial Regex RunTime();

    [GeneratedRegex(@"run_cnt ([0-9]+)")]
    private static partial Regex RunCount();
}
