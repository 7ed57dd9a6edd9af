using NodeMesh.Datapath;
using NodeMesh.Datapath.Attach;
using NodeMesh.Datapath.Load;
using NodeMesh.Model;
using NodeMesh.Native.Bpf;
using NodeMesh.Native.Netlink;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests.Datapath;

/// <summary>What others do to the agent's programs and pins is noticed, said and put right.</summary>
public sealed class DisturbanceTests
{
    private Box _box = null!;
    private BpfObject _foreign = null!;

    [SetUp]
    public void SetUp()
    {
        _box = new Box();
        _box.AddPod("a", "10.244.0.2");
        _foreign = BpfObject.Open(File.ReadAllBytes(Path.Combine(BpfFiles.Repository, "out", "bpf", "foreign.test.bpf.o")), "foreign");
        _foreign.Load();
    }

    [TearDown]
    public void TearDown()
    {
        _foreign.Dispose();
        _box.Dispose();
    }

    private DatapathOptions Options => _box.Options;

    private string Links => $"{_box.Bpffs}/nodemesh/{AbiHash.Value}/links";

    private string Maps => $"{_box.Bpffs}/nodemesh/{AbiHash.Value}/maps";

    private MeshPlan Plan => MeshPlan.Empty with
    {
        Revision = 1,
        Kernel = KernelPlan.Empty with { Endpoints = [new EndpointPlan(new ObjectName("default", "a"), new Attachment(_box.Tag + "a", ""), [IpAddr.Parse("10.244.0.2")], 300, 0)] },
    };

    [Test]
    [Category("Tcx")]
    public void A_foreign_program_that_gets_ahead_is_overtaken() => OnConverged((reconciler, ifindex) =>
    {
        using var ahead = BpfLink.AttachTcxAtHead(_foreign.Program("foreign_pass"), ifindex, AttachType.TcxIngress);
        Assert.That(reconciler.IsDisturbed());
        var report = reconciler.Reconcile(Plan, removals: true);
        Assert.That(report.Disturbances.Single().Kind, Is.EqualTo(DisturbanceKind.Overtaken));
        Assert.That(report.Problems.Single(), Does.Contain("foreign_pass").And.Contain("nm_pod_ingress").And.Contain("ours is first again"));
        var hook = BpfHook.QueryTcx(ifindex, AttachType.TcxIngress);
        Assert.That(hook, Has.Count.EqualTo(2));
        Assert.That(hook[1].LinkId, Is.EqualTo(ahead.Facts.Id));
        AssertQuiet(reconciler);
    });

    [Test]
    [Category("Tcx")]
    public void Two_that_get_ahead_one_after_the_other_are_overtaken_each_time() => OnConverged((reconciler, ifindex) =>
    {
        using var first = BpfLink.AttachTcxAtHead(_foreign.Program("foreign_pass"), ifindex, AttachType.TcxEgress);
        Assert.That(reconciler.Reconcile(Plan, removals: true).Disturbances, Has.Length.EqualTo(1));
        using var other = BpfObject.Open(File.ReadAllBytes(Path.Combine(BpfFiles.Repository, "out", "bpf", "foreign.test.bpf.o")), "foreign");
        other.Load();
        using var second = BpfLink.AttachTcxAtHead(other.Program("foreign_pass"), ifindex, AttachType.TcxEgress);
        Assert.That(reconciler.Reconcile(Plan, removals: true).Disturbances, Has.Length.EqualTo(1));
        Assert.That(BpfHook.QueryTcx(ifindex, AttachType.TcxEgress).Select(p => p.LinkId).Skip(1), Is.EqualTo(new[] { second.Facts.Id, first.Facts.Id }));
        AssertQuiet(reconciler);
    });

    [Test]
    [Category("Tcx")]
    public void Another_agent_on_the_same_interfaces_is_named_and_not_fought() => OnConverged((reconciler, ifindex) =>
    {
        var otherBpffs = Directory.CreateDirectory($"{_box.Bpffs}/other").FullName;
        var otherRun = Directory.CreateTempSubdirectory(_box.Tag).FullName;
        using (var other = DatapathReconciler.Start(Options with { BpffsPath = otherBpffs, RunDirectory = otherRun }, Images.Built))
        {
            other.Reconcile(Plan, removals: true);
            Assert.That(reconciler.IsDisturbed());
            var report = reconciler.Reconcile(Plan, removals: true);
            Assert.That(report.Disturbances.Select(d => d.Kind), Is.EqualTo(new[] { DisturbanceKind.SecondAgent, DisturbanceKind.SecondAgent }));
            Assert.That(report.Problems, Has.All.Contains("Cure:"));
            AssertQuiet(reconciler);
            AssertQuiet(other);
        }

        Cleaner.Run(Options with { BpffsPath = otherBpffs, RunDirectory = otherRun });
        Directory.Delete(otherRun, recursive: true);
        AssertQuiet(reconciler);
    });

    [Test]
    public void An_agent_with_a_run_directory_of_its_own_may_not_share_the_pins()
    {
        var otherRun = Directory.CreateTempSubdirectory(_box.Tag).FullName;
        OnConverged((reconciler, _) =>
        {
            var before = Directory.GetFiles(Links).Concat(Directory.GetFiles(Maps)).ToArray();
            var refused = Assert.Throws<NodeFaultException>(() => DatapathReconciler.Start(Options with { RunDirectory = otherRun }, Images.Built));
            Assert.That(refused!.Fault, Is.EqualTo(NodeFault.SecondAgent));
            Assert.That(refused.Message, Does.Contain(_box.Bpffs));
            Assert.That(Assert.Throws<NodeFaultException>(() => Cleaner.Run(Options with { RunDirectory = otherRun }))!.Fault, Is.EqualTo(NodeFault.SecondAgent));
            Assert.That(Directory.GetFiles(Links).Concat(Directory.GetFiles(Maps)), Is.EquivalentTo(before));
            AssertQuiet(reconciler);
        });
        Directory.Delete(otherRun, recursive: true);
    }

    [Test]
    [Category("Tcx")]
    public void A_gate_that_was_taken_off_by_force_is_put_back() => OnConverged((reconciler, ifindex) =>
    {
        Detach($"ep_{ifindex}_in");
        Assert.That(BpfHook.QueryTcx(ifindex, AttachType.TcxIngress), Is.Empty);
        AssertMended(reconciler, DisturbanceKind.Detached, "nm_pod_ingress");
        Assert.That(BpfHook.QueryTcx(ifindex, AttachType.TcxIngress), Has.Count.EqualTo(1));
    });

    [Test]
    public void A_socket_hook_that_was_taken_off_by_force_is_put_back() => OnConverged((reconciler, _) =>
    {
        Detach("cg_nm_connect4");
        AssertMended(reconciler, DisturbanceKind.Detached, "nm_connect4");
        Assert.That(Box.Sh($"bpftool cgroup show {_box.Cgroup}"), Does.Contain("nm_connect4"));
    });

    [Test]
    [Category("Tcx")]
    public void Pins_that_were_removed_are_made_again_and_a_restart_finds_all() => OnConverged((reconciler, ifindex) =>
    {
        var before = Pins();
        File.Delete($"{Maps}/nm_verdict");
        File.Delete($"{Links}/ep_{ifindex}_in");
        File.Delete($"{Links}/cg_nm_connect4");
        Assert.That(reconciler.IsDisturbed());
        var report = reconciler.Reconcile(Plan, removals: true);
        Assert.That(report.Disturbances.Select(d => d.Kind), Is.EqualTo(Enumerable.Repeat(DisturbanceKind.Unpinned, 3)));
        Assert.That(Pins(), Is.EqualTo(before), "the same maps and links");
        AssertQuiet(reconciler);
    });

    [Test]
    [Category("Tcx")]
    public void A_BPF_file_system_that_went_away_is_named_and_filled_again_when_it_is_back()
    {
        // One of its own: that of the machine is nobody's to unmount.
        var own = Directory.CreateTempSubdirectory(_box.Tag).FullName;
        Box.Sh($"mount -t bpf bpf {own}");
        var mounted = true;
        try
        {
            _box.InHost(() =>
            {
                using var reconciler = DatapathReconciler.Start(Options with { BpffsPath = own }, Images.Built);
                var ifindex = reconciler.Reconcile(Plan, removals: true).Endpoints.Single().Ifindex;
                var pinned = Directory.GetFiles($"{own}/nodemesh", "*", SearchOption.AllDirectories);
                var hook = BpfHook.QueryTcx(ifindex, AttachType.TcxIngress);
                Box.Sh($"umount -l {own}");
                mounted = false;

                Assert.That(reconciler.IsDisturbed());
                var report = reconciler.Reconcile(Plan, removals: true);
                Assert.That(report.Disturbances.Single().Kind, Is.EqualTo(DisturbanceKind.Unpinned));
                Assert.That(report.Problems, Has.Some.Contains("Cure: mount -t bpf"));
                Assert.That(BpfHook.QueryTcx(ifindex, AttachType.TcxIngress), Is.EqualTo(hook), "enforcement goes on");
                AssertLatePodIsAttachedAllTheSame(reconciler);
                Assert.That(reconciler.IsDisturbed(), Is.False, "said once");
                Assert.That(Directory.GetFileSystemEntries(own), Is.Empty, "nothing is put where no pins can be");

                Box.Sh($"mount -t bpf bpf {own}");
                mounted = true;
                Assert.That(reconciler.IsDisturbed());
                reconciler.Reconcile(Plan, removals: true);
                Assert.That(Directory.GetFiles($"{own}/nodemesh", "*", SearchOption.AllDirectories), Is.EquivalentTo(pinned));
                AssertQuiet(reconciler);
            });
        }
        finally
        {
            if (mounted)
                Box.Sh($"umount -l {own}");
            Directory.Delete(own);
        }
    }

    [Test]
    public void Without_tcx_a_filter_that_gets_ahead_is_overtaken_and_one_of_ours_that_was_removed_is_put_back()
    {
        _box.InHost(() =>
        {
            using var objects = LoadedObjects.Load(Images.Built, Options, PinTree.Create(Options.BpffsPath));
            using var netlink = new NetlinkSocket();
            using var hooks = new ClsactHooks(objects, netlink);
            var ifindex = RtLinks.Dump(netlink).Single(l => l.Name == "va").Ifindex;
            var targets = HookTarget.OfEndpoint(ifindex).ToArray();
            hooks.Sync(targets, look: true, removals: HookRemovals.All, new RoundNotes());
            Assert.That(hooks.IsDisturbed(), Is.False);

            for (var i = 0; i < 3; i++)
            {
                RtFilters.Set(netlink, ifindex, ingress: true, 1, (uint)(100 + i), _foreign.Program("foreign_pass").Fd, "foreign");
                Assert.That(hooks.IsDisturbed());
                var notes = new RoundNotes();
                hooks.Sync(targets, look: true, removals: HookRemovals.All, notes);
                Assert.That(notes.Disturbances.Single().Kind, Is.EqualTo(DisturbanceKind.Overtaken), string.Join('\n', notes.Problems));
                var filters = RtFilters.Dump(netlink, ifindex, ingress: true);
                Assert.That(filters.Select(f => f.Name), Is.EqualTo(new[] { "nm_pod_ingress" }.Concat(Enumerable.Repeat("foreign", i + 1))));
            }

            RtFilters.Remove(netlink, RtFilters.Dump(netlink, ifindex, ingress: true)[0]);
            Assert.That(hooks.IsDisturbed());
            var taken = new RoundNotes();
            hooks.Sync(targets, look: true, removals: HookRemovals.All, taken);
            Assert.That(taken.Disturbances.Select(d => d.Kind), Is.EqualTo(new[] { DisturbanceKind.Detached }), string.Join('\n', taken.Problems));
            Assert.That(RtFilters.Dump(netlink, ifindex, ingress: true)[0].Name, Is.EqualTo("nm_pod_ingress"));

            Assert.That(hooks.Sync([], look: true, removals: HookRemovals.All, new RoundNotes()), Is.EqualTo(2));
            Assert.That(RtFilters.Dump(netlink, ifindex, ingress: true).Select(f => f.Name), Has.All.EqualTo("foreign"));
        });
    }

    [Test]
    [Category("Tcx")]
    public void The_host_looks_for_disturbances_by_itself()
    {
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(Options, Images.Built);
            using var attached = new ManualResetEventSlim();
            using var mended = new ManualResetEventSlim();
            var ifindex = 0;
            using var host = new DatapathHost(reconciler, TimeSpan.FromHours(1), report =>
            {
                ifindex = report.Endpoints.Single().Ifindex;
                attached.Set();
                if (report.Disturbances.Any(d => d.Kind == DisturbanceKind.Overtaken))
                    mended.Set();
            }, _ => { });
            host.Publish(Plan, removals: true);
            Assert.That(attached.Wait(TimeSpan.FromSeconds(60)));
            using var ahead = BpfLink.AttachTcxAtHead(_foreign.Program("foreign_pass"), ifindex, AttachType.TcxIngress);
            Assert.That(mended.Wait(TimeSpan.FromSeconds(60)));
        });
    }

    private void OnConverged(Action<DatapathReconciler, int> act) => _box.InHost(() =>
    {
        using var reconciler = DatapathReconciler.Start(Options, Images.Built);
        var report = reconciler.Reconcile(Plan, removals: true);
        Assert.That(report.Problems, Is.Empty);
        AssertQuiet(reconciler);
        act(reconciler, report.Endpoints.Single().Ifindex);
    });

    private void AssertMended(DatapathReconciler reconciler, DisturbanceKind kind, string program)
    {
        Assert.That(reconciler.IsDisturbed());
        var report = reconciler.Reconcile(Plan, removals: true);
        Assert.That(report.Disturbances.Single().Kind, Is.EqualTo(kind), string.Join('\n', report.Problems));
        Assert.That(report.Problems.Single(), Does.Contain(program));
        Assert.That(report.LinkChanges, Is.EqualTo(1));
        AssertQuiet(reconciler);
    }

    private void AssertQuiet(DatapathReconciler reconciler)
    {
        Assert.That(reconciler.IsDisturbed(), Is.False);
        var report = reconciler.Reconcile(Plan, removals: true);
        Assert.That((report.LinkChanges, report.Disturbances.Length), Is.EqualTo((0, 0)), string.Join('\n', report.Problems));
    }

    private void AssertLatePodIsAttachedAllTheSame(DatapathReconciler reconciler)
    {
        _box.AddPod("late", "10.244.0.3");
        var late = new EndpointPlan(new ObjectName("default", "late"), new Attachment(_box.Tag + "late", ""), [IpAddr.Parse("10.244.0.3")], 301, 0);
        var ifindex = reconciler.Reconcile(Plan with { Kernel = Plan.Kernel with { Endpoints = [.. Plan.Kernel.Endpoints, late] } }, removals: true).Endpoints.Single(e => e.Name == late.Name).Ifindex;
        Assert.That(BpfHook.QueryTcx(ifindex, AttachType.TcxIngress), Has.Count.EqualTo(1));
        reconciler.Reconcile(Plan, removals: true);
        Assert.That(BpfHook.QueryTcx(ifindex, AttachType.TcxIngress), Is.Empty, "and taken off again");
    }

    private void Detach(string name)
    {
        using var link = BpfLink.OpenPinned($"{Links}/{name}")!;
        link.Detach();
    }

    /// <summary>Each pin with the kernel's number of what it holds.</summary>
    private string[] Pins() =>
    [
        .. Directory.GetFiles(Maps).Order().Select(path =>
        {
            using var map = MapFacts.OpenPinned(path)!;
            return $"{Path.GetFileName(path)} {MapFacts.Of(map, path).Id}";
        }),
        .. Directory.GetFiles(Links).Order().Select(path =>
        {
            using var link = BpfLink.OpenPinned(path)!;
            return $"{Path.GetFileName(path)} {link.Facts.Id}";
        }),
    ];
}
