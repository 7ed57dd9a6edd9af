using NodeMesh.Datapath.Tracking;
using NodeMesh.Plan;

namespace NodeMesh.Bpf.Tests.Datapath.Cuts;

/// <summary>An address, an interface or both go from one pod to another at once: what the first one might do says nothing for the second.</summary>
internal sealed class ReuseTests
{
    private const string Peer = "10.244.0.2", Shared = "10.244.0.3";

    // Pod "a" lets in pods whose app is "good", and lets itself out to them.
    private static readonly string s_policy = CutMesh.Of(
        CutMesh.Isolate("in", "a", "Ingress", $"from: [{CutMesh.Peer("good")}]"), CutMesh.Isolate("out", "a", "Egress", $"to: [{CutMesh.Peer("good")}]"));

    private CutNode _node = null!;

    [SetUp]
    public void Make() => _node = new CutNode();

    [TearDown]
    public void End() => _node.Dispose();

    private static MeshPlan Plan(string name, string app, string more = "") =>
        CutNode.Compile(CutMesh.Of(CutMesh.Pod("a", Peer, "a"), CutMesh.Pod(name, Shared, app), s_policy, more));

    [TestCase("b", "c", TestName = "By_another_interface")]
    [TestCase("b", "b", TestName = "By_the_same_interface")]
    public void An_address_goes_to_a_pod_of_this_node(string first, string second)
    {
        using var agent = _node.NewAgent();
        _node.Apply(agent, Plan("old", "good"), new Dictionary<string, string> { ["a"] = "a", ["old"] = first });
        Open(first);

        _node.Apply(agent, Plan("new", "bad"), new Dictionary<string, string> { ["a"] = "a", ["new"] = second });
        AssertShut(second);
        if (second != first)
            AssertShut(first);
    }

    [Test]
    public void An_address_goes_from_this_node_to_another()
    {
        using var agent = _node.NewAgent();
        _node.Apply(agent, Plan("old", "good"), new Dictionary<string, string> { ["a"] = "a", ["old"] = "b" });
        Open("b");

        _node.Apply(agent, Plan("new", "bad"), new Dictionary<string, string> { ["a"] = "a" });
        AssertShut(null);
        AssertShut("b");
    }

    [Test]
    public void An_address_goes_from_another_node_to_this_one()
    {
        using var agent = _node.NewAgent();
        _node.Apply(agent, Plan("old", "good"), new Dictionary<string, string> { ["a"] = "a" });
        Open(null);

        _node.Apply(agent, Plan("new", "bad"), new Dictionary<string, string> { ["a"] = "a", ["new"] = "b" });
        AssertShut("b");
        AssertShut(null);
    }

    [Test]
    public void A_pod_that_gets_the_interface_of_another_cannot_speak_for_it()
    {
        using var agent = _node.NewAgent();
        _node.Apply(agent, Plan("old", "good"), new Dictionary<string, string> { ["a"] = "a", ["old"] = "b" });
        Open("b");

        var plan = CutNode.Compile(CutMesh.Of(CutMesh.Pod("a", Peer, "a"), CutMesh.Pod("new", "10.244.0.77", "bad"), s_policy));
        _node.Apply(agent, plan, new Dictionary<string, string> { ["a"] = "a", ["new"] = "b" });
        AssertShut("b");
    }

    [Test]
    public void An_address_that_a_pod_lost_and_lives_on_is_at_no_moment_its_own()
    {
        const string Other = "10.244.0.77";
        var refuse = CutMesh.Isolate("refuse", "bad", "Egress");
        var before = CutNode.Compile(CutMesh.Of(CutMesh.Pod("old", Shared, "bad"), refuse));
        var after = CutNode.Compile(CutMesh.Of(CutMesh.Pod("old", Other, "bad"), CutMesh.Pod("new", Shared, "new"), refuse));
        for (var rows = 0; ; rows++)
        {
            using (var agent = _node.NewAgent())
                _node.Apply(agent, before, new Dictionary<string, string> { ["old"] = "b" });
            try
            {
                using var agent = _node.NewAgent(new CutWriter(rows));
                _node.Apply(agent, after, new Dictionary<string, string> { ["old"] = "b", ["new"] = "c" });
                break;
            }
            catch (CutException)
            {
                Assert.That(_node.Passes(Other, (ushort)(4000 + rows), Shared, 80, Packet.Syn, "b", "c"), Is.False, $"after {rows} rows");
            }
        }

        Assert.That(_node.Passes(Other, 3000, Shared, 80, Packet.Syn, "b", "c"), Is.False);
    }

    [Test]
    public void A_translation_of_the_former_pod_does_not_lead_the_new_one_around_policy()
    {
        var service = CutMesh.Service("a", Peer);
        var refuse = CutMesh.Isolate("refuse", "bad", "Egress");
        using var agent = _node.NewAgent();
        _node.Apply(agent, Plan("old", "good", service), new Dictionary<string, string> { ["a"] = "a", ["old"] = "b" });
        Assert.That(_node.Leaves(Shared, 4000, CutNode.Vip, 80, Packet.Syn, "b"), Is.EqualTo(Peer), "translated");
        Assert.That(_node.Leaves(Shared, 4000, CutNode.Vip, 80, Packet.Ack, "b"), Is.EqualTo(Peer));

        _node.Apply(agent, Plan("new", "bad", CutMesh.Of(service, refuse)), new Dictionary<string, string> { ["a"] = "a", ["new"] = "b" });
        Assert.That(_node.Leaves(Shared, 4000, CutNode.Vip, 80, Packet.Ack, "b"), Is.Null);
        Assert.That(_node.Leaves(Shared, 4000, CutNode.Vip, 80, Packet.Syn, "b"), Is.Null);
    }

    [Test]
    public void Rows_of_a_pod_that_is_gone_are_swept()
    {
        using var agent = _node.NewAgent();
        using var sweeper = _node.NewSweeper();
        using var connections = _node.NewConnections();
        _node.Apply(agent, Plan("old", "good", CutMesh.Service("a", Peer)), new Dictionary<string, string> { ["a"] = "a", ["old"] = "b" });
        Open("b");
        Open(null);
        _node.Leaves(Shared, 4003, CutNode.Vip, 80, Packet.Syn, "b");
        sweeper.Sweep();
        var before = connections.List(new ConnectionFilter(), 100);
        Assert.That(before.Any(c => c.Translation is not null) && before.Any(c => c.Local), "there is something to sweep");

        _node.Apply(agent, CutNode.Compile(CutMesh.Of(CutMesh.Pod("a", Peer, "a"), s_policy)), new Dictionary<string, string> { ["a"] = "a" });
        sweeper.Sweep();
        var left = connections.List(new ConnectionFilter(), 100);
        Assert.That(left.Any(c => c.Translation is not null || c.Local), Is.False, string.Join('\n', left));
        Assert.That(left, Is.Not.Empty, "what a has with others is still there");
    }

    /// <summary>A connection each way between "a" and whoever has the address, answered.</summary>
    private void Open(string? at)
    {
        foreach (var flags in (byte[])[Packet.Syn, Packet.Ack])
        {
            Assert.That(_node.Passes(Shared, 4000, Peer, 80, flags, at, "a"));
            Assert.That(_node.Passes(Peer, 80, Shared, 4000, (byte)(flags | Packet.Ack), "a", at));
            Assert.That(_node.Passes(Peer, 4001, Shared, 80, flags, "a", at));
            Assert.That(_node.Passes(Shared, 80, Peer, 4001, (byte)(flags | Packet.Ack), at, "a"));
        }
    }

    /// <summary>Neither those connections nor new ones, in either direction, by this interface.</summary>
    private void AssertShut(string? at)
    {
        Assert.Multiple(() =>
        {
            foreach (var flags in (byte[])[Packet.Ack, Packet.Syn, Packet.Ack])
            {
                Assert.That(_node.Passes(Shared, 4000, Peer, 80, flags, at, "a"), Is.False, $"its packet by {at}, flags {flags}");
                Assert.That(_node.Passes(Shared, 80, Peer, 4001, flags, at, "a"), Is.False, $"its answer by {at}, flags {flags}");
                Assert.That(_node.Passes(Peer, 4001, Shared, 80, flags, "a", at), Is.False, $"a's packet to {at}, flags {flags}");
                Assert.That(_node.Passes(Peer, 80, Shared, 4000, flags, "a", at), Is.False, $"a's answer to {at}, flags {flags}");
            }
        });
    }
}
