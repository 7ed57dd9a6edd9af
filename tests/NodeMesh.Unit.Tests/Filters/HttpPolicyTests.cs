using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Proxy;
using NodeMesh.Proxy.Filters;
using NodeMesh.Proxy.Http;
using NodeMesh.Unit.Tests.Routing;
using MatchType = NodeMesh.Model.MatchType;

namespace NodeMesh.Unit.Tests.Filters;

public sealed class HttpPolicyTests
{
    private static readonly HttpMatch Anything = new([], [], [], []);

    [Test]
    public void Deny_beats_allow_and_nothing_allowed_is_denied()
    {
        var plan = new HttpPolicyPlan(
            false, [new("MeshPolicy shop/read", Anything with { Methods = ["GET", "POST"] })], [new("MeshPolicy shop/no-post", Anything with { Methods = ["POST"] })]);
        Assert.That(Judge(plan, Heads.Get("/")), Is.EqualTo(new HttpJudgement(HttpVerdict.Allow, "MeshPolicy shop/read")));
        Assert.That(Judge(plan, Heads.Request("POST", "/", "h")), Is.EqualTo(new HttpJudgement(HttpVerdict.Deny, "MeshPolicy shop/no-post")));
        Assert.That(Judge(plan, Heads.Request("PUT", "/", "h")), Is.EqualTo(new HttpJudgement(HttpVerdict.Deny, null)));
        Assert.That(Judge(plan with { AllowAll = true }, Heads.Request("PUT", "/", "h")).Verdict, Is.EqualTo(HttpVerdict.Allow));
        Assert.That(Judge(plan, Heads.Request("get", "/", "h")).Verdict, Is.EqualTo(HttpVerdict.Deny), "methods are case sensitive");
    }

    [TestCase("/admin", nameof(HttpVerdict.Deny))]
    [TestCase("/admin/x?y", nameof(HttpVerdict.Deny))]
    [TestCase("//admin", nameof(HttpVerdict.Deny))]
    [TestCase("/x/../admin", nameof(HttpVerdict.Deny))]
    [TestCase("/%61dmin", nameof(HttpVerdict.Deny))]
    [TestCase("/%2e/admin", nameof(HttpVerdict.Deny))]
    [TestCase("/x/%2E%2e/admin/", nameof(HttpVerdict.Deny))]
    [TestCase("/administrator", nameof(HttpVerdict.Allow))]
    [TestCase("/x%2fadmin", nameof(HttpVerdict.AmbiguousPath))]
    [TestCase("/x/..;/admin", nameof(HttpVerdict.AmbiguousPath))]
    public void A_denied_path_is_found_in_every_spelling(string target, string expected)
    {
        var plan = new HttpPolicyPlan(true, [], [new("MeshPolicy a/b", Anything with { Paths = [new StringMatch(MatchType.PathPrefix, "/admin")] })]);
        Assert.That(Judge(plan, Heads.Get(target)).Verdict.ToString(), Is.EqualTo(expected));
    }

    [Test]
    public void Ambiguous_paths_pass_where_no_rule_looks_at_paths()
    {
        var plan = new HttpPolicyPlan(false, [new("MeshPolicy a/b", Anything with { Methods = ["GET"] })], []);
        Assert.That(Judge(plan, Heads.Get("/a%2fb")).Verdict, Is.EqualTo(HttpVerdict.Allow));
    }

    [TestCase("api.example.com:8080", true)]
    [TestCase("API.example.com", true)]
    [TestCase("example.com", false)]
    public void Hosts_match_without_port_and_case(string host, bool allowed)
    {
        var plan = new HttpPolicyPlan(false, [new("p", Anything with { Hosts = ["api.example.com"] })], []);
        Assert.That(Judge(plan, Heads.Get("/", host)).Verdict == HttpVerdict.Allow, Is.EqualTo(allowed));
    }

    [Test]
    public void All_kinds_of_conditions_must_hold_together()
    {
        var match = new HttpMatch(["GET"], [new StringMatch(MatchType.Regex, "/v[12]/.*")], [], [new HeaderMatch("x-team", MatchType.Exact, "shop")]);
        var plan = new HttpPolicyPlan(false, [new("p", match)], []);
        Assert.That(Judge(plan, Heads.Get("/v1/a", "h", "X-Team: shop")).Verdict, Is.EqualTo(HttpVerdict.Allow));
        Assert.That(Judge(plan, Heads.Get("/v1/a", "h", "X-Team: bank")).Verdict, Is.EqualTo(HttpVerdict.Deny));
        Assert.That(Judge(plan, Heads.Get("/v3/a", "h", "X-Team: shop")).Verdict, Is.EqualTo(HttpVerdict.Deny));
    }

    [Test]
    public void A_broken_expression_never_opens_anything()
    {
        HttpRulePlan[] broken = [new("p", Anything with { Paths = [new StringMatch(MatchType.Regex, "(")] })];
        Assert.That(Judge(new HttpPolicyPlan(false, [.. broken], []), Heads.Get("/")).Verdict, Is.EqualTo(HttpVerdict.Deny));
        Assert.That(Judge(new HttpPolicyPlan(true, [], [.. broken]), Heads.Get("/")).Verdict, Is.EqualTo(HttpVerdict.Deny));
    }

    [Test]
    public void The_filter_answers_403_names_the_policy_for_the_log_and_judges_both_sides()
    {
        var open = new HttpPolicyPlan(true, [], []);
        var noPost = open with { Deny = [new("MeshPolicy shop/no-post", Anything with { Methods = ["POST"] })] };
        var filter = new HttpPolicyFilter();
        var context = new FilterContext(1) { Request = Heads.Request("POST", "/", "h"), EgressRules = open, IngressRules = noPost };
        Assert.That(filter.OnRequestHeaders(context), Is.EqualTo(FilterAction.Respond));
        Assert.That(context.Reply.Status, Is.EqualTo(403));
        Assert.That(context.Reply.Reason, Is.EqualTo(CloseReason.PolicyDenied));
        Assert.That(context.Reply.Detail, Is.EqualTo("MeshPolicy shop/no-post"));
        Assert.That(context.Reply.Body, Does.Not.Contain("no-post"));
        context.Request = Heads.Get("/");
        Assert.That(filter.OnRequestHeaders(context), Is.EqualTo(FilterAction.Continue));
    }

    [Test]
    public void What_a_policy_under_audit_would_refuse_passes_and_is_named()
    {
        var filter = new HttpPolicyFilter();
        var audit = new HttpPolicyPlan(false, [new("MeshPolicy a/get", Anything with { Methods = ["GET"] }) { Rule = "MeshPolicy a/get ingress[0]" }],
            [new("MeshPolicy a/no", Anything with { Methods = ["DELETE"] }) { Rule = "MeshPolicy a/no ingress[1]" }])
        {
            Rest = "MeshPolicy a/get (isolates ingress)",
        };
        Assert.That(Audited(HttpPolicyPlan.Open with { Audit = audit }, "GET"), Is.Null);
        Assert.That(Audited(HttpPolicyPlan.Open with { Audit = audit }, "DELETE"), Is.EqualTo("MeshPolicy a/no ingress[1]"));
        Assert.That(Audited(HttpPolicyPlan.Open with { Audit = audit }, "PUT"), Is.EqualTo("MeshPolicy a/get (isolates ingress)"));
        var refused = new FilterContext(1) { Request = Heads.Request("DELETE", "/", "h"), IngressRules = audit with { Audit = audit } };
        Assert.That(filter.OnRequestHeaders(refused), Is.EqualTo(FilterAction.Respond));
        Assert.That(refused.Audited, Is.Null, "what is refused is no audit's");

        string? Audited(HttpPolicyPlan rules, string method)
        {
            var context = new FilterContext(1) { Request = Heads.Request(method, "/", "h"), IngressRules = rules };
            Assert.That(filter.OnRequestHeaders(context), Is.EqualTo(FilterAction.Continue));
            return context.Audited;
        }
    }

    [Test]
    public void Judging_allocates_nothing()
    {
        var plan = new HttpPolicyPlan(
            false, [new("p", Anything with { Paths = [new StringMatch(MatchType.PathPrefix, "/a")] })], [new("d", Anything with { Methods = ["POST"] })]);
        var judge = HttpPolicyJudge.For(plan);
        var head = Heads.Get("/a/./b");
        Assert.That(judge.Judge(head).Verdict, Is.EqualTo(HttpVerdict.Allow));
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            judge.Judge(head);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private static HttpJudgement Judge(HttpPolicyPlan plan, RequestHead head) => HttpPolicyJudge.For(plan).Judge(head);
}
