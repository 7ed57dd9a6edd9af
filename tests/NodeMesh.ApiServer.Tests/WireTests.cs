using System.Globalization;
using System.Text.Json.Nodes;

namespace NodeMesh.ApiServer.Tests;

/// <summary>What the agent's informers build on (API concepts in Kubernetes' documentation).</summary>
internal sealed class WireTests : ClusterTests
{
    private string _ns = "";

    private static Api Admin => TheCluster.Admin;

    private string Folder => $"/api/v1/namespaces/{_ns}/configmaps";

    [SetUp]
    public void Begin()
    {
        _ns = TheCluster.Namespace();
        for (var i = 0; i < 7; i++)
            Make($"m{i}");
    }

    private JsonObject Make(string name) => Admin.Create(new JsonObject
    {
        ["apiVersion"] = "v1",
        ["kind"] = "ConfigMap",
        ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = _ns },
        ["data"] = new JsonObject { ["key"] = name },
    }).Good(name);

    private static string Version(JsonNode obj) => (string)obj["metadata"]!["resourceVersion"]!;

    private static IEnumerable<string> Names(JsonObject list) => ((JsonArray)list["items"]!).Select(o => (string)o!["metadata"]!["name"]!);

    // A cluster's own controllers may put things beside.
    private static List<string> Ours(IEnumerable<string> names) => [.. names.Where(n => n.StartsWith('m')).Order(StringComparer.Ordinal)];

    [Test]
    public void A_list_comes_in_pages_of_one_moment()
    {
        var names = new List<string>();
        var (next, version) = ("", "");
        do
        {
            var page = Admin.Get($"{Folder}?limit=3{(next.Length > 0 ? $"&continue={Uri.EscapeDataString(next)}" : "")}").Good("a page");
            Assert.That((string?)page["kind"], Is.EqualTo("ConfigMapList"));
            Assert.That(Names(page).Count(), Is.LessThanOrEqualTo(3));
            names.AddRange(Names(page));
            if (version.Length == 0)
                Make("m-late");
            else
                Assert.That(Version(page), Is.EqualTo(version));
            version = Version(page);
            next = (string?)page["metadata"]!["continue"] ?? "";
        }
        while (next.Length > 0);
        Assert.That(Ours(names), Is.EqualTo(Enumerable.Range(0, 7).Select(i => $"m{i}")));
    }

    [Test]
    public void A_watch_may_begin_with_everything()
    {
        static bool IsEnd(JsonObject obj) => (string?)obj["metadata"]?["annotations"]?["k8s.io/initial-events-end"] == "true";
        var events = Admin.Watch($"{Folder}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=60", IsEnd);
        var end = events.FindIndex(e => e.Type == "BOOKMARK" && IsEnd(e.Object));
        Assert.That(end, Is.GreaterThanOrEqualTo(7), "the end of it is said");
        Assert.That(events.Take(end).Select(e => e.Type), Has.All.EqualTo("ADDED"));
        Assert.That(Ours(events.Take(end).Select(e => (string)e.Object["metadata"]!["name"]!)), Has.Count.EqualTo(7));
    }

    [TestCase("&sendInitialEvents=true")]
    [TestCase("&resourceVersionMatch=NotOlderThan")]
    public void A_watch_that_begins_with_everything_has_to_be_asked_for_in_full(string half)
    {
        var events = Admin.Watch($"{Folder}?watch=true&allowWatchBookmarks=true{half}&timeoutSeconds=5");
        Assert.That(events.Select(e => (e.Type, (int?)e.Object["code"])), Is.EqualTo(new[] { ("ERROR", (int?)422) }));
    }

    [Test]
    public void A_watch_goes_on_where_it_was_and_has_bookmarks()
    {
        var from = Version(Admin.Get(Folder).Good("a list"));
        Make("m-new");
        Admin.Patch($"{Folder}/m1", """{"data":{"key":"other"}}""");
        Admin.Delete($"{Folder}/m2");
        var last = Version(Make("m-last"));
        var events = Admin.Watch($"{Folder}?watch=true&allowWatchBookmarks=true&resourceVersion={from}&timeoutSeconds=10");
        Assert.That(events.Where(e => e.Type != "BOOKMARK").Select(e => $"{e.Type} {e.Object["metadata"]!["name"]}"), Is.EqualTo(new[] { "ADDED m-new", "MODIFIED m1", "DELETED m2", "ADDED m-last" }));
        Assert.That(events.Select(e => (string?)e.Object["kind"]), Has.All.EqualTo("ConfigMap"));
        var mark = events.Last(e => e.Type == "BOOKMARK");
        Assert.That(long.Parse(Version(mark.Object), CultureInfo.InvariantCulture), Is.GreaterThanOrEqualTo(long.Parse(last, CultureInfo.InvariantCulture)), "resource versions are numbers, and grow");
    }

    [Test]
    public void A_place_that_is_forgotten_is_told()
    {
        TheCluster.Cluster.Compact();
        var events = Admin.Watch($"{Folder}?watch=true&resourceVersion=1&timeoutSeconds=5");
        Assert.That(events.Select(e => (e.Type, (int?)e.Object["code"])), Is.EqualTo(new[] { ("ERROR", (int?)410) }));
    }

    [Test]
    public void After_a_compaction_a_list_that_was_begun_is_ended_or_refused()
    {
        var page = Admin.Get($"{Folder}?limit=3").Good("a page");
        Make("m-late");
        TheCluster.Cluster.Compact();
        var rest = Admin.Get($"{Folder}?limit=100&continue={Uri.EscapeDataString((string)page["metadata"]!["continue"]!)}");

        // A server may have kept that moment in its own memory; what it must not do is to mix moments.
        if (rest.IsGood)
            Assert.That(Names(rest.Body), Has.None.EqualTo("m-late"));
        else
            Assert.That(rest.Code, Is.EqualTo(410), rest.Message);
        Assert.That(Ours(Names(Admin.Get(Folder).Good("a list"))), Has.Count.EqualTo(8));
    }

    [Test]
    public void What_changes_nothing_is_no_change_and_the_servers_own_fields_stay()
    {
        var made = Make("m-own");
        Assert.That(Version(Admin.Patch($"{Folder}/m-own", """{"data":{"key":"m-own"}}""")), Is.EqualTo(Version(made)));
        var changed = Admin.Patch($"{Folder}/m-own", """{"metadata":{"labels":{"a":"b"},"creationTimestamp":"2001-01-01T00:00:00Z"}}""");
        Assert.That(Version(changed), Is.Not.EqualTo(Version(made)));
        Assert.That(((string?)changed["metadata"]!["uid"], (string?)changed["metadata"]!["creationTimestamp"]), Is.EqualTo(((string?)made["metadata"]!["uid"], (string?)made["metadata"]!["creationTimestamp"])));
        made["metadata"]!.AsObject().Remove("resourceVersion");
        Assert.That(Admin.Create(made).Code, Is.EqualTo(409));
        Assert.That(Admin.Get($"{Folder}/none").Code, Is.EqualTo(404));
    }

    [Test]
    public void What_has_finalizers_goes_with_the_last_of_them()
    {
        Admin.Patch($"{Folder}/m0", """{"metadata":{"finalizers":["example.com/test"]}}""");
        Admin.Send(HttpMethod.Delete, $"{Folder}/m0").Good("delete");
        Assert.That((string?)Admin.Get($"{Folder}/m0").Good("still there")["metadata"]!["deletionTimestamp"], Is.Not.Null);
        Admin.Patch($"{Folder}/m0", """{"metadata":{"finalizers":null}}""");
        Assert.That(Admin.Get($"{Folder}/m0").Code, Is.EqualTo(404));
    }

    [Test]
    public void Who_changes_what_has_changed_meanwhile_is_told()
    {
        var path = $"/apis/coordination.k8s.io/v1/namespaces/{_ns}/leases";
        var lease = new JsonObject
        {
            ["apiVersion"] = "coordination.k8s.io/v1",
            ["kind"] = "Lease",
            ["metadata"] = new JsonObject { ["name"] = "l", ["namespace"] = _ns },
            ["spec"] = new JsonObject { ["holderIdentity"] = "a", ["leaseDurationSeconds"] = 30 },
        };
        var made = Admin.Send(HttpMethod.Post, path, lease).Good("a lease");
        var first = (JsonObject)made.DeepClone();
        first["spec"]!["holderIdentity"] = "b";
        Admin.Send(HttpMethod.Put, $"{path}/l", first).Good("the first change");
        made["spec"]!["holderIdentity"] = "c";
        Assert.That(Admin.Send(HttpMethod.Put, $"{path}/l", made).Code, Is.EqualTo(409));
    }
}
