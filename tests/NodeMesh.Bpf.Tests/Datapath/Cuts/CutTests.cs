using NodeMesh.Plan;

namespace NodeMesh.Bpf.Tests.Datapath.Cuts;

/// <summary>
/// The agent dies between any two writes of a plan's rows. Whatever is in the kernel then is never open where both the old and the new plan refuse, nor closed where both
/// allow; and the agent that comes after makes it just the new plan.
/// </summary>
internal sealed class CutTests
{
    private const string Only80 = "ports: [{protocol: TCP, port: 80}]";

    private CutNode _node = null!;

    [OneTimeSetUp]
    public void Make() => _node = new CutNode();

    [OneTimeTearDown]
    public void End() => _node.Dispose();

    internal static IEnumerable<TestCaseData> Changes()
    {
        TestCaseData Change(string name, string before, string after) => new TestCaseData(before, after).SetArgDisplayNames(name);
        var pods = CutMesh.Pods();
        var allowB = CutMesh.Isolate("p", "a", "Ingress", $"from: [{CutMesh.Peer("b")}]");

        yield return Change("from nothing", "", CutMesh.Of(pods, allowB));
        yield return Change("to nothing", CutMesh.Of(pods, allowB), "");
        yield return Change("tightened", pods, CutMesh.Of(pods, CutMesh.Isolate("p", "", "Ingress", $"from: [{CutMesh.Peer("b")}], {Only80}")));
        yield return Change("loosened", CutMesh.Of(pods, CutMesh.Isolate("p", "", "Ingress")), pods);
        yield return Change("another peer", CutMesh.Of(pods, allowB), CutMesh.Of(pods, CutMesh.Isolate("p", "a", "Ingress", $"from: [{CutMesh.Peer("c")}]")));
        yield return Change("another port",
            CutMesh.Of(pods, CutMesh.Isolate("p", "", "Ingress", Only80)), CutMesh.Of(pods, CutMesh.Isolate("p", "", "Ingress", "ports: [{protocol: UDP, port: 53}]")));
        yield return Change("isolation moves from one end to the other",
            CutMesh.Of(pods, CutMesh.Isolate("p", "b", "Egress")), CutMesh.Of(pods, CutMesh.Isolate("p", "a", "Ingress")));
        yield return Change("isolation moves back",
            CutMesh.Of(pods, CutMesh.Isolate("p", "a", "Ingress")), CutMesh.Of(pods, CutMesh.Isolate("p", "b", "Egress")));
        yield return Change("a peer becomes another while policy does",
            CutMesh.Of(pods, CutMesh.Isolate("p", "a", "Ingress", $"from: [{CutMesh.Peer("x")}]")),
            CutMesh.Of(CutMesh.Pods(("b", "x"), ("r", "x")), CutMesh.Isolate("p", "a", "Ingress", $"from: [{CutMesh.Peer("c")}]")));
        yield return Change("a pod becomes another, and is under other policy",
            CutMesh.Of(pods, CutMesh.Isolate("p", "a", "Ingress", $"from: [{CutMesh.Peer("x")}]"), CutMesh.Isolate("q", "x", "Egress")),
            CutMesh.Of(CutMesh.Pods(("b", "x")), CutMesh.Isolate("p", "a", "Ingress", $"from: [{CutMesh.Peer("x")}]"), CutMesh.Isolate("q", "x", "Egress")));
        yield return Change("likewise, seen from its peers",
            CutMesh.Of(pods, CutMesh.Isolate("p", "a", "Egress", $"to: [{CutMesh.Peer("x")}]"), CutMesh.Isolate("q", "x", "Ingress")),
            CutMesh.Of(CutMesh.Pods(("b", "x")), CutMesh.Isolate("p", "a", "Egress", $"to: [{CutMesh.Peer("x")}]"), CutMesh.Isolate("q", "x", "Ingress")));
        yield return Change("a rule tells apart peers that another policy, which stays, names together",
            CutMesh.Of(pods, CutMesh.Isolate("p", "a", "Ingress", $"from: [{CutMesh.Peer("")}]"), CutMesh.Isolate("q", "c", "Egress")),
            CutMesh.Of(pods, CutMesh.Isolate("p", "a", "Ingress", $"from: [{CutMesh.Peer("")}]"), CutMesh.Isolate("q", "c", "Egress", $"to: [{CutMesh.Peer("b")}]")));
        yield return Change("a rule about some of those that a Deny of another policy names goes, and its pod becomes another",
            CutMesh.Of(pods, CutMesh.Deny("p", "a", "Ingress", $"from: [{CutMesh.Peer("")}]"), CutMesh.Isolate("q", "c", "Egress", $"to: [{CutMesh.Peer("a")}, {CutMesh.Peer("b")}]")),
            CutMesh.Of(CutMesh.Pods(("c", "x")), CutMesh.Deny("p", "a", "Ingress", $"from: [{CutMesh.Peer("")}]"), CutMesh.Isolate("q", "x", "Egress", $"to: [{CutMesh.Peer("b")}]")));
        yield return Change("two pods change places",
            CutMesh.Of(pods, CutMesh.Isolate("p", "a", "Ingress", $"from: [{CutMesh.Peer("b")}]"), CutMesh.Isolate("q", "b", "Egress", $"to: [{CutMesh.Peer("c")}]")),
            CutMesh.Of(CutMesh.Pods(("a", "b"), ("b", "a")), CutMesh.Isolate("p", "a", "Ingress", $"from: [{CutMesh.Peer("b")}]"), CutMesh.Isolate("q", "b", "Egress", $"to: [{CutMesh.Peer("c")}]")));
        yield return Change("a block around every pod comes with a rule that refuses one",
            CutMesh.Of(pods, CutMesh.Deny("p", "a", "Ingress", $"from: [{CutMesh.Peer("b")}]")),
            CutMesh.Of(pods, CutMesh.Deny("p", "a", "Ingress", $"from: [{CutMesh.Peer("b")}, {CutMesh.Peer("r")}]"), CutMesh.Deny("q", "c", "Egress", $"to: [{CutMesh.Block("10.244.0.0/16")}]")));
        yield return Change("a block around every pod goes with its rule",
            CutMesh.Of(pods, CutMesh.Deny("p", "a", "Ingress", $"from: [{CutMesh.Block("10.244.0.0/16")}]")),
            CutMesh.Of(pods, CutMesh.Deny("p", "a", "Ingress", $"from: [{CutMesh.Peer("b")}, {CutMesh.Peer("c")}, {CutMesh.Peer("r")}]")));
        yield return Change("one block inside another",
            CutMesh.Of(pods, CutMesh.Deny("p", "a", "Ingress", $"from: [{CutMesh.Block("198.51.0.0/16")}]"), CutMesh.Isolate("q", "b", "Egress")),
            CutMesh.Of(pods, CutMesh.Deny("p", "a", "Ingress", $"from: [{CutMesh.Block("198.51.100.0/24")}]"), CutMesh.Isolate("q", "b", "Egress", $"to: [{CutMesh.Block("198.51.100.7/32")}]")));
        yield return Change("a pod comes",
            CutMesh.Of(CutMesh.Pod("a", CutNode.AddressOf("a"), "a"), CutMesh.Deny("p", "a", "Ingress", $"from: [{CutMesh.Peer("b")}]")),
            CutMesh.Of(CutMesh.Pod("a", CutNode.AddressOf("a"), "a"), CutMesh.Pod("b", CutNode.AddressOf("b"), "b"), CutMesh.Deny("p", "a", "Ingress", $"from: [{CutMesh.Peer("b")}]")));
        yield return Change("a pod goes while a block is forgotten",
            CutMesh.Of(pods, CutMesh.Deny("p", "a", "Ingress", $"from: [{CutMesh.Block("10.244.9.0/24")}]"), CutMesh.Isolate("q", "b", "Ingress")),
            CutMesh.Of(CutMesh.Pod("b", CutNode.AddressOf("b"), "b"), CutMesh.Isolate("q", "b", "Ingress", $"from: [{CutMesh.Peer("")}]")));
        yield return Change("an address goes from one pod of this node to another node's",
            CutMesh.Of(pods, CutMesh.Deny("p", "a", "Ingress", $"from: [{CutMesh.Peer("d")}]")),
            CutMesh.Of(CutMesh.Pod("a", CutNode.AddressOf("a"), "a"), CutMesh.Pod("far", CutNode.AddressOf("d"), "far", "node-b"), CutMesh.Deny("p", "a", "Ingress", $"from: [{CutMesh.Peer("far")}]")));
        yield return Change("a service gets another backend",
            CutMesh.Of(pods, CutMesh.Isolate("p", "a", "Egress", $"to: [{CutMesh.Peer("d")}]"), CutMesh.Service("b", CutNode.AddressOf("b"))),
            CutMesh.Of(pods, CutMesh.Isolate("p", "a", "Egress", $"to: [{CutMesh.Peer("d")}]"), CutMesh.Service("c", CutNode.AddressOf("c"))));
        yield return Change("a service comes with the rule that is for its backend",
            CutMesh.Of(pods, CutMesh.Isolate("p", "a", "Egress")),
            CutMesh.Of(pods, CutMesh.Isolate("p", "a", "Egress", $"to: [{CutMesh.Peer("b")}]"), CutMesh.Service("b", CutNode.AddressOf("b"))));
    }

    [TestCaseSource(nameof(Changes))]
    public void A_change_may_be_cut_anywhere(string before, string after) => CutEverywhere(CutNode.Compile(before), CutNode.Compile(after));

    private void CutEverywhere(MeshPlan before, MeshPlan after)
    {
        var closed = _node.OpenUnder(before);
        var open = _node.OpenUnder(after);
        var cuts = 0;
        for (var cut = true; cut; cuts++)
        {
            _node.OpenUnder(before);
            cut = Cut(after, cuts);
            _node.AssertBetween(closed, open, $"after {cuts} rows");

            using (var next = _node.NewAgent())
            {
                _node.AssertBetween(closed, open, $"after {cuts} rows and a restart");
                var plan = cuts % 2 == 0 ? after : before;
                _node.Converge(next, plan);
                Assert.That(_node.Open(), Is.EquivalentTo(ReferenceEquals(plan, after) ? open : closed), $"after {cuts} rows, a restart and a round");
            }
        }

        TestContext.Out.WriteLine($"{cuts} cuts; {closed.Count} ways before, {open.Count} after");
    }

    /// <returns>Whether the agent died on the way.</returns>
    private bool Cut(MeshPlan plan, int rows)
    {
        try
        {
            using var agent = _node.NewAgent(new CutWriter(rows));
            _node.Apply(agent, plan);
            return false;
        }
        catch (CutException)
        {
            return true;
        }
    }
}
