using NodeMesh.Compiler.Policies;
using NodeMesh.Model;

namespace NodeMesh.Unit.Tests.Compiler;

public sealed class PortPrefixesTests
{
    [TestCase(0, 65535, 1)]
    [TestCase(80, 80, 1)]
    [TestCase(1024, 2047, 1)]
    [TestCase(1, 65535, 16)]
    [TestCase(1, 65534, 30)]
    [TestCase(8000, 8100, 4)]
    public void A_range_becomes_the_fewest_prefixes_that_cover_just_it(int first, int last, int count)
    {
        var prefixes = PortPrefixes.Of(new PortMatch(Protocol.Tcp, (ushort)first, (ushort)last, null)).ToList();
        var covered = prefixes.SelectMany(p => Enumerable.Range(p.Port, 1 << (int)(96 - p.Bits))).ToList();
        Assert.That(covered, Is.EqualTo(Enumerable.Range(first, last - first + 1)));
        Assert.That(prefixes, Has.Count.EqualTo(count));
    }

    [Test]
    public void The_block_around_a_port_grows_bit_by_bit_to_everything()
    {
        var block = new PortPrefix(96, 6, 8081);
        var steps = 0;
        for (; block != PortPrefix.Everything; steps++)
        {
            Assert.That(block.Parent.CompareTo(block), Is.LessThan(0));
            block = block.Parent;
        }

        Assert.That(steps, Is.EqualTo(17));
    }
}
