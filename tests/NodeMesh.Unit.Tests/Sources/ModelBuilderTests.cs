using NodeMesh.Model;
using NodeMesh.Sources.Files;
using NodeMesh.Sources.World;

namespace NodeMesh.Unit.Tests.Sources;

internal sealed class ModelBuilderTests
{
    private const string Open = "{podSelector: {}, ingress: [{}]}";
    private const string Closed = "{podSelector: {}, ingress: []}";

    private ModelBuilder _builder = null!;

    [SetUp]
    public void Begin()
    {
        _builder = new ModelBuilder(TimeProvider.System);
        Put("n.yaml", Manifests.Namespaces);
    }

    private MeshSnapshot Put(string path, params string[] documents)
    {
        _builder.Apply(ManifestFile.Read(path, string.Join("\n---\n", documents)));
        return _builder.Build();
    }

    private MeshSnapshot Drop(string path)
    {
        _builder.Apply(new(path, null, null));
        return _builder.Build();
    }

    [Test]
    public void Nothing_changed_is_the_same_snapshot()
    {
        var first = Put("a.yaml", Manifests.NetworkPolicy(Closed), Manifests.Pod("a", "10.0.0.1"), Manifests.Service("s", "10.96.0.1"));
        Assert.That(Put("a.yaml", Manifests.NetworkPolicy(Closed), Manifests.Pod("a", "10.0.0.1"), Manifests.Service("s", "10.96.0.1")), Is.SameAs(first));
    }

    [Test]
    public void What_did_not_change_stays_the_same_object()
    {
        var route = Manifests.Route("{parentRefs: [{group: '', kind: Service, name: s}], rules: [{backendRefs: [{name: gone, port: 80}]}]}");
        var before = Put("a.yaml", Manifests.NetworkPolicy(Closed), Manifests.Service("s", "10.96.0.1"), Manifests.Service("t", "10.96.0.2", selector: "app: db"), route);
        var after = Put("b.yaml", Manifests.Pod("a", "10.0.0.1"));
        Assert.That(after.Revision, Is.EqualTo(before.Revision + 1));
        Assert.That((after.Policies == before.Policies, after.Namespaces == before.Namespaces, after.Routes == before.Routes), Is.EqualTo((true, true, true)));
        Assert.That(after.Services[0], Is.Not.SameAs(before.Services[0]));
        Assert.That(after.Services[1], Is.SameAs(before.Services[1]));
    }

    [Test]
    public void A_broken_version_leaves_the_last_good_one_in_force()
    {
        var good = Put("a.yaml", Manifests.NetworkPolicy(Closed)).Policies.Single();
        var bad = Put("a.yaml", Manifests.NetworkPolicy("{podSelector: {}, ingres: []}"));
        Assert.That(bad.Policies.Single(), Is.SameAs(good));
        Assert.That((bad.Diagnostics.Single().Code, bad.Diagnostics.Single().Consequence), Is.EqualTo(("unknown-field", "the last good version stays in force")));
        var mended = Put("a.yaml", Manifests.NetworkPolicy(Open));
        Assert.That((mended.Policies.Single().Ingress.Length, mended.Diagnostics.Length), Is.EqualTo((1, 0)));
    }

    [Test]
    public void A_broken_file_leaves_what_it_held_in_force()
    {
        var good = Put("a.yaml", Manifests.NetworkPolicy(Closed), Manifests.NetworkPolicy(Closed, "q"));
        var bad = Put("a.yaml", "a: [");
        Assert.That(bad.Policies, Is.EqualTo(good.Policies));
        Assert.That(bad.Diagnostics.Single().Consequence, Is.EqualTo("the last good version of its 2 objects stays in force"));
    }

    [TestCase("kind: NetworkPolicy", "kind: NetworkPolcy", "unknown-kind")]
    [TestCase("kind: NetworkPolicy", "knd: NetworkPolicy", "missing-field")]
    [TestCase("name: p,", "nam: p,", "missing-field")]
    [TestCase("networking.k8s.io/v1", "networking.k8s.io/v2", "wrong-api-version")]
    [TestCase("networking.k8s.io/v1", "networking.k8s.oi/v1", "wrong-api-version")]
    public void A_policy_that_loses_its_identity_by_a_slip_stays_in_force(string from, string to, string code)
    {
        var good = Put("a.yaml", Manifests.NetworkPolicy(Closed)).Policies.Single();
        var bad = Put("a.yaml", Manifests.NetworkPolicy(Closed).Replace(from, to));
        Assert.That(bad.Policies.Single(), Is.SameAs(good));
        Assert.That(bad.Diagnostics.Select(d => d.Code), Does.Contain(code));
        Assert.That(Put("a.yaml", "").Policies, Is.Empty);
    }

    [Test]
    public void A_deleted_file_removes_its_objects()
    {
        Put("a.yaml", Manifests.NetworkPolicy(Closed));
        Assert.That(Drop("a.yaml").Policies, Is.Empty);
    }

    [Test]
    public void A_namespace_that_comes_later_brings_its_objects_in()
    {
        Put("a.yaml", Manifests.Pod("a", "10.0.0.1"));
        var without = Drop("n.yaml");
        Assert.That((without.Workloads.Length, without.Diagnostics.Single().Code), Is.EqualTo((0, "missing-namespace")));
        var with = Put("n.yaml", Manifests.Namespaces);
        Assert.That((with.Workloads.Length, with.Diagnostics.Length), Is.EqualTo((1, 0)));
    }

    [Test]
    public void The_order_of_arrival_does_not_matter()
    {
        var changes = new List<(string Path, string Text)>
        {
            ("n.yaml", Manifests.Namespaces),
            ("p.yaml", Manifests.Pod("a", "10.0.0.1") + "\n---\n" + Manifests.Pod("b", "10.0.0.2")),
            ("q.yaml", Manifests.Pod("b", "10.0.0.3")),
            ("r.yaml", Manifests.Pod("c", "10.0.0.1")),
            ("s.yaml", Manifests.Service("s", "10.96.0.1") + "\n---\n" + Manifests.Service("t", "10.96.0.1")),
            ("t.yaml", Manifests.NetworkPolicy(Open)),
            ("u.yaml", Manifests.NetworkPolicy(Closed)),
            ("v.yaml", Manifests.Route("{parentRefs: [{group: '', kind: Service, name: s}], rules: [{backendRefs: [{name: s, port: 80}, {name: no, port: 80}]}]}")),
            ("w.yaml", "a: ["),
        };
        var expected = Text(changes);
        var random = new Random(11);
        for (var i = 0; i < 50; i++)
        {
            var shuffled = changes.ToArray();
            random.Shuffle(shuffled);
            Assert.That(Text(shuffled), Is.EqualTo(expected));
        }
    }

    /// <summary>One snapshot after each change: the way must not show in the result.</summary>
    private static string Text(IEnumerable<(string Path, string Text)> changes)
    {
        var builder = new ModelBuilder(TimeProvider.System);
        foreach (var (path, text) in changes)
        {
            builder.Apply(ManifestFile.Read(path, text));
            builder.Build();
        }
        var m = builder.Build();
        return string.Join('\n', m.Workloads.Select(w => $"{w.Name} {string.Join(',', w.Addresses)}")
            .Concat(m.Services.Select(s => $"{s.Name} {string.Join(',', s.Ports.SelectMany(p => p.Backends))}"))
            .Concat(m.Policies.Select(p => $"{p.Ref} {p.Ingress.Length} {p.Location}"))
            .Concat(m.Routes.Select(r => $"{r.Name} {string.Join(',', r.Rules.SelectMany(x => x.Backends).Select(b => b.Invalid?.Message))}"))
            .Concat(m.Diagnostics.Select(d => d.ToString())));
    }
}
