using NodeMesh.Datapath;
using NodeMesh.Model;
using NodeMesh.Native.Netlink;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests.Datapath;

/// <summary>An agent whose tables are laid out otherwise left its pins in a folder of another name; here the folder of this build, renamed.</summary>
public sealed class UpgradeTests
{
    private Box _box = null!;
    private string _ours = null!;
    private string _others = null!;

    [SetUp]
    public void SetUp()
    {
        _box = new Box();
        _ours = $"{_box.Bpffs}/nodemesh/{AbiHash.Value}";
        _others = $"{_box.Bpffs}/nodemesh/0123456789abcdef";
        _box.AddPod("a", "10.244.0.2");
        _box.InHost(() =>
        {
            using (var old = DatapathReconciler.Start(Options, Images.Built))
                Assert.That(old.Reconcile(Plan, removals: true).IsConverged);
            Directory.Move(_ours, _others);
        });
    }

    [TearDown]
    public void TearDown() => _box.Dispose();

    private DatapathOptions Options => _box.Options;

    private MeshPlan Plan => MeshPlan.Empty with
    {
        Revision = 1,
        Kernel = KernelPlan.Empty with
        {
            Endpoints = [new EndpointPlan(new ObjectName("default", "a"), new Attachment(_box.Tag + "a", ""), [IpAddr.Parse("10.244.0.2")], 300, 0)],
        },
    };

    [Test]
    [Category("Tcx")]
    public void The_old_programs_enforce_until_the_new_ones_do_and_then_go()
    {
        _box.InHost(() =>
        {
            var old = AtPod();
            Assert.That(old, Has.Length.EqualTo(2));

            using var next = DatapathReconciler.Start(Options, Images.Built);
            Assert.That(AtPod(), Is.EqualTo(old), "a start by itself takes nothing away");

            Assert.That(next.Reconcile(Plan, removals: false).Endpoints.Single().Attached);
            Assert.That(old, Is.SubsetOf(AtPod()), "as long as a source may still name more, both stand");

            var report = next.Reconcile(Plan, removals: true);
            Assert.That(report.Problems, Has.Some.Contains("took over from").And.Some.Contains(_others));
            Assert.That(Directory.Exists(_others), Is.False);
            Assert.That(report.Endpoints.Single().Attached);
            Assert.That(AtPod(), Has.Length.EqualTo(2));
            Assert.That(AtPod(), Has.None.AnyOf(old), "the new agent's alone");

            Assert.That(next.Reconcile(Plan, removals: true).Problems, Is.Empty, "told once");
        });
    }

    /// <summary>A pod of which nobody knows where it is may be behind any gate.</summary>
    [TestCase(Ending.Found)]
    [TestCase(Ending.Deleted)]
    [TestCase(Ending.InterfaceGone)]
    [Category("Tcx")]
    public void Gates_stay_where_there_are_none_of_the_new_agent_while_a_pod_is_not_found(Ending ending)
    {
        _box.AddPod("b", "10.244.0.3");
        var lost = new EndpointPlan(new ObjectName("default", "b"), new Attachment("", "") { Uid = Guid.NewGuid().ToString() }, [IpAddr.Parse("10.244.0.3")], 301, 0);
        var found = lost with { Attachment = new Attachment(_box.Tag + "b", "") };
        _box.InHost(() =>
        {
            // The old agent once more, with another pod.
            Directory.Move(_others, _ours);
            using (var old = DatapathReconciler.Start(Options, Images.Built))
                Assert.That(old.Reconcile(With(found), removals: true).IsConverged);
            Directory.Move(_ours, _others);
            var gates = AtPod("vb");
            Assert.That(gates, Has.Length.EqualTo(2));

            using var next = DatapathReconciler.Start(Options, Images.Built);
            var report = next.Reconcile(With(lost), removals: true);
            Assert.That(AtPod("vb"), Is.EqualTo(gates), "it may be behind these");
            Assert.That(AtPod("va"), Has.Length.EqualTo(2), "here the new agent's stand alone");
            Assert.That(report.Problems, Has.Some.Contains("2 gates of").And.None.Contains("took over"));
            Assert.That(Directory.GetFiles(_others, "*", SearchOption.AllDirectories), Has.Length.EqualTo(2), "nothing else is left of the old one");
            Assert.That(next.Reconcile(With(lost), removals: true).Problems, Is.Empty, "told once");
            Assert.That(AtPod("vb"), Is.EqualTo(gates), "however long it takes");

            if (ending == Ending.InterfaceGone)
                Box.Sh($"ip -n {_box.Host} link del vb");
            report = next.Reconcile(ending == Ending.Found ? With(found) : ending == Ending.Deleted ? Plan : With(lost), removals: true);
            Assert.That(report.Problems, Has.Some.Contains("took over from"));
            Assert.That(Directory.Exists(_others), Is.False);
            if (ending != Ending.InterfaceGone)
                Assert.That(AtPod("vb"), Has.None.AnyOf(gates).And.Length.EqualTo(ending == Ending.Found ? 2 : 0));
        });
    }

    public enum Ending
    {
        Found,
        Deleted,
        InterfaceGone,
    }

    private MeshPlan With(EndpointPlan other) => Plan with { Kernel = Plan.Kernel with { Endpoints = [.. Plan.Kernel.Endpoints, other] } };

    [Test]
    public void Cleanup_takes_the_pins_of_every_layout()
    {
        _box.InHost(() =>
        {
            using (var next = DatapathReconciler.Start(Options, Images.Built))
                next.Reconcile(Plan, removals: false);
            Assert.That(AtPod(), Has.Length.EqualTo(KernelProbe.HasTcx() ? 4 : 2), "a filter takes the place of the old one");

            Cleaner.Run(Options);

            Assert.That(AtPod(), Is.Empty);
            Assert.That(Directory.GetFileSystemEntries(_box.Bpffs), Is.Empty);
        });
    }

    /// <summary>Kernel ids of what is attached to the pod's interface, both directions.</summary>
    private static uint[] AtPod(string name = "va")
    {
        using var netlink = new NetlinkSocket();
        var ifindex = RtLinks.Dump(netlink).Single(l => l.Name == name).Ifindex;
        return [.. Box.Attached(ifindex, ingress: true), .. Box.Attached(ifindex, ingress: false)];
    }
}
