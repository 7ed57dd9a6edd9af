using System.Collections.Immutable;
using NodeMesh.Compiler.Services;
using NodeMesh.Model;

namespace NodeMesh.Unit.Tests.Compiler;

public sealed class MaglevTests
{
    private const int Size = 1021;

    private static ImmutableArray<BackendDraft> Backends(int count) =>
        [.. Enumerable.Range(0, count).Select(i => BackendDraft.Of(IpAddr.FromIPv4(0x0a000000u + (uint)(i * 7)), 8080, Protocol.Tcp))];

    /// <summary>The table must be large against the backends for this, as the paper says: about a hundred times.</summary>
    [TestCase(3, Size)]
    [TestCase(5, Size)]
    [TestCase(10, Size)]
    [TestCase(20, Size)]
    [TestCase(50, 10007)]
    public void One_of_n_that_goes_moves_few_of_the_others_connections(int count, int size)
    {
        var backends = Backends(count);
        var before = Maglev.Table(backends, size);
        for (var gone = 0; gone < count; gone++)
        {
            var rest = backends.RemoveAt(gone);
            var after = Maglev.Table(rest, size);
            var moved = Enumerable.Range(0, size).Count(i => before[i] != gone && backends[before[i]] != rest[after[i]]);
            Assert.That(moved, Is.LessThanOrEqualTo(size / count), $"{moved} of {size} places of others moved when backend {gone} went");
        }
    }

    [TestCase(1)]
    [TestCase(7)]
    [TestCase(100)]
    public void Every_backend_has_about_the_same_share(int count)
    {
        var shares = Maglev.Table(Backends(count), Size).GroupBy(i => i).Select(g => g.Count()).ToList();
        Assert.That(shares, Has.Count.EqualTo(count));
        Assert.That(shares.Max() - shares.Min(), Is.LessThanOrEqualTo(1));
    }
}
