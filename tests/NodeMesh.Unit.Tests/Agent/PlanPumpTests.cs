using System.Collections.Concurrent;
using System.Globalization;
using NodeMesh.Agent.Hosting;
using NodeMesh.Model;

namespace NodeMesh.Unit.Tests.Agent;

internal sealed class PlanPumpTests
{
    /// <summary>The first plan starts the proxy's workers, whose threads begin with the priority of the one that starts them.</summary>
    [Test]
    public void Threads_that_the_first_plan_starts_have_ordinary_priority_and_later_plans_give_way()
    {
        using var seen = new BlockingCollection<int>();
        using var pump = new PlanPump(new NodeFacts("n1", [], []), (_, _, _) =>
        {
            var started = new Thread(() => seen.Add(Nice()));
            started.Start();
            started.Join();
        }, e => Assert.Fail(e.ToString()));

        pump.Take(MeshSnapshot.Empty with { Revision = 1 });
        Assert.That(seen.TryTake(out var first, 10_000));
        pump.Take(MeshSnapshot.Empty with { Revision = 2 });
        Assert.That(seen.TryTake(out var second, 10_000));
        Assert.That(second - first, Is.EqualTo(5));
        Assert.That(first, Is.EqualTo(Nice()));
    }

    /// <summary>Field 19 of stat; the thread's name, field 2, may have blanks.</summary>
    private static int Nice()
    {
        var stat = File.ReadAllText("/proc/thread-self/stat");
        return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[16], CultureInfo.InvariantCulture);
    }
}
