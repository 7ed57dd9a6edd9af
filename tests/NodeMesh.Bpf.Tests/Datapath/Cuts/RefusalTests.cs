using NodeMesh.Datapath.Tables;
using NodeMesh.Native;

namespace NodeMesh.Bpf.Tests.Datapath.Cuts;

/// <summary>The kernel has no room for a row. What was in force stays so, as far as it concerns it, and the next plan or round that fits is taken.</summary>
internal sealed class RefusalTests
{
    private const int Enomem = 12;

    private CutNode _node = null!;

    [OneTimeSetUp]
    public void Make() => _node = new CutNode();

    [OneTimeTearDown]
    public void End() => _node.Dispose();

    [TestCaseSource(typeof(CutTests), nameof(CutTests.Changes))]
    public void Any_row_may_be_refused(string before, string after)
    {
        var (old, next) = (CutNode.Compile(before), CutNode.Compile(after));
        var closed = _node.OpenUnder(old);
        var open = _node.OpenUnder(next);

        // A pod whose policy has no room stays under what it had while others go on, so pods of both plans may meet; but not where peers become others at the same time.
        var same = old.Kernel.Identities.Count == next.Kernel.Identities.Count && old.Kernel.Identities.All(r => next.Kernel.Identities.TryGetValue(r.Key, out var n) && n.Equals(r.Value));
        bool IsMixed(string refused) => same && (refused is MapCatalog.Verdict or MapCatalog.Class);
        foreach (var (errno, once) in ((int, bool)[])[(Enomem, true), (Errno.ENOSPC, false)])
        {
            for (var rows = 0; ; rows++)
            {
                _node.OpenUnder(old);
                var kernel = new RefusingWriter(rows, errno, once);
                using var agent = _node.NewAgent(kernel);
                var tally = _node.Apply(agent, next);
                var when = $"{kernel.Refused} refused a row after {rows}, {(once ? "once" : "for good")}";
                if (!IsMixed(kernel.Refused))
                    _node.AssertBetween(closed, open, when);
                if (kernel.Refused.Length == 0)
                    break;
                Assert.That(tally.Failures.Select(f => f.Map), Has.All.EqualTo(kernel.Refused), when);
                if (tally.Failures.Count == 0)
                    Assert.That(_node.Open(), Is.EquivalentTo(open), $"{when}, but there was room in a second try");
                if (!once)
                    Assert.That(tally.Failures, Is.Not.Empty, when);

                // The same agent once more, and then another one, that meets no refusal.
                if (once)
                    _node.Converge(agent, next);
                using var another = _node.NewAgent();
                _node.Converge(another, next);
                Assert.That(_node.Open(), Is.EquivalentTo(open), when);
            }
        }
    }

    [Test]
    public void A_plan_that_does_not_fit_leaves_its_pods_under_what_they_have_and_says_so_until_it_fits()
    {
        var old = CutNode.Compile(CutMesh.Of(CutMesh.Pods(), CutMesh.Isolate("p", "a", "Ingress", $"from: [{CutMesh.Peer("b")}]")));
        var much = CutNode.Compile(CutMesh.Of(CutMesh.Pods(), Large(600)));
        var less = CutNode.Compile(CutMesh.Of(CutMesh.Pods(), Large(100)));
        var before = _node.OpenUnder(old);
        using var agent = _node.NewAgent();
        for (var round = 0; round < 3; round++)
        {
            var tally = _node.Apply(agent, much);
            Assert.That(tally.Failures.Single().Message, Does.Contain("nm_verdict is full at 512 rows").And.Contain("--map-size verdicts"));
            Assert.That(_node.Open(), Is.EquivalentTo(before), "the last good one");
        }

        using (var restarted = _node.NewAgent())
        {
            Assert.That(_node.Apply(restarted, much).Failures, Has.Count.EqualTo(1));
            Assert.That(_node.Open(), Is.EquivalentTo(before));
        }

        _node.Converge(agent, less);
        Assert.That(_node.Open(), Is.Not.EquivalentTo(before));
    }

    [Test]
    public void A_pod_whose_policy_does_not_fit_is_closed_when_it_is_new()
    {
        var without = CutMesh.Of(CutMesh.Pod("b", CutNode.AddressOf("b"), "b"), CutMesh.Pod("c", CutNode.AddressOf("c"), "c"));
        var open = _node.OpenUnder(CutNode.Compile(without));
        using var agent = _node.NewAgent();
        var tally = _node.Apply(agent, CutNode.Compile(CutMesh.Of(without, CutMesh.Pod("a", CutNode.AddressOf("a"), "a"), Large(600))));
        Assert.That(tally.Failures, Has.Count.EqualTo(1));
        Assert.That(_node.Open().Where(way => way.StartsWith(CutNode.AddressOf("a"), StringComparison.Ordinal)), Is.Empty);
        Assert.That(open.Where(way => !way.Contains(CutNode.AddressOf("a"), StringComparison.Ordinal)), Is.SubsetOf(_node.Open()), "nobody else minds");
    }

    [Test]
    public void A_policy_that_does_not_fit_does_not_keep_out_others()
    {
        var before = _node.OpenUnder(CutNode.Compile(CutMesh.Pods()));
        using var agent = _node.NewAgent();
        var tally = _node.Apply(agent, CutNode.Compile(CutMesh.Of(CutMesh.Pods(), Large(600), CutMesh.Isolate("b", "b", "Ingress"), CutMesh.Isolate("c", "c", "Ingress"))));
        Assert.That(tally.Failures, Has.Count.EqualTo(1));
        bool IsTo(string way, string pod) => way.Contains($"> {CutNode.AddressOf(pod)}:", StringComparison.Ordinal);
        var now = _node.Open();
        Assert.That(now.Where(way => IsTo(way, "b") || IsTo(way, "c")), Is.Empty, "theirs are in force");
        Assert.That(now.Where(way => IsTo(way, "a")), Is.EquivalentTo(before.Where(way => IsTo(way, "a"))), "a stays under what it had");
    }

    /// <summary>A policy of so many rows for pod a: single ports, no two of which are neighbours.</summary>
    private static string Large(int rows) =>
        CutMesh.Isolate("large", "a", "Ingress", $"ports: [{string.Join(", ", Enumerable.Range(1, rows).Select(p => $"{{protocol: UDP, port: {2 * p}}}"))}]");
}
