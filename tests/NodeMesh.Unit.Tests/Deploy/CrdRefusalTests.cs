using System.Text.Json.Nodes;
using NodeMesh.Model;
using NodeMesh.Sources;
using NodeMesh.Sources.Translate;
using NodeMesh.Testing;
using NodeMesh.Testing.ApiServer;

namespace NodeMesh.Unit.Tests.Deploy;

/// <summary>What the API server refuses by the definitions in deploy/crds is what the agent refuses: nothing more, and nothing less that a schema could see.</summary>
internal sealed class CrdRefusalTests
{
    private static readonly Dictionary<string, ResourceSchema> s_schemas = new[] { "MeshPolicy", "ClusterMeshPolicy" }.ToDictionary(k => k, Schema);

    private static readonly string[] s_kinds = [.. s_schemas.Keys];

    // Of every object, whatever its kind: the API's own, for which a schema only leaves the place.
    private static readonly string[] s_ofEveryObject = ["", "apiVersion", "kind", "metadata"];

    private static ResourceSchema Schema(string kind)
    {
        var file = kind == "MeshPolicy" ? "meshpolicies.yaml" : "clustermeshpolicies.yaml";
        return ResourceSchema.Of(Yaml.Object(File.ReadAllText(Path.Combine(Manifest.Folder, "crds", file))));
    }

    [Test]
    public void Every_policy_is_judged_as_the_table_says_by_the_schema_and_by_the_agent() =>
        Assert.That(PolicyCases.All.SelectMany(Wrong), Is.Empty);

    private static IEnumerable<string> Wrong(PolicyCase policy)
    {
        var obj = policy.Object;
        var schema = s_schemas[policy.Kind];
        schema.Prune(obj);
        schema.Default(obj);
        var found = string.Join("; ", schema.Validate(obj).Select(v => $"{v.Place} {v.Keyword}"));
        var expected = policy.IsForTheAgent ? "" : policy.Refusal;
        if (found != expected)
            yield return $"{policy}: the schema refuses '{found}'";

        var errors = Errors(policy.Text);
        if (errors.Count > 0 == policy.IsValid)
            yield return $"{policy}: the agent says '{string.Join("; ", errors)}'";

        // What the API server stored is read as what was written.
        if (found.Length == 0 && Errors(obj.ToJsonString()).Count != errors.Count)
            yield return $"{policy}: with its defaults the agent says '{string.Join("; ", Errors(obj.ToJsonString()))}'";
    }

    private static List<string> Errors(string text) =>
        [.. ManifestReader.Read([("0.yaml", Sources.Manifests.Namespaces), ("a.yaml", text)]).Diagnostics.Where(d => d.Severity == Severity.Error).Select(d => $"{d.FieldPath} {d.Message}")];

    [TestCaseSource(nameof(s_kinds))]
    public void Every_word_of_the_schema_refuses_something_that_nothing_else_refuses(string kind)
    {
        var refused = PolicyCases.All.Where(c => c.Kind == kind).Select(c => c.Refusal.Trim()).Concat(s_statuses.Select(s => s.Refusal)).ToHashSet();
        var words = s_schemas[kind].Constraints.Where(c => !(s_ofEveryObject.Contains(c.Place) && c.Keyword == "type")).Select(c => $"{c.Place} {c.Keyword}".Trim());
        Assert.That(words.Where(w => !refused.Contains(w)), Is.Empty);
    }

    [TestCaseSource(nameof(s_kinds))]
    public void The_names_of_ICMP_types_are_those_that_the_agent_knows(string kind)
    {
        foreach (var protocol in new[] { Protocol.Icmp, Protocol.Icmpv6 })
            foreach (var name in IcmpTypes.Of(Protocol.Icmp).Keys.Union(IcmpTypes.Of(Protocol.Icmpv6).Keys))
            {
                var obj = Yaml.Object($"{{spec: {{ingress: [{{ports: [{{protocol: {(int)protocol}, icmpType: {name}}}]}}]}}}}");
                Assert.That(s_schemas[kind].Validate(obj).Count == 0, Is.EqualTo(IcmpTypes.Of(protocol).ContainsKey(name)), $"{protocol} {name}");
            }
    }

    /// <summary>By a reckoning that is above the API server's own.</summary>
    [TestCaseSource(nameof(s_kinds))]
    public void The_rules_cost_no_more_than_an_API_server_allows(string kind)
    {
        TestContext.Out.WriteLine($"{kind}: {s_schemas[kind].Costs.Sum(c => c.Cost):0} in all, {s_schemas[kind].Costs.Max(c => c.Cost):0} at most");
        Assert.That(s_schemas[kind].Costs, Has.Count.GreaterThan(20));
        Assert.That(s_schemas[kind].TooExpensive, Is.Null);
    }

    [TestCase("type(self.a) == int ? self.a == 1 : self.a == '25%'", 7)]
    [TestCase("has(self.b) && size(self.b) > 0", 6)]
    [TestCase("self.b.all(x, x == 'abc')", 53)]
    [TestCase("self.c == 'x' || self.c in ['One', 'Three']", 17)]
    public void The_cost_of_a_rule_is_reckoned(string rule, double cost)
    {
        var schema = new ResourceSchema((JsonObject)JsonNode.Parse($$"""
            {"type":"object","x-kubernetes-validations":[{"rule":"{{rule}}","message":"m"}],"properties":{"a":{"x-kubernetes-int-or-string":true},
             "b":{"type":"array","maxItems":10,"items":{"type":"string"} },"c":{"type":"string","enum":["One","Three"]} } }
            """)!);
        Assert.That(schema.Costs.Single().Cost, Is.EqualTo(cost));
    }

    // Written by agents alone, so the translator has nothing to say of it.
    private static readonly (string Status, string Refusal)[] s_statuses =
    [
        ("""{"observedGeneration":1,"nodes":"3/5","conditions":[{"type":"Accepted","status":"True","observedGeneration":1,"lastTransitionTime":"2026-01-01T00:00:00Z","reason":"Accepted","message":""}]}""", ""),
        ("""[]""", "status type"),
        ("""{"observedGeneration":"1"}""", "status.observedGeneration type"),
        ("""{"nodes":3}""", "status.nodes type"),
        ("""{"nodes":"000000000000000000000000000000000"}""", "status.nodes maxLength"),
        ("""{"conditions":{}}""", "status.conditions type"),
        ("""{"conditions":[1]}""", "status.conditions[] type"),
        .. new[] { "type", "status", "lastTransitionTime", "reason", "message" }.SelectMany(f => new[]
        {
            (Condition(f, null), $"status.conditions[] required {f}"),
            (Condition(f, "1"), $"status.conditions[].{f} type"),
        }),
        (Condition("observedGeneration", "\"1\""), "status.conditions[].observedGeneration type"),
        (Condition("observedGeneration", "-1"), "status.conditions[].observedGeneration minimum"),
        (Condition("type", Text(317)), "status.conditions[].type maxLength"),
        (Condition("status", "\"Perhaps\""), "status.conditions[].status enum"),
        (Condition("lastTransitionTime", "\"today\""), "status.conditions[].lastTransitionTime format"),
        (Condition("reason", "\"\""), "status.conditions[].reason minLength"),
        (Condition("reason", Text(1025)), "status.conditions[].reason maxLength"),
        (Condition("message", Text(32769)), "status.conditions[].message maxLength"),
        ($$"""{"conditions":[{{string.Join(',', Enumerable.Repeat(One(), 9))}}]}""", "status.conditions maxItems"),
    ];

    private static string Text(int length) => $"\"{new string('x', length)}\"";

    private static string One(string field = "", string? value = null)
    {
        var one = (JsonObject)JsonNode.Parse("""{"type":"Accepted","status":"True","observedGeneration":1,"lastTransitionTime":"2026-01-01T00:00:00Z","reason":"Accepted","message":"m"}""")!;
        one.Remove(field);
        if (value is not null)
            one[field] = JsonNode.Parse(value);
        return one.ToJsonString();
    }

    private static string Condition(string field, string? value) => $$"""{"conditions":[{{One(field, value)}}]}""";

    [TestCaseSource(nameof(s_kinds))]
    public void A_status_that_is_none_is_refused(string kind)
    {
        foreach (var (status, refusal) in s_statuses)
        {
            var obj = (JsonObject)JsonNode.Parse($$"""{"spec":{},"status":{{status}} }""")!;
            Assert.That(string.Join("; ", s_schemas[kind].Validate(obj).Select(v => $"{v.Place} {v.Keyword}")), Is.EqualTo(refusal), status);
        }
    }

    [TestCaseSource(nameof(s_kinds))]
    public void Defaults_stand_where_nothing_was_said_and_unknown_fields_go(string kind)
    {
        var obj = Yaml.Object("{metadata: {name: p, labels: {a: b}}, spec: {more: 1, ingress: [{ports: [{port: 80}, {protocol: null}], http: [{paths: [{value: /}], headers: [{name: a, value: b, mode: c}]}]}]}}");
        s_schemas[kind].Prune(obj);
        s_schemas[kind].Default(obj);
        var expected = Yaml.Object("{metadata: {name: p, labels: {a: b}}, spec: {action: Enforce, ingress: [{action: Allow, ports: [{port: 80, protocol: TCP}, {protocol: TCP}], "
            + "http: [{paths: [{type: Prefix, value: /}], headers: [{name: a, value: b, type: Exact}]}]}]}}");
        Assert.That(JsonNode.DeepEquals(obj, expected), obj.ToJsonString());
    }
}
