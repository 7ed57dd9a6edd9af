using NodeMesh.Sources;

namespace NodeMesh.Unit.Tests.Sources;

/// <summary>Objects of every kind, damaged at random (with fixed seeds): whatever comes out is a snapshot and diagnostics, never an exception.</summary>
internal sealed class DamageTests
{
    private static readonly string Good = string.Join("\n---\n", Manifests.Namespaces, Manifests.Pod("a", "10.0.0.1"), Manifests.Service("web", "10.96.0.1"),
        Manifests.NetworkPolicy("{podSelector: {matchExpressions: [{key: a, operator: In, values: [b]}]}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}], ports: [{port: 1, endPort: 2}]}]}"),
        Manifests.MeshPolicy("{ingress: [{action: Deny, from: [{entity: host}], http: [{methods: [GET], paths: [{type: Regex, value: a+}], headers: [{name: a, type: Present}]}]}]}"),
        Manifests.ClusterMeshPolicy("{namespaceSelector: {}, egress: [{to: [{podSelector: {}}]}]}"),
        Manifests.Route("{parentRefs: [{group: '', kind: Service, name: web}], rules: [{matches: [{path: {value: /a}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}], backendRefs: [{name: web, port: 80}], timeouts: {request: 1s}}]}"),
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: GatewayClass
        metadata: {name: nm}
        spec: {controllerName: nodemesh.io/gateway-controller}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: g, namespace: shop}
        spec: {gatewayClassName: nm, addresses: [{value: 10.0.0.1}], listeners: [{name: a, protocol: HTTPS, port: 443, tls: {certificateRefs: [{name: c}]}, allowedRoutes: {namespaces: {from: Selector, selector: {}}}}]}
        ---
        apiVersion: v1
        kind: Secret
        metadata: {name: c, namespace: shop}
        type: kubernetes.io/tls
        data: {tls.crt: AAAA, tls.key: AAAA}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: s, namespace: shop, labels: {kubernetes.io/service-name: web}}
        addressType: IPv4
        ports: [{name: http, port: 80}]
        endpoints: [{addresses: [10.0.0.1], conditions: {ready: true}}]
        ---
        apiVersion: gateway.networking.k8s.io/v1beta1
        kind: ReferenceGrant
        metadata: {name: g, namespace: other}
        spec: {from: [{group: a, kind: b, namespace: c}], to: [{group: '', kind: Service}]}
        """);

    private static readonly string[] Pieces =
    [
        "{}", "[]", "~", "yes", "-1", "65536", "99999999999999999999", "''", "'*'", "*.", "/", "0x10", ".nan", "a: b", "{a: b}", "[a]", ":", ",", "}", "]", "\n", "0.0.0.0/0", "::/0", "::ffff:0:0/96", "fe80::1%eth0", "\u00e9",
    ];

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public void Damage_never_throws(int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < 1500; i++)
        {
            var text = Good;
            for (var n = random.Next(1, 6); n > 0; n--)
            {
                var at = random.Next(text.Length);
                var cut = Math.Min(random.Next(0, 12), text.Length - at);

                // Half of the damage replaces one whole word, which keeps the text YAML and brings it to the translators.
                if (random.Next(2) == 0)
                {
                    while (at > 0 && char.IsAsciiLetterOrDigit(text[at - 1]))
                        at--;
                    cut = 0;
                    while (at + cut < text.Length && char.IsAsciiLetterOrDigit(text[at + cut]))
                        cut++;
                }
                text = text.Remove(at, cut).Insert(at, Pieces[random.Next(Pieces.Length)]);
            }
            Assert.That(() => ManifestReader.Read([("x.yaml", text)]), Throws.Nothing, text);
        }
    }
}
