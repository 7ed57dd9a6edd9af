using NodeMesh.Compiler;

namespace NodeMesh.Unit.Tests.Compiler;

public sealed class ContentIdsTests
{
    private static uint Crowded(string text, uint first) => text.StartsWith('a') ? first : first + 1;

    [Test]
    public void A_number_depends_on_its_text_alone()
    {
        var few = ContentIds.Assign(["x"], 256);
        var many = ContentIds.Assign(Enumerable.Range(0, 10_000).Select(i => $"text {i}").Append("x"), 256);
        Assert.That(many["x"], Is.EqualTo(few["x"]));
        Assert.That(many.Values, Is.Unique);
        Assert.That(many.Values.Min(), Is.GreaterThanOrEqualTo(256));
    }

    [Test]
    public void Who_collides_is_numbered_alike_in_any_order()
    {
        string[] texts = ["a3", "b1", "a1", "b2", "a2"];
        var there = ContentIds.Assign(texts, 1, Crowded);
        var back = ContentIds.Assign(texts.Reverse(), 1, Crowded);
        Assert.That(back, Is.EquivalentTo(there));
        Assert.That(there, Is.EquivalentTo(new Dictionary<string, uint> { ["a1"] = 1, ["b1"] = 2, ["a2"] = 3, ["a3"] = 4, ["b2"] = 5 }));
    }

    [Test]
    public void The_next_free_number_after_the_last_is_the_first() =>
        Assert.That(ContentIds.Assign(["a", "b"], 7, (_, _) => uint.MaxValue)["b"], Is.EqualTo(7));
}
