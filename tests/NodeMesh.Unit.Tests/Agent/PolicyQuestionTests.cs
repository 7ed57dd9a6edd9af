using NodeMesh.Agent;
using NodeMesh.Agent.Commands;

namespace NodeMesh.Unit.Tests.Agent;

/// <summary>nodemesh policy explain and diff by files.</summary>
internal sealed class PolicyQuestionTests
{
    private const string Mesh = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: shop}
        ---
        apiVersion: v1
        kind: Namespace
        metadata: {name: other}
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: n1}
        status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: front, namespace: shop, labels: {app: front}}
        spec: {nodeName: n1}
        status: {podIP: 10.0.0.1}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: api, namespace: shop, labels: {app: api}}
        spec: {nodeName: n2, containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
        status: {podIP: 10.0.1.1, podIPs: [{ip: 10.0.1.1}, {ip: "fd00::1"}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: stranger, namespace: other, labels: {app: stranger}}
        spec: {nodeName: n2}
        status: {podIP: 10.0.1.2}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: api, namespace: shop}
        spec: {clusterIP: 10.96.0.1, selector: {app: api}, ports: [{name: web, port: 80, targetPort: http}]}
        """;

    private const string Deny = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: deny, namespace: shop}
        spec: {podSelector: {matchLabels: {app: api}}}
        """;

    private const string Allow = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: allow, namespace: shop}
        spec:
          podSelector: {matchLabels: {app: api}}
          ingress: [{from: [{podSelector: {matchLabels: {app: front}}}], ports: [{port: http}]}]
        """;

    private const string Methods = """
        apiVersion: nodemesh.io/v1alpha1
        kind: MeshPolicy
        metadata: {name: no-deletes, namespace: shop}
        spec: {podSelector: {matchLabels: {app: api}}, ingress: [{action: Deny, http: [{methods: [DELETE]}]}]}
        """;

    private string _directory = null!;

    [SetUp]
    public void Begin() => _directory = Directory.CreateTempSubdirectory("nodemesh-policy-").FullName;

    [TearDown]
    public void End() => Directory.Delete(_directory, recursive: true);

    private string Write(string name, params string[] documents)
    {
        var path = Path.Combine(_directory, name);
        File.WriteAllText(path, string.Join("\n---\n", documents));
        return path;
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await CommandTree.RunAsync(args, output, error);
        return (code, output.ToString(), error.ToString());
    }

    private async Task<string[]> ExplainAsync(string from, string to, string port, string[] documents, params string[] more)
    {
        var (code, output, error) = await RunAsync(["policy", "explain", "--from", from, "--to", to, "--port", port, .. more, Write("a.yaml", [Mesh, .. documents])]);
        Assert.That(code, Is.Zero, error);
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[1..];
    }

    [Test]
    public async Task What_no_policy_is_about_is_allowed_and_says_so()
    {
        var lines = await ExplainAsync("shop/front", "shop/api", "8080", []);
        Assert.That(lines[0], Does.StartWith("Pod shop/front").And.Contain("8080/TCP").And.Contain("allowed").And.Contain("no policy selects Pod shop/front"));
        Assert.That(lines[1], Does.Contain("no policy selects Pod shop/api"));
    }

    [TestCase("shop/front", "8080/TCP", "allowed", "NetworkPolicy shop/allow ingress[0]")]
    [TestCase("shop/front", "9090/TCP", "denied", "isolates ingress")]
    [TestCase("other/stranger", "8080", "denied", "isolates ingress")]
    [TestCase("203.0.113.9", "8080", "denied", "isolates ingress")]
    [TestCase("192.0.2.1", "8080", "denied", "isolates ingress")]
    public async Task The_deciding_rule_is_named(string from, string port, string verdict, string because)
    {
        var lines = await ExplainAsync(from, "shop/api", port, [Deny, Allow]);
        Assert.That(lines[0], Does.Match($@"\s{verdict}\s+egress\s"));
        Assert.That(lines[1], Does.Contain(because));
    }

    [TestCase("shop/api")]
    [TestCase("service/shop/api")]
    [TestCase("10.96.0.1")]
    public async Task A_service_is_asked_about_by_its_backends(string to)
    {
        if (to == "shop/api")
            to = "svc/shop/api";
        var lines = await ExplainAsync("shop/front", to, "80", [Deny, Allow]);
        Assert.That(lines[0], Does.Contain("Pod shop/api").And.Contain("8080/TCP").And.Match(@"\sallowed\s+egress"));
    }

    [TestCase("GET", "allowed")]
    [TestCase("DELETE", "denied")]
    public async Task A_request_is_judged_by_the_proxys_own_code(string method, string verdict)
    {
        var lines = await ExplainAsync("shop/front", "shop/api", "8080", [Allow, Methods], "--method", method, "--path", "/items/1");
        Assert.That(lines[0], Does.Match($@"\s{verdict}\s+egress\s"));
        if (verdict == "denied")
            Assert.That(lines[1], Does.Contain("MeshPolicy shop/no-deletes"));
    }

    [Test]
    public async Task Without_a_request_the_proxy_has_the_last_word() =>
        Assert.That((await ExplainAsync("shop/front", "shop/api", "8080", [Allow, Methods]))[0], Does.Match(@"\sby request\s+egress"));

    [TestCase("shop/nobody", "8080", "there is neither a pod nor a service shop/nobody")]
    [TestCase("service/shop/api", "81", "has no port 81/TCP; it has 80/TCP")]
    [TestCase("shop/api", "http", "a port as in 80/TCP")]
    [TestCase("nowhere", "80", "NAMESPACE/NAME")]
    public async Task A_question_that_makes_no_sense_is_one_line(string to, string port, string why)
    {
        var (code, _, error) = await RunAsync("policy", "explain", "--from", "shop/front", "--to", to, "--port", port, Write("a.yaml", Mesh));
        Assert.That(code, Is.EqualTo((int)ExitCode.Usage));
        Assert.That(error, Does.Contain(why));
    }

    private async Task<string[]> DiffAsync(string[] before, string[] after, params string[] more)
    {
        var (code, output, error) = await RunAsync(["policy", "diff", "--in-force", Write("before.yaml", [Mesh, .. before]), .. more, Write("after.yaml", after)]);
        Assert.That(code, Is.Zero, error);
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    [Test]
    public async Task A_difference_says_who_may_newly_do_what()
    {
        var lines = await DiffAsync([Deny], [Allow]);
        Assert.That(lines, Has.Length.EqualTo(2));
        Assert.That(lines[1], Does.StartWith("now allowed").And.Contain("Pod shop/front").And.Contain("Pod shop/api").And.Contain(" 8080/TCP ").And.Contain("NetworkPolicy shop/allow ingress[0]"));
    }

    [Test]
    public async Task A_new_isolation_is_told_for_pods_and_for_the_world()
    {
        var lines = await DiffAsync([], [Deny]);
        Assert.That(lines[1..], Has.All.Contains("now denied").And.All.Contain("everything"));
        Assert.That(lines[1..], Has.Some.Contain("Pod shop/front").And.Some.Contain("Pod other/stranger").And.Some.Contain("world"));
    }

    [Test]
    public async Task Pruned_policies_are_gone()
    {
        Assert.That(await DiffAsync([Deny, Allow], [Allow]), Is.EqualTo(new[] { "nothing becomes allowed or denied" }));
        Assert.That((await DiffAsync([Deny, Allow], [Deny], "--prune"))[1], Does.StartWith("now denied").And.Contain("8080/TCP"));
    }

    [Test]
    public async Task Faulty_files_are_compared_with_nothing()
    {
        var (code, _, error) = await RunAsync("policy", "diff", "--in-force", Write("before.yaml", Mesh), Write("after.yaml", Deny.Replace("podSelector", "podSelectr", StringComparison.Ordinal)));
        Assert.That(code, Is.EqualTo((int)ExitCode.InvalidInput));
        Assert.That(error, Does.Contain("podSelectr").And.Contain("nothing was compared"));
    }

    [Test]
    public async Task Relabelled_pods_are_seen_with_their_new_labels()
    {
        var relabelled = """
            apiVersion: v1
            kind: Pod
            metadata: {name: stranger, namespace: shop, labels: {app: stranger}}
            spec: {nodeName: n2}
            """;
        Assert.That(await DiffAsync([Allow], [relabelled]), Is.EqualTo(new[] { "nothing becomes allowed or denied" }), "no pod of that name in that namespace");
        Assert.That(await DiffAsync([Allow], [relabelled.Replace("namespace: shop", "namespace: other", StringComparison.Ordinal).Replace("app: stranger", "app: front", StringComparison.Ordinal)]),
            Is.EqualTo(new[] { "nothing becomes allowed or denied" }), "the rule is about pods of its own namespace");
    }
}
