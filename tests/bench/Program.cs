using System.Globalization;
using NodeMesh.Bench;
using NodeMesh.Testing;

string[] benches = ["memory", "l4", "l7", "scale", "policies", "services", "nodeport", "programs", "pods", "kubernetes"];
string[] numbers = ["--rounds", "--seconds", "--services", "--changes", "--pods", "--churn"];
if (args.Where((a, i) => !benches.Contains(a) && !numbers.Contains(a) && !(i > 0 && numbers.Contains(args[i - 1]) && int.TryParse(a, out _))).Any())
{
    Console.Error.WriteLine($"usage: bench [{string.Join("] [", benches)}] [{string.Join(" N] [", numbers)} N]; nothing named: all");
    return 2;
}

var rounds = Number("--rounds", 5);
var seconds = Number("--seconds", 4);
var named = benches.Intersect(args).ToHashSet();

var cpu = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim();
Console.WriteLine($"{cpu}, {Environment.ProcessorCount} cores, Linux {File.ReadAllText("/proc/sys/kernel/osrelease").Trim()}, {DateTime.UtcNow:yyyy-MM-dd}");

if (Wanted("memory"))
    Memory();
if (Wanted("l4"))
    Layer4.Run(rounds, seconds);
if (Wanted("l7"))
    Layer7.Run(rounds, seconds);
if (Wanted("scale"))
    Scale.Run(Number("--services", 10_000), 5, Number("--changes", 200));
if (Wanted("policies"))
{
    PolicySpeed.Run(rounds, seconds);
    PolicyScale.Run(Number("--changes", 60));
}
if (Wanted("services"))
    Services.Run(rounds, seconds, Number("--services", 10_000));
if (Wanted("nodeport"))
    NodePorts.Run(rounds, seconds);
if (Wanted("programs"))
    ProgramTimes.Run(seconds);
if (Wanted("pods"))
    PodStarts.Run(Number("--pods", 60));
if (Wanted("kubernetes"))
    await KubernetesScale.RunAsync(Number("--churn", 60));
return 0;

bool Wanted(string what) => named.Count == 0 || named.Contains(what);

int Number(string option, int otherwise)
{
    var at = Array.IndexOf(args, option);
    return at >= 0 && at + 1 < args.Length ? int.Parse(args[at + 1], CultureInfo.InvariantCulture) : otherwise;
}

static void Memory()
{
    using var box = new NodeBox();
    using var agent = box.StartAgent().MustBeReady();
    Thread.Sleep(3000);
    Console.WriteLine($"agent idle: {agent.ResidentBytes / 1048576.0:0.0} MiB resident (aim: <= 60)");
}
