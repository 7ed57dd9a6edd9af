using System.Text.Json.Nodes;

namespace NodeMesh.Testing;

/// <param name="Text">Of the object, in flow style.</param>
/// <param name="Refusal">The one thing that the schema refuses, as "PLACE KEYWORD"; empty: nothing; <see cref="PolicyCases.ByTheAgent"/>.</param>
public sealed record PolicyCase(string Kind, string Text, string Refusal)
{
    public bool IsValid => Refusal.Length == 0;

    /// <summary>No schema can see it.</summary>
    public bool IsForTheAgent => Refusal == PolicyCases.ByTheAgent;

    public JsonObject Object => Yaml.Object(Text);

    public override string ToString() => $"{Kind}: {(Text.Length > 160 ? Text[..160] : Text)}: {(IsValid ? "valid" : Refusal)}";
}

/// <summary>
/// MeshPolicies and ClusterMeshPolicies that are right, and such that are wrong in one thing: whoever looks at a policy, the API server by the definitions in deploy/crds
/// or the agent by its translator, has to say the same of each.
/// </summary>
public static partial class PolicyCases
{
    public const string ByTheAgent = "by the agent";

    private static readonly string s_long = new('x', 64);

    // Made when it is asked for: the parts below stand in more than one file.
    private static readonly Lazy<PolicyCase[]> s_all = new(() => [.. Of("MeshPolicy"), .. Of("ClusterMeshPolicy")]);

    public static IReadOnlyList<PolicyCase> All => s_all.Value;

    /// <summary>What may stand in place of "$" at a place of the schema, and what is wrong with it below that place; no word: nothing.</summary>
    private sealed record Hole(string Place, string Spec);

    private static IEnumerable<PolicyCase> Of(string kind)
    {
        var isCluster = kind == "ClusterMeshPolicy";
        var metadata = isCluster ? "{name: p}" : "{name: p, namespace: shop}";
        yield return new PolicyCase(kind, $"{{apiVersion: nodemesh.io/v1alpha1, kind: {kind}, metadata: {metadata}}}", " required spec");
        yield return new PolicyCase(kind, $"{{apiVersion: nodemesh.io/v1alpha1, kind: {kind}, metadata: {metadata}, spec: all}}", "spec type");
        List<(Hole At, (string Text, string Wrong)[] Values)> table = [(new("spec", "$"), s_specs)];
        List<Hole> selectors = [new("spec.podSelector", "{podSelector: $, ingress: [{}]}")];
        if (isCluster)
            selectors.Add(new("spec.namespaceSelector", "{namespaceSelector: $, ingress: [{}]}"));
        foreach (var (direction, peers) in new[] { ("ingress", "from"), ("egress", "to") })
        {
            var rule = $"spec.{direction}[]";
            string In(string inner) => $"{{{direction}: [{inner}]}}";
            table.Add((new($"spec.{direction}", $"{{{direction}: $}}"), s_ruleLists));
            table.Add((new(rule, In("$")), [.. Rules(peers)]));
            table.Add((new($"{rule}.{peers}[]", In($"{{{peers}: [$]}}")), s_peers));
            table.Add((new($"{rule}.ports[]", In("{ports: [$]}")), s_ports));
            table.Add((new($"{rule}.http[]", In("{http: [$]}")), s_http));
            foreach (var selector in new[] { "podSelector", "namespaceSelector" })
                selectors.Add(new($"{rule}.{peers}[].{selector}", In($"{{{peers}: [{{{selector}: $}}]}}")));
        }

        table.AddRange(selectors.Select(s => (s, s_selectors)));
        table.Add((new("spec.egress[].toServices", "{egress: [{toServices: $}]}"), isCluster ? s_clusterServices : s_services));
        foreach (var (at, values) in table)
            foreach (var (text, wrong) in values)
                yield return new PolicyCase(kind, $"{{apiVersion: nodemesh.io/v1alpha1, kind: {kind}, metadata: {metadata}, spec: {at.Spec.Replace("$", text, StringComparison.Ordinal)}}}",
                    wrong is "" or ByTheAgent ? wrong : at.Place + wrong);
    }

    private static string Many(string entry, int times) => $"[{string.Join(", ", Enumerable.Repeat(entry, times))}]";

    private static readonly (string Text, string Wrong)[] s_specs =
    [
        ("{}", ""),
        ("{action: Audit, policyTypes: [Ingress, Egress], ingress: null}", ""),
        ("{action: 1}", ".action type"),
        ("{action: Log}", ".action enum"),
        ("{policyTypes: Ingress}", ".policyTypes type"),
        ("{policyTypes: [Ingress, Egress, Ingress]}", ".policyTypes maxItems"),
        ("{policyTypes: [1]}", ".policyTypes[] type"),
        ("{policyTypes: [Both]}", ".policyTypes[] enum"),
    ];

    private static readonly (string Text, string Wrong)[] s_ruleLists =
    [
        (Many("{}", 128), ""),
        ("{}", " type"),
        (Many("{}", 129), " maxItems"),
        ("[all]", "[] type"),
    ];

    private static IEnumerable<(string Text, string Wrong)> Rules(string peers) =>
    [
        ($"{{action: Deny, {peers}: [], ports: [], http: []}}", ""),
        ("{action: true}", ".action type"),
        ("{action: deny}", ".action enum"),
        ($"{{{peers}: all}}", $".{peers} type"),
        ($"{{{peers}: {Many("{entity: all}", 256)}}}", ""),
        ($"{{{peers}: {Many("{entity: all}", 257)}}}", $".{peers} maxItems"),
        ("{ports: 80}", ".ports type"),
        ($"{{ports: {Many("{port: 80}", 129)}}}", ".ports maxItems"),
        ("{http: GET}", ".http type"),
        ($"{{http: {Many("{methods: [GET]}", 33)}}}", ".http maxItems"),
        ("{ports: [{port: 80}, {protocol: 6}], http: [{methods: [GET]}]}", ""),
        ("{ports: [{port: 53, protocol: UDP}], http: [{methods: [GET]}]}", " rule a rule with http is about TCP ports"),
        ("{ports: [{port: 80}, {protocol: 17}], http: [{methods: [GET]}]}", " rule a rule with http is about TCP ports"),
    ];

    private static readonly (string Text, string Wrong)[] s_peers =
    [
        ("{podSelector: {}, namespaceSelector: {}}", ""),
        ("{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}", ""),
        ("{ipBlock: {cidr: 'fd00::/8'}}", ""),
        ("{entity: kube-apiserver}", ""),
        ("all", " type"),
        ("{}", " rule a peer is selectors, an ipBlock or an entity, one of them"),
        ("{podSelector: {}, entity: host}", " rule a peer is selectors, an ipBlock or an entity, one of them"),
        ("{ipBlock: {cidr: 10.0.0.0/8}, entity: host}", " rule a peer is selectors, an ipBlock or an entity, one of them"),
        ("{namespaceSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}", " rule a peer is selectors, an ipBlock or an entity, one of them"),
        ("{ipBlock: 10.0.0.0/8}", ".ipBlock type"),
        ("{ipBlock: {}}", ".ipBlock required cidr"),
        ("{ipBlock: {cidr: 10}}", ".ipBlock.cidr type"),
        ("{ipBlock: {cidr: 10.0.0.0}}", ".ipBlock.cidr format"),
        ("{ipBlock: {cidr: 10.0.0.0/33}}", ".ipBlock.cidr format"),
        ("{ipBlock: {cidr: 10.0.0.0/8, except: 10.1.0.0/16}}", ".ipBlock.except type"),
        ($"{{ipBlock: {{cidr: 10.0.0.0/8, except: {Many("10.1.0.0/16", 65)}}}}}", ".ipBlock.except maxItems"),
        ("{ipBlock: {cidr: 10.0.0.0/8, except: [1]}}", ".ipBlock.except[] type"),
        ("{ipBlock: {cidr: 10.0.0.0/8, except: [x]}}", ".ipBlock.except[] format"),
        ("{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}", ByTheAgent),
        ("{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}", ByTheAgent),
        ("{entity: 1}", ".entity type"),
        ("{entity: everyone}", ".entity enum"),
    ];

    private static readonly (string Text, string Wrong)[] s_selectors =
    [
        ("{matchLabels: {a: b, example.com/c: ''}, matchExpressions: [{key: a, operator: In, values: [x]}, {key: a, operator: NotIn, values: [z]}, {key: b, operator: Exists}, {key: c, operator: DoesNotExist, values: []}]}", ""),
        ("[]", " type"),
        ("{matchLabels: []}", ".matchLabels type"),
        ("{matchLabels: {a: 1}}", ".matchLabels.* type"),
        ($"{{matchLabels: {{a: {s_long}}}}}", ".matchLabels.* maxLength"),
        ("{matchLabels: {a: 'b c'}}", ".matchLabels.* pattern"),
        ("{matchLabels: {a: \"b\\n\"}}", ".matchLabels.* pattern"),
        ("{matchLabels: {'a b': c}}", ByTheAgent),
        ("{matchExpressions: {}}", ".matchExpressions type"),
        ($"{{matchExpressions: {Many("{key: a, operator: Exists}", 16)}}}", ""),
        ($"{{matchExpressions: {Many("{key: a, operator: Exists}", 17)}}}", ".matchExpressions maxItems"),
        ("{matchExpressions: [a]}", ".matchExpressions[] type"),
        ("{matchExpressions: [{operator: Exists}]}", ".matchExpressions[] required key"),
        ("{matchExpressions: [{key: a}]}", ".matchExpressions[] required operator"),
        ("{matchExpressions: [{key: 1, operator: Exists}]}", ".matchExpressions[].key type"),
        ("{matchExpressions: [{key: 'a b', operator: Exists}]}", ".matchExpressions[].key pattern"),
        ("{matchExpressions: [{key: Example.com/a, operator: Exists}]}", ".matchExpressions[].key pattern"),
        ($"{{matchExpressions: [{{key: {s_long}, operator: Exists}}]}}", ".matchExpressions[].key pattern"),
        ($"{{matchExpressions: [{{key: {string.Join('.', Enumerable.Repeat("abcdefghij", 24))}/a, operator: Exists}}]}}", ByTheAgent),
        ("{matchExpressions: [{key: a, operator: 1}]}", ".matchExpressions[].operator type"),
        ("{matchExpressions: [{key: a, operator: Is}]}", ".matchExpressions[].operator enum"),
        ("{matchExpressions: [{key: a, operator: In}]}", ".matchExpressions[] rule In and NotIn need values, Exists and DoesNotExist take none"),
        ("{matchExpressions: [{key: a, operator: NotIn, values: []}]}", ".matchExpressions[] rule In and NotIn need values, Exists and DoesNotExist take none"),
        ("{matchExpressions: [{key: a, operator: Exists, values: [x]}]}", ".matchExpressions[] rule In and NotIn need values, Exists and DoesNotExist take none"),
        ("{matchExpressions: [{key: a, operator: In, values: x}]}", ".matchExpressions[].values type"),
        ($"{{matchExpressions: [{{key: a, operator: In, values: {Many("x", 65)}}}]}}", ".matchExpressions[].values maxItems"),
        ("{matchExpressions: [{key: a, operator: In, values: [1]}]}", ".matchExpressions[].values[] type"),
        ($"{{matchExpressions: [{{key: a, operator: In, values: [{s_long}]}}]}}", ".matchExpressions[].values[] maxLength"),
        ("{matchExpressions: [{key: a, operator: In, values: ['-']}]}", ".matchExpressions[].values[] pattern"),
    ];

    private static readonly (string Text, string Wrong)[] s_services =
    [
        ("[{name: api}, {name: api, namespace: other}]", ""),
        .. ServiceFaults(),
    ];

    private static readonly (string Text, string Wrong)[] s_clusterServices =
    [
        ("[{name: api, namespace: shop}]", ""),
        ("[{name: api}]", "[] required namespace"),
        .. ServiceFaults(),
    ];

    private static (string Text, string Wrong)[] ServiceFaults() =>
    [
        ("api", " type"),
        (Many("{name: api, namespace: shop}", 65), " maxItems"),
        ("[api]", "[] type"),
        ("[{namespace: shop}]", "[] required name"),
        ("[{name: 1, namespace: shop}]", "[].name type"),
        ("[{name: api, namespace: 1}]", "[].namespace type"),
    ];
}
