using NodeMesh.Plan;

namespace NodeMesh.Scenario.Tests;

/// <summary>Objects in, the plan as text out. NODEMESH_UPDATE_GOLDEN=1 writes the expected files anew; read the difference like code.</summary>
public sealed class ScenarioTests
{
    private const int Shuffles = 5;

    private static IEnumerable<string> Names() => Directory.GetDirectories(Scenario.Folder).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal);

    [TestCaseSource(nameof(Names))]
    public void Every_step_gives_the_expected_plan(string name)
    {
        var update = Environment.GetEnvironmentVariable("NODEMESH_UPDATE_GOLDEN") == "1";
        Each(name, (step, world, previous) =>
        {
            var plan = Scenario.Compile(world, previous);
            var text = PlanText.Of(plan);
            if (update)
                File.WriteAllText(step.ExpectedPath, text);
            Assert.That(File.Exists(step.ExpectedPath), $"{step.ExpectedPath} is missing; NODEMESH_UPDATE_GOLDEN=1 writes it");
            Assert.That(text, Is.EqualTo(File.ReadAllText(step.ExpectedPath)), $"step {step.Number}");
            return plan;
        });
    }

    [TestCaseSource(nameof(Names))]
    public void A_restart_at_any_step_writes_nothing(string name) => Each(name, (step, world, previous) =>
    {
        var running = Scenario.Compile(world, previous);
        var restarted = Scenario.Compile(world, MeshPlan.Empty);
        PlanDifference.AssertSame(running, restarted, $"step {step.Number}");
        return running;
    });

    [TestCaseSource(nameof(Names))]
    public void The_same_world_again_is_the_same_objects(string name) => Each(name, (step, world, previous) =>
    {
        var first = Scenario.Compile(world, previous);
        var second = Scenario.Compile(world, first);
        Assert.Multiple(() =>
        {
            Assert.That(second.Kernel, Is.SameAs(first.Kernel));
            Assert.That(second.Proxy.Services, Is.SameAs(first.Proxy.Services));
            Assert.That(second.Proxy.Policy, Is.SameAs(first.Proxy.Policy));
            Assert.That(second.Proxy.LocalPods, Is.SameAs(first.Proxy.LocalPods));
        });
        return second;
    });

    /// <summary>Files of one step in any order, with a compilation after each: what comes between leaves no trace.</summary>
    [TestCaseSource(nameof(Names))]
    public void Any_order_of_the_same_events_gives_the_same_plan(string name)
    {
        var expected = new List<MeshPlan>();
        Each(name, (_, world, previous) =>
        {
            expected.Add(Scenario.Compile(world, previous));
            return expected[^1];
        });

        for (var seed = 0; seed < Shuffles; seed++)
        {
            var random = new Random(seed);
            var world = Scenario.NewWorld();
            var plan = MeshPlan.Empty;
            var steps = Scenario.Load(name).Steps;
            for (var s = 0; s < steps.Count; s++)
            {
                var changes = steps[s].Changes.ToArray();
                random.Shuffle(changes);
                foreach (var change in changes)
                {
                    Scenario.Apply(world, change);
                    plan = Scenario.Compile(world, plan);
                }

                PlanDifference.AssertSame(expected[s], plan, $"step {steps[s].Number}, shuffle {seed}");
            }
        }
    }

    private static void Each(string name, Func<Step, NodeMesh.Sources.World.ModelBuilder, MeshPlan, MeshPlan> check)
    {
        var world = Scenario.NewWorld();
        var plan = MeshPlan.Empty;
        foreach (var step in Scenario.Load(name).Steps)
        {
            foreach (var change in step.Changes)
                Scenario.Apply(world, change);
            plan = check(step, world, plan);
        }
    }
}
