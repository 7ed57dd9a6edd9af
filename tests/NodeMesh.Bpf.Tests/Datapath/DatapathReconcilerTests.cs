using System.Collections.Immutable;
using NodeMesh.Datapath;
using NodeMesh.Datapath.Attach;
using NodeMesh.Datapath.Load;
using NodeMesh.Model;
using NodeMesh.Native.Bpf;
using NodeMesh.Native.Netlink;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests.Datapath;

public sealed class DatapathReconcilerTests
{
    private Box _box = null!;

    [SetUp]
    public void SetUp() => _box = new Box();

    [TearDown]
    public void TearDown() => _box.Dispose();

    private DatapathOptions Options => _box.Options;

    [Test]
    public void A_plan_is_written_once_and_the_second_round_writes_nothing()
    {
        _box.AddPod("a", "10.244.0.2");
        var plan = Plan(1, pods: [("a", 300, 7)], backends: 3, verdicts: 5);
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(Options, Images.Built);
            var first = reconciler.Reconcile(plan, removals: true);
            Assert.That(first.Failures, Is.Empty);
            Assert.That(first.Writes, Is.EqualTo(3 + 3 + 1 + 5 + 3));
            Assert.That(first.Endpoints.Single().Attached, first.Problems.FirstOrDefault() ?? first.Endpoints.Single().Problem);
            Assert.That(first.Epoch, Is.EqualTo(1));

            var second = reconciler.Reconcile(plan, removals: true, audit: true);
            Assert.That((second.Writes, second.Removals, second.Held, second.Drift, second.LinkChanges, second.Epoch), Is.EqualTo((0, 0, 0, 0, 0, 1u)));
        });
    }

    [Test]
    public void A_round_for_a_plan_alone_finds_new_pods_and_leaves_gone_ones_and_does_not_look_at_the_rest()
    {
        _box.AddPod("a", "10.244.0.2");
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(Options, Images.Built);
            reconciler.Reconcile(Plan(1, pods: [("a", 300, 7)], backends: 1, verdicts: 1), removals: true);
            var ofOne = Links();
            _box.AddPod("b", "10.244.0.3");

            var both = reconciler.Reconcile(Plan(2, pods: [("a", 300, 7), ("b", 301, 7)], backends: 1, verdicts: 1), removals: true, look: false);
            Assert.That(both.Endpoints.Select(e => e.Attached), Is.All.True, string.Join('\n', both.Problems));
            Assert.That(both.LinkChanges, Is.EqualTo(2), "those of the new pod");

            var one = reconciler.Reconcile(Plan(3, pods: [("a", 300, 7)], backends: 1, verdicts: 1), removals: true, look: false);
            Assert.That((one.LinkChanges, one.Removals > 0), Is.EqualTo((2, true)));
            Assert.That(Links(), Is.EqualTo(ofOne));

            Box.Sh($"rm {Options.BpffsPath}/nodemesh/*/links/*");
            Assert.That(reconciler.Reconcile(Plan(3, pods: [("a", 300, 7)], backends: 1, verdicts: 1), removals: true, look: false).Disturbances, Is.Empty);
            Assert.That(reconciler.IsDisturbed());
            Assert.That(reconciler.Reconcile(Plan(3, pods: [("a", 300, 7)], backends: 1, verdicts: 1), removals: true).Disturbances, Is.Not.Empty);
        });
    }

    [Test]
    public void A_new_agent_adopts_maps_and_links_and_writes_nothing()
    {
        _box.AddPod("a", "10.244.0.2");
        var plan = Plan(1, pods: [("a", 300, 7)], backends: 3, verdicts: 5);
        _box.InHost(() =>
        {
            using (var reconciler = DatapathReconciler.Start(Options, Images.Built))
                reconciler.Reconcile(plan, removals: true);
            var before = Links();
            Assert.That(before, Is.Not.Empty);

            using var next = DatapathReconciler.Start(Options, Images.Built);
            var report = next.Reconcile(plan, removals: true);
            Assert.That((report.Writes, report.Removals, report.Epoch), Is.EqualTo((0, 0, 1u)));
            Assert.That(report.Endpoints.Single().Attached);
            Assert.That(Links(), Is.EqualTo(before), "the links are the same ones");
        });
    }

    [Test]
    public void Counters_of_interfaces_that_are_gone_leave_the_table_and_stay_in_the_sums()
    {
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(Options, Images.Built);
            Count(ifindex: 900, reason: Reason.PolicyDenied, packets: 5);
            Count(ifindex: 901, reason: Reason.PolicyDenied, packets: 2);
            Count(ifindex: 1, reason: Reason.Forwarded, packets: 3);
            Assert.That(reconciler.Counters.Fill().Rows, Is.EqualTo(3));
            (Reason, ulong, ulong)[] Sums() => [.. reconciler.Counters.Read().GroupBy(r => r.Reason).OrderBy(g => g.Key)
                .Select(g => (g.Key, g.Aggregate(0ul, (n, r) => n + r.Packets), g.Aggregate(0ul, (n, r) => n + r.Bytes)))];
            var before = Sums();
            Assert.That(before.Select(s => s.Item1), Is.EqualTo(new[] { Reason.Forwarded, Reason.PolicyDenied }));

            reconciler.Reconcile(Plan(1, [], 0, 0), removals: true, audit: true);
            Assert.That(reconciler.Counters.Fill().Rows, Is.EqualTo(1), "that of the loopback interface");
            Assert.That(Sums(), Is.EqualTo(before));
        });
    }

    [Test]
    public void Rows_that_the_programs_wrote_are_counted()
    {
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(Options, Images.Built);
            using (var translations = Pinned<ReverseKey, ReverseEntry>("nm_reverse"))
            {
                for (var i = 1u; i <= 5000; i++)
                    translations.Set(new ReverseKey { Cookie = i }, default);
            }

            var fill = reconciler.ProgramTables.Fill().ToDictionary(f => f.Map);
            Assert.That(fill.Keys, Is.EquivalentTo(new[] { "nm_ct_tcp", "nm_ct_any", "nm_fragment", "nm_counter", "nm_rule_hit", "nm_reverse", "nm_affinity", "nm_nat_brief", "nm_nat_tcp", "nm_nat_any", "nm_nat_frag" }));
            Assert.That((fill["nm_reverse"].Rows, fill["nm_reverse"].MaxRows, fill["nm_ct_tcp"].Rows), Is.EqualTo((5000, 65536u, 0)));
        });
    }

    [Test]
    public void A_restart_with_another_cgroup_leaves_the_old_one()
    {
        var other = Path.Combine(_box.Cgroup, "other");
        Directory.CreateDirectory(other);
        try
        {
            _box.InHost(() =>
            {
                using (DatapathReconciler.Start(Options, Images.Built))
                    Assert.That(CgroupIds(), Is.EqualTo(new[] { IdOf(_box.Cgroup) }));
                using (DatapathReconciler.Start(Options with { CgroupPath = other }, Images.Built))
                    Assert.That(CgroupIds(), Is.EqualTo(new[] { IdOf(other) }));
                Assert.That(Cleaner.Run(Options).Removed, Is.Not.Empty);
            });
        }
        finally
        {
            Directory.Delete(other);
        }
    }

    [Test]
    public void What_the_plan_does_not_name_goes_only_when_removals_are_allowed()
    {
        _box.AddPod("a", "10.244.0.2");
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(Options, Images.Built);
            var ifindex = reconciler.Reconcile(Plan(1, pods: [("a", 300, 7)], backends: 3, verdicts: 5), removals: true).Endpoints.Single().Ifindex;

            var kept = reconciler.Reconcile(Plan(2, [], 0, 0), removals: false);
            Assert.That((kept.Writes, kept.Removals), Is.EqualTo((0, 0)));
            Assert.That(Box.Attached(ifindex, ingress: true), Has.Length.EqualTo(1));

            var gone = reconciler.Reconcile(Plan(3, [], 0, 0), removals: true);
            Assert.That(gone.Removals, Is.EqualTo(3 + 3 + 1 + 5 + 3));
            Assert.That(Box.Attached(ifindex, ingress: true), Is.Empty);
            Assert.That(Links(), Has.None.Contains("ep_"));
            Assert.That(gone.Fill.Sum(f => f.Rows), Is.Zero);
        });
    }

    [Test]
    public void A_full_table_is_named_with_its_size_and_option_and_its_service_stays_as_it_was()
    {
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(Options with { Maps = new MapSizes { Backends = 2 } }, Images.Built);
            var report = reconciler.Reconcile(Plan(1, [], backends: 3, verdicts: 2), removals: true);

            var failure = report.Failures.Single();
            Assert.That(failure.Message, Does.Contain("nm_backend is full at 2 rows").And.Contain("backends"));
            Assert.That(report.Fill.Single(f => f.Map == "nm_frontend").Rows, Is.Zero, "a service without all its backends is not announced");
            Assert.That(report.Fill.Single(f => f.Map == "nm_verdict").Rows, Is.EqualTo(2), "policy has nothing to do with it");
            Assert.That(report.IsConverged, Is.False);
        });
    }

    [Test]
    public void A_pod_whose_policy_the_plan_has_no_room_for_keeps_the_last_one_and_a_new_pod_gets_none()
    {
        _box.AddPod("a", "10.244.0.2");
        _box.AddPod("b", "10.244.0.3");
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(Options, Images.Built);
            reconciler.Reconcile(Plan(1, [("a", 300, 7)], backends: 0, verdicts: 5), removals: true);

            var next = Plan(2, [("a", 300, 8), ("b", 301, 8)], backends: 0, verdicts: 0);
            next = next with { Kernel = next.Kernel with { Endpoints = [.. next.Kernel.Endpoints.Select(e => e with { IsHeld = true })] } };
            var report = reconciler.Reconcile(next, removals: true);
            using var endpoints = Pinned<EndpointKey, EndpointEntry>("nm_endpoint");
            Assert.That(endpoints.ReadAll().Values.Select(e => (e.Identity, e.Set)), Is.EqualTo(new[] { (300u, 7u) }));
            Assert.That(report.Fill.Single(f => f.Map == "nm_verdict").Rows, Is.EqualTo(5), "the rows of the set in force");

            reconciler.Reconcile(Plan(3, [("a", 300, 0), ("b", 301, 0)], backends: 0, verdicts: 0), removals: true);
            Assert.That(endpoints.ReadAll().Values.Select(e => (e.Identity, e.Set)), Is.EquivalentTo(new[] { (300u, 0u), (301u, 0u) }));
        });
    }

    [Test]
    public void A_larger_size_option_takes_effect_at_restart_and_keeps_the_rows()
    {
        _box.InHost(() =>
        {
            var plan = Plan(1, [], backends: 2, verdicts: 2);
            using (var reconciler = DatapathReconciler.Start(Options with { Maps = new MapSizes { Backends = 2 } }, Images.Built))
                Assert.That(reconciler.Reconcile(plan, removals: true).IsConverged);

            using var larger = DatapathReconciler.Start(Options with { Maps = new MapSizes { Backends = 100 } }, Images.Built);
            Assert.That(larger.StartNotes, Has.Some.Contains("nm_backend goes from 2 to 100 rows"));
            var report = larger.Reconcile(plan, removals: true);
            Assert.That(report.Writes, Is.Zero);
            Assert.That(report.Fill.Single(f => f.Map == "nm_backend").MaxRows, Is.EqualTo(100));
        });
    }

    [Test]
    public void An_audit_repairs_what_others_changed()
    {
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(Options, Images.Built);
            var plan = Plan(1, [], backends: 3, verdicts: 2);
            reconciler.Reconcile(plan, removals: true);
            using (var map = Pinned<BackendKey, BackendEntry>("nm_backend"))
            {
                map.Remove(new BackendKey { Backend = 1 });
                map.Set(new BackendKey { Backend = 99 }, default);
            }

            var report = reconciler.Reconcile(plan, removals: true, audit: true);
            Assert.That((report.Drift, report.Writes, report.Removals), Is.EqualTo((2, 1, 1)));
            using var repaired = Pinned<BackendKey, BackendEntry>("nm_backend");
            Assert.That(repaired.ReadAll().Keys.Select(k => k.Backend), Is.EquivalentTo(new[] { 0u, 1u, 2u }));
        });
    }

    [Test]
    public void An_epoch_that_was_begun_and_not_finished_is_finished_by_the_first_round()
    {
        _box.InHost(() =>
        {
            var plan = Plan(1, [], 0, verdicts: 1);
            using (var reconciler = DatapathReconciler.Start(Options, Images.Built))
                reconciler.Reconcile(plan, removals: true);
            using (var map = Pinned<uint, EpochEntry>("nm_epoch"))
                map.Set(0, new EpochEntry { Epoch = 1, Applying = (uint)Applying.Begun });

            using var next = DatapathReconciler.Start(Options, Images.Built);
            using var epoch = Pinned<uint, EpochEntry>("nm_epoch");
            Assert.That(epoch.TryGet(0, out var before));
            Assert.That(before.Epoch, Is.EqualTo(1), "connections are not judged by what is half done");
            next.Reconcile(plan, removals: true);
            Assert.That(epoch.TryGet(0, out var entry));
            Assert.That(entry, Is.EqualTo(new EpochEntry { Epoch = 2 }));
        });
    }

    [Test]
    public void Services_alone_do_not_begin_an_epoch()
    {
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(Options, Images.Built);
            Assert.That(reconciler.Reconcile(Plan(1, [], backends: 3, verdicts: 0), removals: true).Epoch, Is.Zero);
        });
    }

    [Test]
    public void A_second_agent_is_refused()
    {
        _box.InHost(() =>
        {
            using var first = DatapathReconciler.Start(Options, Images.Built);
            var refused = Assert.Throws<NodeFaultException>(() => DatapathReconciler.Start(Options, Images.Built));
            Assert.That(refused!.Fault, Is.EqualTo(NodeFault.SecondAgent));
            Assert.That(Assert.Throws<NodeFaultException>(() => Cleaner.Run(Options))!.Fault, Is.EqualTo(NodeFault.SecondAgent));
        });
    }

    [Test]
    public void Links_of_a_pod_that_vanished_are_cleaned_and_a_new_pod_of_the_same_name_is_attached()
    {
        _box.AddPod("a", "10.244.0.2");
        _box.InHost(() =>
        {
            var plan = Plan(1, pods: [("a", 300, 0)], 0, 0);
            using var reconciler = DatapathReconciler.Start(Options, Images.Built);
            var before = reconciler.Reconcile(plan, removals: true).Endpoints.Single().Ifindex;

            Box.Sh($"ip -n {_box.Host} link del va");
            var missing = reconciler.Reconcile(plan, removals: true);
            Assert.That(missing.Endpoints.Single().Problem, Does.Contain("no veth of this host leads into"));
            Assert.That(Links(), Has.None.Contains("ep_"));

            Box.Sh($"ip -n {_box.Host} link add va type veth peer name eth0 netns {_box.Tag}a && ip -n {_box.Host} link set va up");
            var again = reconciler.Reconcile(plan, removals: true).Endpoints.Single();
            Assert.That(again.Attached);
            Assert.That(again.Ifindex, Is.Not.EqualTo(before));
        });
    }

    [TestCase("va", TestName = "An_interface_with_the_number_and_name_of_a_gone_one_is_another_pods")]
    [TestCase("vnew", TestName = "An_interface_with_the_number_of_a_gone_one_is_another_pods")]
    [Category("Tcx")]
    public void An_interface_with_the_number_of_a_gone_one(string name)
    {
        _box.AddPod("a", "10.244.0.2");
        _box.AddNamespace("b");
        _box.InHost(() =>
        {
            var plan = Plan(1, pods: [("a", 300, 0), ("b", 301, 7)], 0, 1);
            using var reconciler = DatapathReconciler.Start(Options, Images.Built);
            var number = reconciler.Reconcile(plan, removals: true).Endpoints[0].Ifindex;
            Assert.That(number, Is.Not.Zero);

            Box.Sh($"ip -n {_box.Host} link del va && ip -n {_box.Host} link add {name} index {number} type veth peer name eth0 netns {_box.Tag}b && ip -n {_box.Host} link set {name} up");
            var report = reconciler.Reconcile(plan, removals: true);
            Assert.That(report.Endpoints.Select(e => (e.Name.Name, e.Ifindex, e.Attached)), Is.EqualTo(new[] { ("a", 0, false), ("b", number, true) }), string.Join('\n', report.Problems));
            Assert.That(BpfHook.QueryTcx(number, AttachType.TcxIngress), Has.Count.EqualTo(1));
            using var endpoints = Pinned<EndpointKey, EndpointEntry>("nm_endpoint");
            Assert.That(endpoints.ReadAll().Select(e => (e.Key.Ifindex, e.Value.Identity, e.Value.Set)), Is.EqualTo(new[] { ((uint)number, 301u, 7u) }));
        });
    }

    [Test]
    public void Cleanup_leaves_the_node_as_it_was_and_may_be_repeated()
    {
        _box.AddPod("a", "10.244.0.2");
        _box.InHost(() =>
        {
            var rules = Box.Sh($"ip -n {_box.Host} rule; ip -n {_box.Host} -6 rule");
            var ports = File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range");
            int ifindex;
            using (var reconciler = DatapathReconciler.Start(Options, Images.Built))
                ifindex = reconciler.Reconcile(Plan(1, pods: [("a", 300, 7)], 3, 2), removals: true).Endpoints.Single().Ifindex;
            Assert.That(Box.Attached(ifindex, ingress: false), Has.Length.EqualTo(1));

            Assert.That(Cleaner.Run(Options).Removed, Is.Not.Empty);
            Assert.That(Box.Attached(ifindex, ingress: true), Is.Empty);
            Assert.That(Box.Attached(ifindex, ingress: false), Is.Empty);
            Assert.That(Directory.GetFileSystemEntries(_box.Bpffs), Is.Empty);
            Assert.That(Box.Sh($"ip -n {_box.Host} rule; ip -n {_box.Host} -6 rule"), Is.EqualTo(rules));
            Assert.That(File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range"), Is.EqualTo(ports));
            Assert.That(Cleaner.Run(Options).Removed, Is.Empty);
        });
    }

    [Test]
    public void An_object_with_another_layout_is_refused_before_it_is_loaded()
    {
        var image = Images.Built.Endpoint.ToArray();
        for (var at = image.AsSpan().IndexOf("prefix_bits\0"u8); at >= 0; at = image.AsSpan().IndexOf("prefix_bits\0"u8))
            "prefix_bitz"u8.CopyTo(image.AsSpan(at));
        var refused = Assert.Throws<NodeFaultException>(() => DatapathReconciler.Start(Options, Images.Built with { Endpoint = image }));
        Assert.That(refused!.Fault, Is.EqualTo(NodeFault.LayoutMismatch));
        Assert.That(refused.Message, Does.Contain("endpoint"));
        Assert.That(Directory.GetFileSystemEntries(_box.Bpffs), Is.Empty);
    }

    [Test]
    public void A_start_that_fails_on_the_way_leaves_nothing_behind()
    {
        // The first byte of the last object's programs becomes an instruction that no kernel knows.
        var image = Images.Built.Node.ToArray();
        Assert.That(ElfObject.Read(image).TryGetSection("tcx/ingress", out var code) || ElfObject.Read(image).TryGetSection("tc", out code), "the section of node's program");
        image.AsSpan()[image.AsSpan().IndexOf(code.Span)..].Slice(0, 8).Fill(0xff);

        var refused = Assert.Throws<NodeFaultException>(() => DatapathReconciler.Start(Options, Images.Built with { Node = image }));
        Assert.That(refused!.Fault, Is.EqualTo(NodeFault.ProgramRejected));
        Assert.That(refused.Message, Does.Contain("nm_node_ingress"));
        Assert.That(Directory.GetFileSystemEntries(_box.Bpffs), Is.Empty);
    }

    [Test]
    public void Without_tcx_clsact_filters_are_set_once_kept_and_taken_off()
    {
        _box.AddPod("a", "10.244.0.2");
        _box.InHost(() =>
        {
            using var objects = LoadedObjects.Load(Images.Built, Options, PinTree.Create(Options.BpffsPath));
            using var netlink = new NetlinkSocket();
            var hooks = new ClsactHooks(objects, netlink);
            var ifindex = RtLinks.Dump(netlink).Single(l => l.Name == "va").Ifindex;
            var targets = HookTarget.OfEndpoint(ifindex).ToArray();
            var notes = new RoundNotes();

            Assert.That(hooks.Sync(targets, look: true, removals: HookRemovals.All, notes), Is.EqualTo(2), string.Join('\n', notes.Problems));
            Assert.That(hooks.Sync(targets, look: true, removals: HookRemovals.All, notes), Is.Zero);
            Assert.That(Box.Sh($"tc -n {_box.Host} filter show dev va ingress"), Does.Contain("nm_pod_ingress direct-action"));
            Assert.That(Box.Sh($"tc -n {_box.Host} filter show dev va egress"), Does.Contain("nm_pod_egress direct-action"));

            // The next agent, which has not found the pod.
            using var nextObjects = LoadedObjects.Load(Images.Built, Options, PinTree.Create(Options.BpffsPath));
            var next = new ClsactHooks(nextObjects, netlink);
            Assert.That(next.Sync([], look: true, removals: HookRemovals.ButEarlierPods, notes), Is.Zero);
            Assert.That(next.Sync(targets, look: true, removals: HookRemovals.ButEarlierPods, notes), Is.EqualTo(2));
            Assert.That(next.Sync([], look: true, removals: HookRemovals.ButEarlierPods, notes), Is.EqualTo(2), "its own it takes off");
            Assert.That(RtFilters.Dump(netlink, ifindex, ingress: true), Is.Empty);
            Assert.That(notes.Problems, Is.Empty);
        });
    }

    [Test]
    public void A_pod_whose_interface_comes_after_the_plan_is_attached_by_itself()
    {
        _box.AddNamespace("late");
        var plan = Plan(1, pods: [("late", 300, 0)], 0, 0);
        var attached = new ManualResetEventSlim();
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(Options, Images.Built);
            using var seenMissing = new ManualResetEventSlim();
            using var host = new DatapathHost(reconciler, TimeSpan.FromMinutes(5), report =>
            {
                seenMissing.Set();
                if (report.Endpoints.Single().Attached)
                    attached.Set();
            }, _ => { });
            host.Publish(plan, removals: true);
            Assert.That(seenMissing.Wait(TimeSpan.FromSeconds(60)));
            Assert.That(attached.IsSet, Is.False);

            Box.Sh($"ip -n {_box.Host} link add vlate type veth peer name eth0 netns {_box.Tag}late");
            Assert.That(attached.Wait(TimeSpan.FromSeconds(60)));
        });
    }

    private BpfMap<TKey, TValue> Pinned<TKey, TValue>(string map)
        where TKey : unmanaged
        where TValue : unmanaged => new(MapFacts.OpenPinned($"{_box.Bpffs}/nodemesh/{AbiHash.Value}/maps/{map}")!, map);

    /// <summary>A row as the programs write it, the same on every CPU.</summary>
    private void Count(uint ifindex, Reason reason, ulong packets)
    {
        static string Hex(byte[] bytes) => string.Join(' ', bytes.Select(b => b.ToString("x2", System.Globalization.CultureInfo.InvariantCulture)));
        var key = Hex([.. BitConverter.GetBytes(ifindex), (byte)reason, 0, 0, 0]);
        var value = Hex([.. BitConverter.GetBytes(packets), .. BitConverter.GetBytes(packets * 100)]);
        Box.Sh($"bpftool map update pinned {_box.Bpffs}/nodemesh/{AbiHash.Value}/maps/nm_counter key hex {key} value hex {value}");
    }

    /// <summary>The cgroups that pinned links are on.</summary>
    private ulong[] CgroupIds() => Directory.GetFiles($"{_box.Bpffs}/nodemesh/{AbiHash.Value}/links", "cg_*").Select(path =>
    {
        using var link = BpfLink.OpenPinned(path)!;
        return link.Facts.CgroupId;
    }).Distinct().ToArray();

    private static ulong IdOf(string cgroup)
    {
        using var directory = Native.FileSystems.OpenDirectory(cgroup);
        return Native.FileSystems.CgroupId(directory);
    }

    /// <summary>Name and kernel id of every pinned link.</summary>
    private string[] Links() => Directory.GetFiles($"{_box.Bpffs}/nodemesh/{AbiHash.Value}/links").Order().Select(path =>
    {
        using var link = BpfLink.OpenPinned(path)!;
        return $"{Path.GetFileName(path)} {link.Facts.Id}";
    }).ToArray();

    /// <summary>One service over all backends, one policy set (7) over all verdicts, and pods by the suffix of their namespace.</summary>
    private MeshPlan Plan(ulong revision, (string Suffix, uint Identity, uint Set)[] pods, int backends, int verdicts)
    {
        var service = new FrontendKey { Addr = Addr.From(IpAddr.Parse("10.96.0.1")), PortBe = Be16.FromHost(80), Proto = 6 };
        var kernel = KernelPlan.Empty with
        {
            Backends = Range(backends).ToImmutableDictionary(
                i => new BackendKey { Backend = i },
                i => new BackendEntry { Addr = Addr.From(IpAddr.Parse($"10.244.1.{i + 1}")), PortBe = Be16.FromHost(8080), Proto = 6 }),
            Slots = Range(backends).ToImmutableDictionary(i => new SlotKey { Group = 1, Slot = i }, i => new SlotEntry { Backend = i }),
            Frontends = backends == 0
                ? ImmutableDictionary<FrontendKey, FrontendEntry>.Empty
                : ImmutableDictionary<FrontendKey, FrontendEntry>.Empty.Add(service, new FrontendEntry { Service = 1, Inside = new Group { Id = 1, Slots = (uint)backends } }),
            Verdicts = Range(verdicts).ToImmutableDictionary(
                i => VerdictRows.Key(7, i, Direction.Ingress, 96, 6, 80), _ => new VerdictEntry { Verdict = (byte)Verdict.Allow }),
            Endpoints = [.. pods.Select(p => new EndpointPlan(
                new ObjectName("default", p.Suffix), new Attachment(_box.Tag + p.Suffix, ""), [IpAddr.Parse("10.244.0.2")], p.Identity, p.Set))],
        };
        return MeshPlan.Empty with { Revision = revision, Kernel = kernel };
    }

    private static IEnumerable<uint> Range(int count) => Enumerable.Range(0, count).Select(i => (uint)i);
}
