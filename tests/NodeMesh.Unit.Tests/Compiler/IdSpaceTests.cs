using NodeMesh.Compiler;

namespace NodeMesh.Unit.Tests.Compiler;

public sealed class IdSpaceTests
{
    /// <summary>Few numbers for many contents, so that they collide.</summary>
    private static ContentHash Crowded(int i) => new((ulong)(uint)(7 + (i % 5)) << 32 | (uint)(i * 2654435761), (ulong)i);

    [Test]
    public void A_change_gives_the_numbers_of_assigning_anew_or_says_that_it_cannot([Range(1, 200)] int seed)
    {
        var random = new Random(seed);
        var wanted = Enumerable.Range(0, random.Next(1, 12)).ToDictionary(Crowded, _ => random.Next(1, 3));
        var space = IdSpace.Assign(wanted);
        var edit = new IdEdit(space);
        var seen = wanted.Keys.ToHashSet();
        for (var i = 0; i < 3; i++)
        {
            var hash = Crowded(random.Next(16));
            seen.Add(hash);
            if (random.Next(2) == 0)
            {
                wanted[hash] = wanted.GetValueOrDefault(hash) + 1;
                edit.Take(hash);
            }
            else if (wanted.ContainsKey(hash))
            {
                if (--wanted[hash] == 0)
                    wanted.Remove(hash);
                edit.Release(hash);
            }
        }

        // It may give up, but only for the reason it has to: two contents that would like one number.
        if (edit.IsDisturbed)
        {
            Assert.That(seen.Select(h => h.Natural(1)), Is.Not.Unique);
            return;
        }

        var anew = IdSpace.Assign(wanted);
        Assert.That(edit.ToSpace().Holders, Is.EquivalentTo(anew.Holders));
        Assert.That(wanted.Keys.Select(edit.ToSpace().Of), Is.EqualTo(wanted.Keys.Select(anew.Of)));
    }

    [Test]
    public void The_numbers_do_not_depend_on_the_order()
    {
        var wanted = Enumerable.Range(0, 20).Select(Crowded).ToList();
        var there = IdSpace.Assign(wanted.ToDictionary(h => h, _ => 1));
        wanted.Reverse();
        var back = IdSpace.Assign(wanted.ToDictionary(h => h, _ => 1));
        Assert.That(back.Holders, Is.EquivalentTo(there.Holders));
        Assert.That(wanted.Select(there.Of).Distinct().Count(), Is.EqualTo(20));
    }
}
