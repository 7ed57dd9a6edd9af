using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources;

namespace NodeMesh.Unit.Tests.Sources;

/// <summary>What the container runtime told, over what the API says.</summary>
public sealed class SandboxTableTests
{
    private const string Uid = "0f6b4d0e-3d0f-4f31-9a3e-6f0d1f6f2a11";

    private static readonly ImmutableSortedDictionary<string, string> s_labels = ImmutableSortedDictionary<string, string>.Empty;
    private static readonly Workload s_pod = Pod();

    private int _changes;
    private SandboxTable _table = null!;

    [SetUp]
    public void MakeTable()
    {
        _changes = 0;
        _table = new SandboxTable(() => _changes++);
    }

    [Test]
    public void A_pod_without_an_address_gets_the_one_that_was_told_and_where_it_is()
    {
        _table.Add(Told("c1", "10.0.0.5"));
        Assert.That(_changes, Is.EqualTo(1));
        var pod = Apply(Pod()).Single(w => w.Name.Name == "web");
        Assert.That(pod.Addresses, Is.EqualTo(new[] { IpAddr.Parse("10.0.0.5") }));
        Assert.That(pod.Attachment.Sandbox, Is.EqualTo("/dev/null"));
    }

    [Test]
    public void What_was_told_is_newer_than_the_address_of_the_last_start()
    {
        _table.Add(Told("c1", "10.0.0.5"));
        Assert.That(Apply(Pod("10.0.0.4"))[1].Addresses.Single().ToString(), Is.EqualTo("10.0.0.5"));
        Assert.That(Apply(Pod("fd00::5", "10.0.0.5"))[1].Addresses.First().ToString(), Is.EqualTo("10.0.0.5"));
    }

    [Test]
    public void The_order_of_the_API_stays_when_the_addresses_are_the_same()
    {
        _table.Add(Told("c1", "10.0.0.5", "fd00::5"));
        Assert.That(Apply(Pod("fd00::5", "10.0.0.5"))[1].Addresses.First().ToString(), Is.EqualTo("fd00::5"));
    }

    [Test]
    public void Of_two_starts_of_a_pod_the_later_counts_and_each_is_forgotten_by_its_own_end()
    {
        _table.Add(Told("c1", "10.0.0.5"));
        _table.Add(Told("c2", "10.0.0.6"));
        Assert.That(Apply(Pod())[1].Addresses.Single().ToString(), Is.EqualTo("10.0.0.6"));
        _table.Remove("c1");
        Assert.That(Apply(Pod())[1].Addresses.Single().ToString(), Is.EqualTo("10.0.0.6"));
        _table.Remove("c2");
        Assert.That(Apply(Pod())[1], Is.SameAs(s_pod), "as the API has it");
        var changes = _changes;
        _table.Remove("c2");
        Assert.That(_changes, Is.EqualTo(changes), "an end without a start is no news");
    }

    [Test]
    public void Another_pod_of_the_same_name_is_not_meant()
    {
        _table.Add(Told("c1", "10.0.0.5") with { Uid = "11111111-3d0f-4f31-9a3e-6f0d1f6f2a11" });
        Assert.That(Apply(Pod())[1].Addresses, Is.Empty);
    }

    [Test]
    public void A_pod_on_the_nodes_network_is_left_alone()
    {
        _table.Add(Told("c1", "10.0.0.5"));
        Assert.That(Apply(Pod() with { HostNetwork = true })[1].Addresses, Is.Empty);
    }

    [Test]
    public void What_the_runtime_does_not_have_any_more_is_forgotten()
    {
        _table.Add(Told("c1", "10.0.0.5"));
        _table.Keep(new HashSet<string> { "c1", "c9" });
        Assert.That(Apply(Pod())[1].Addresses, Has.Length.EqualTo(1));
        _table.Keep(new HashSet<string>());
        Assert.That(Apply(Pod())[1].Addresses, Is.Empty);
    }

    [Test]
    public void One_whose_namespace_is_gone_is_forgotten_with_the_next()
    {
        _table.Add(Told("c1", "10.0.0.5") with { Netns = "/dev/not-there" });
        _table.Add(Told("c2", "10.0.0.9") with { Pod = new ObjectName("shop", "other") });
        Assert.That(Apply(Pod())[1].Addresses, Is.Empty);
    }

    [Test]
    public void A_pod_that_the_API_has_no_more_stays_until_its_network_is_taken_away()
    {
        ImmutableArray<Workload> others = [Pod() with { Name = new ObjectName("shop", "a") }, Pod() with { Name = new ObjectName("shop", "z") }];
        _table.Add(Told("c1", "10.0.0.5"));
        Assert.That(_table.Apply(others), Is.EqualTo(others), "it was never heard of");
        Apply(Pod());
        var left = _table.Apply(others);
        Assert.That(left.Select(w => w.Name.Name), Is.EqualTo(new[] { "a", "web", "z" }));
        Assert.That((left[1].Addresses.Single().ToString(), left[1].Attachment.Sandbox, left[1].Terminating, left[1].Ready), Is.EqualTo(("10.0.0.5", "/dev/null", true, false)));
        Assert.That(_table.Apply([.. others])[1], Is.SameAs(left[1]));
        _table.Remove("c1");
        Assert.That(_table.Apply(others), Is.EqualTo(others));
    }

    [Test]
    public void A_new_pod_of_the_same_name_takes_the_place_of_one_that_is_left()
    {
        _table.Add(Told("c1", "10.0.0.5"));
        Apply(Pod());
        var next = Pod() with { Attachment = new Attachment("", "", "11111111-3d0f-4f31-9a3e-6f0d1f6f2a11") };
        Assert.That(_table.Apply(Workloads(next))[1], Is.SameAs(next));
    }

    [Test]
    public void What_was_recalled_says_an_address_only_while_the_API_says_none()
    {
        _table.Recall([Told("c1", "10.0.0.5") with { IsRecalled = true }]);
        Assert.That(_changes, Is.EqualTo(1));
        var pod = Apply(Pod())[1];
        Assert.That((pod.Addresses.Single().ToString(), pod.Attachment.Sandbox), Is.EqualTo(("10.0.0.5", "/dev/null")));
        Assert.That(Apply(Pod("10.0.0.6"))[1].Addresses.Single().ToString(), Is.EqualTo("10.0.0.6"));
        Assert.That(_table.Knows("c1"), Is.False, "whoever asks the runtime asks for this one, too");
    }

    [Test]
    public void What_was_recalled_is_of_the_pod_with_that_uid_and_of_no_other()
    {
        _table.Recall([Told("c1", "10.0.0.5") with { IsRecalled = true, Uid = "" }, Told("c2", "10.0.0.5") with { IsRecalled = true, Uid = "11111111-3d0f-4f31-9a3e-6f0d1f6f2a11" }]);
        Assert.That(Apply(Pod())[1].Addresses, Is.Empty);
    }

    [Test]
    public void What_is_told_comes_before_what_was_recalled_and_an_end_ends_both()
    {
        _table.Add(Told("c1", "10.0.0.5"));
        _table.Recall([Told("c1", "10.0.0.4") with { IsRecalled = true }, Told("c0", "10.0.0.3") with { IsRecalled = true }]);
        Assert.That(Apply(Pod())[1].Addresses.Single().ToString(), Is.EqualTo("10.0.0.5"));
        _table.Remove("c1");
        Assert.That(Apply(Pod())[1].Addresses.Single().ToString(), Is.EqualTo("10.0.0.3"));
        _table.Keep(new HashSet<string>());
        Assert.That(Apply(Pod())[1].Addresses, Is.Empty);
    }

    [Test]
    public void What_did_not_change_stays_the_same_object()
    {
        _table.Add(Told("c1", "10.0.0.5"));
        var workloads = Workloads(Pod());
        var first = _table.Apply(workloads);
        Assert.That(_table.Apply(workloads), Is.EqualTo(first));
        Assert.That(_table.Apply(Workloads(s_pod))[1], Is.SameAs(first[1]), "though a neighbour changed");
    }

    [Test]
    public async Task A_world_makes_a_new_snapshot_for_it()
    {
        var world = new MeshWorld(sources: 0);
        await using var snapshots = world.SnapshotsAsync(CancellationToken.None).GetAsyncEnumerator();
        Assert.That(await snapshots.MoveNextAsync());
        var first = snapshots.Current.Revision;
        world.Sandboxes.Add(Told("c1", "10.0.0.5"));
        Assert.That(await snapshots.MoveNextAsync());
        Assert.That(snapshots.Current.Revision, Is.GreaterThan(first));
    }

    private ImmutableArray<Workload> Apply(Workload pod) => _table.Apply(Workloads(pod.Addresses.IsEmpty && !pod.HostNetwork ? s_pod : pod));

    private static ImmutableArray<Workload> Workloads(Workload pod) =>
        [pod with { Name = new ObjectName("shop", "a"), Attachment = default }, pod, pod with { Name = new ObjectName("shop", "z"), Attachment = default }];

    private static Workload Pod(params string[] addresses) => new(
        new ObjectName("shop", "web"), s_labels, [.. addresses.Select(IpAddr.Parse)], [], "n1", false, true, false, new Attachment("", "", Uid));

    private static Sandbox Told(string container, params string[] addresses) =>
        new(container, new ObjectName("shop", "web"), Uid, "/dev/null", [.. addresses.Select(IpAddr.Parse)]);
}
