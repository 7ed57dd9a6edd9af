using NodeMesh.Compiler;
using NodeMesh.Model;
using NodeMesh.Plan;

namespace NodeMesh.Unit.Tests.Compiler;

/// <summary>
/// What a policy set says to a group of peers is a function of their numbers, whatever else is in the mesh. On that stands how plans follow one another in the kernel
/// (docs/adr/0002-changes-in-two-steps.md). NODEMESH_SEED repeats a failure.
/// </summary>
public sealed class ContentPropertyTests
{
    private const int Cases = 500;

    [Test]
    public void Numbers_that_two_plans_share_mean_the_same_in_both()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("NODEMESH_SEED"), out var given) ? given : 20261126;
        var shared = 0;
        for (var n = 0; n < Cases; n++)
        {
            var random = new Random(seed + n);
            var mesh = new RandomMesh(random).Next();
            var one = MeshCompiler.Compile(Part(mesh, random), RandomMesh.Node).Kernel;
            var other = MeshCompiler.Compile(Part(mesh, random), RandomMesh.Node).Kernel;
            foreach (var (key, klass) in one.Classes)
            {
                if (!other.Classes.TryGetValue(key, out var same))
                    continue;
                Assert.That(same, Is.EqualTo(klass), $"seed {seed + n}: {key}");
                shared++;
            }

            var rows = Verdicts(other);
            foreach (var (of, said) in Verdicts(one))
            {
                if (rows.TryGetValue(of, out var same))
                    Assert.That(same, Is.EqualTo(said), $"seed {seed + n}: {of}");
            }
        }

        Assert.That(shared, Is.GreaterThan(Cases), "plans have numbers in common");
    }

    /// <summary>Some of the pods and some of the policies.</summary>
    private static MeshSnapshot Part(MeshSnapshot mesh, Random random) => mesh with
    {
        Workloads = [.. mesh.Workloads.Where(_ => random.Next(4) > 0)],
        Policies = [.. mesh.Policies.Where(_ => random.Next(4) > 0)],
    };

    private static Dictionary<(uint Set, uint Klass, byte Direction), string> Verdicts(KernelPlan plan) => plan.Verdicts
        .GroupBy(v => (v.Key.Set, v.Key.Klass, v.Key.Direction))
        .ToDictionary(g => g.Key, g => string.Join('\n', g.Select(v => $"{v.Key} {v.Value}").Order(StringComparer.Ordinal)));
}
