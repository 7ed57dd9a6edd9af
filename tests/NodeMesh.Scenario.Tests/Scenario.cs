using NodeMesh.Compiler;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Sources;
using NodeMesh.Sources.Files;
using NodeMesh.Sources.World;

namespace NodeMesh.Scenario.Tests;

/// <summary>A file that a step writes; without text, one that it removes.</summary>
internal sealed record FileChange(string Path, string? Text);

/// <param name="Number">"01".</param>
/// <param name="ExpectedPath">Golden file of the plan after the step.</param>
internal sealed record Step(string Number, IReadOnlyList<FileChange> Changes, string ExpectedPath);

/// <summary>A directory of steps: NN-name.yaml writes name.yaml, NN-name.delete removes it, NN.expected.txt is the plan after all of step NN.</summary>
internal sealed record Scenario(string Name, IReadOnlyList<Step> Steps)
{
    public static readonly NodeFacts Node = new("node-a", [IpAddr.Parse("192.0.2.1"), IpAddr.Parse("2001:db8::1")], []);

    /// <summary>Certificates are held against this day, whenever the tests run.</summary>
    private static readonly TimeProvider s_clock = new StoppedClock(new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero));

    public static string Folder => Path.Combine(SourceFolder(), "scenarios");

    public override string ToString() => Name;

    public static Scenario Load(string name)
    {
        var files = Directory.GetFiles(Path.Combine(Folder, name)).Select(f => Path.GetFileName(f)!).Where(f => !f.EndsWith(".txt", StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        var steps = files.GroupBy(f => f.Split('-')[0]).Select(step => new Step(
            step.Key, [.. step.Select(f => Change(name, f))], Path.Combine(Folder, name, $"{step.Key}.expected.txt")));
        return new Scenario(name, [.. steps]);
    }

    /// <summary>A world that nothing was said to yet.</summary>
    public static ModelBuilder NewWorld() => new(s_clock);

    public static void Apply(ModelBuilder world, FileChange change) =>
        world.Apply(change.Text is { } text ? ManifestFile.Read(change.Path, text) : new OriginChange(change.Path, null, null));

    public static MeshPlan Compile(ModelBuilder world, MeshPlan previous) => MeshCompiler.Compile(world.Build(), Node, previous);

    private static FileChange Change(string scenario, string file)
    {
        var path = file[(file.IndexOf('-', StringComparison.Ordinal) + 1)..];
        return path.EndsWith(".delete", StringComparison.Ordinal)
            ? new FileChange(Path.ChangeExtension(path, ".yaml"), null)
            : new FileChange(path, File.ReadAllText(Path.Combine(Folder, scenario, file)));
    }

    private static string SourceFolder()
    {
        for (var dir = AppContext.BaseDirectory; dir is not null; dir = Path.GetDirectoryName(dir))
            if (Directory.Exists(Path.Combine(dir, "tests", "NodeMesh.Scenario.Tests", "scenarios")))
                return Path.Combine(dir, "tests", "NodeMesh.Scenario.Tests");
        throw new DirectoryNotFoundException("tests/NodeMesh.Scenario.Tests/scenarios is in no parent folder of " + AppContext.BaseDirectory);
    }

    private sealed class StoppedClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
