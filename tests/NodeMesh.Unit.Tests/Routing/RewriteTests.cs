using System.Text;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Proxy.Http;
using NodeMesh.Proxy.Routing;

namespace NodeMesh.Unit.Tests.Routing;

public sealed class RewriteTests
{
    // The table of Gateway API's HTTPPathModifier.replacePrefixMatch, and queries.
    [TestCase("/foo/bar", "/foo", "/xyz", "/xyz/bar")]
    [TestCase("/foo/bar", "/foo", "/xyz/", "/xyz/bar")]
    [TestCase("/foo/bar", "/foo/", "/xyz", "/xyz/bar")]
    [TestCase("/foo/bar", "/foo/", "/xyz/", "/xyz/bar")]
    [TestCase("/foo", "/foo", "/xyz", "/xyz")]
    [TestCase("/foo/", "/foo", "/xyz", "/xyz/")]
    [TestCase("/foo/bar", "/foo", "", "/bar")]
    [TestCase("/foo/", "/foo", "", "/")]
    [TestCase("/foo", "/foo", "", "/")]
    [TestCase("/foo/", "/foo", "/", "/")]
    [TestCase("/foo", "/foo", "/", "/")]
    [TestCase("/foo/bar?x=1&y=2", "/foo", "/xyz", "/xyz/bar?x=1&y=2")]
    [TestCase("/foo?x", "/foo", "", "/?x")]
    [TestCase("/bar", "/", "/xyz", "/xyz/bar")]
    [TestCase("/foo/a%20b", "/foo", "/x y", "/x%20y/a%20b")]
    public void A_prefix_is_replaced(string target, string prefix, string value, string expected)
    {
        Assert.That(Rewritten(target, prefix, new PathRewrite(true, value)), Is.EqualTo(expected));
        Assert.That(Location(target, prefix, new RedirectFilter(null, null, null, new PathRewrite(true, value), 302)), Is.EqualTo("http://example.com" + expected));
    }

    [TestCase("/foo/bar?x=1", "/new", "/new?x=1")]
    [TestCase("/foo", "/new/", "/new/")]
    [TestCase("/foo", "/a?b", "/a%3Fb")]
    public void The_whole_path_is_replaced_and_the_query_kept(string target, string value, string expected) =>
        Assert.That(Rewritten(target, "/", new PathRewrite(false, value)), Is.EqualTo(expected));

    [Test]
    public void The_host_is_rewritten()
    {
        var edits = new HeaderEdits();
        Route("/", new RewriteFilter("other.example", null), null).Rewrite(Heads.Get("/"), edits);
        Assert.That(Encoding.ASCII.GetString(edits.Authority), Is.EqualTo("other.example"));
        Assert.That(edits.HasTarget, Is.False);
    }

    [TestCase(null, null, false, 80, "http://example.com/a?q")]
    [TestCase(null, null, false, 8080, "http://example.com:8080/a?q")]
    [TestCase(null, null, true, 443, "https://example.com/a?q")]
    [TestCase(null, null, true, 8443, "https://example.com:8443/a?q")]
    [TestCase("https", null, false, 8080, "https://example.com/a?q")]
    [TestCase("https", 8443, false, 80, "https://example.com:8443/a?q")]
    [TestCase("http", 443, true, 443, "http://example.com:443/a?q")]
    [TestCase(null, 80, false, 8080, "http://example.com/a?q")]
    public void Location_leaves_default_ports_out(string? scheme, int? port, bool encrypted, int listener, string expected)
    {
        var route = Route("/", null, new RedirectFilter(scheme, null, (ushort?)port, null, 301));
        Assert.That(route.Location(Heads.Get("/a?q", "example.com:9999"), encrypted, (ushort)listener), Is.EqualTo(expected));
    }

    [Test]
    public void Location_takes_the_hostname_of_the_filter()
    {
        var route = Route("/", null, new RedirectFilter("https", "www.example.org", null, null, 301));
        Assert.That(route.Location(Heads.Get("/"), false, 80), Is.EqualTo("https://www.example.org/"));
    }

    [Test]
    public void Header_changes_set_add_and_remove_and_never_touch_framing()
    {
        var mutation = HeaderMutation.From(
        [
            new HeaderFilter(
                false,
                [new("X-Set", "new"), new("Content-Length", "7"), new("Transfer-Encoding", "chunked"), new("X-Bad", "a\r\nb: c"), new("Host", "h2")],
                [new("X-Add", "more")],
                ["x-gone", "connection", "host"]),
        ]);
        var head = Heads.Get("/", "example.com", "x-set: old", "X-SET: older", "X-Add: one", "X-Gone: 1");
        var edits = new HeaderEdits();
        mutation.Apply(head, edits);

        var dropped = Enumerable.Range(0, head.HeaderCount).Where(edits.IsDropped).Select(i => Encoding.ASCII.GetString(head.HeaderName(i)));
        var added = Enumerable.Range(0, edits.AppendedCount).Select(i => $"{Encoding.ASCII.GetString(edits.AppendedName(i))}={Encoding.ASCII.GetString(edits.AppendedValue(i))}");
        Assert.That(dropped, Is.EqualTo(new[] { "x-set", "X-SET", "X-Gone" }));
        Assert.That(added, Is.EqualTo(new[] { "X-Set=new", "X-Add=more" }));
        Assert.That(Encoding.ASCII.GetString(edits.Authority), Is.EqualTo("h2"));
    }

    private static CompiledRoute Route(string prefix, RewriteFilter? rewrite, RedirectFilter? redirect) =>
        new(new RouteEntryPlan(Routes.Prefix(prefix), Routes.Action("r", redirect, rewrite)));

    private static string Rewritten(string target, string prefix, PathRewrite path)
    {
        var edits = new HeaderEdits();
        var head = Heads.Get(target);
        var route = Route(prefix, new RewriteFilter(null, path), null);
        Assert.That(route.Matches(head));
        route.Rewrite(head, edits);
        return Encoding.ASCII.GetString(edits.Target);
    }

    private static string Location(string target, string prefix, RedirectFilter redirect) => Route(prefix, null, redirect).Location(Heads.Get(target), false, 80);
}
