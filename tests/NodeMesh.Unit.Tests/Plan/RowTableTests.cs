using NodeMesh.Plan;

namespace NodeMesh.Unit.Tests.Plan;

public sealed class RowTableTests
{
    /// <summary>A key of which many have one hash.</summary>
    private readonly record struct Key(int Number)
    {
        public override int GetHashCode() => Number % 37 == 0 ? 1 : Number;
    }

    [Test]
    public void Behaves_as_a_dictionary_whatever_is_done_to_it([Range(1, 40)] int seed)
    {
        var random = new Random(seed);
        var expected = new Dictionary<Key, int>();
        var table = RowTable<Key, int>.Empty;
        for (var round = 0; round < 20; round++)
        {
            var builder = table.ToBuilder();
            for (var i = 0; i < 60; i++)
            {
                var key = new Key(random.Next(400));
                if (random.Next(3) == 0)
                    Assert.That(builder.Remove(key), Is.EqualTo(expected.Remove(key)));
                else
                    builder.Set(key, expected[key] = random.Next(5));
            }

            table = builder.ToTable();
            Assert.That(table, Is.EquivalentTo(expected));
            Assert.That(table.Count, Is.EqualTo(expected.Count));
            for (var i = 0; i < 400; i++)
                Assert.That(table.TryGetValue(new Key(i), out var value), Is.EqualTo(expected.TryGetValue(new Key(i), out var other)), $"{value} {other}");
        }

        var changed = new List<Key>();
        RowTable<Key, int>.AddDifference(table, RowTable<Key, int>.From(expected), changed);
        Assert.That(changed, Is.Empty, "made at once or step by step is the same");
    }

    [Test]
    public void The_difference_is_what_differs([Range(1, 40)] int seed)
    {
        var random = new Random(seed);
        var before = Enumerable.Range(0, 500).Where(_ => random.Next(2) == 0).ToDictionary(i => new Key(i), _ => random.Next(3));
        var after = random.Next(3) == 0
            ? Enumerable.Range(0, 500).Where(_ => random.Next(2) == 0).ToDictionary(i => new Key(i), _ => random.Next(3))
            : new Dictionary<Key, int>(before);
        for (var i = 0; i < 10; i++)
            after[new Key(random.Next(600))] = random.Next(3);
        after.Remove(new Key(random.Next(500)));
        var expected = before.Except(after).Concat(after.Except(before)).Select(r => r.Key).Distinct();
        var changed = new List<Key>();
        RowTable<Key, int>.AddDifference(RowTable<Key, int>.From(before), RowTable<Key, int>.From(after), changed);
        Assert.That(changed, Is.EquivalentTo(expected));
    }

    [Test]
    public void Setting_what_is_there_is_the_same_table()
    {
        var table = RowTable<Key, int>.From(Enumerable.Range(0, 100).ToDictionary(i => new Key(i), i => i));
        var builder = table.ToBuilder();
        builder.Set(new Key(5), 5);
        Assert.That(builder.Remove(new Key(1000)), Is.False);
        Assert.That(builder.ToTable(), Is.SameAs(table));
    }
}
