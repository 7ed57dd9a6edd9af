namespace NodeMesh.Bpf.Tests.Datapath.Cuts;

/// <summary>Manifests of a small mesh, whole or with some objects otherwise.</summary>
internal static class CutMesh
{
    public const string Namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}";

    public static string Of(params string[] objects) => string.Join("\n---\n", objects);

    /// <summary>The pods of the node, one of another node, and nothing else.</summary>
    /// <param name="app">Label of each that shall not have its own name as its app.</param>
    public static string Pods(params (string Pod, string App)[] app)
    {
        string AppOf(string pod) => app.FirstOrDefault(a => a.Pod == pod).App ?? pod;
        return Of([.. CutNode.LocalPods.Select(p => Pod(p, CutNode.AddressOf(p), AppOf(p))), Pod("r", CutNode.Remote, AppOf("r"), "node-b")]);
    }

    public static string Pod(string name, string address, string app, string node = "node-a") =>
        $$"""
        apiVersion: v1
        kind: Pod
        metadata: {name: {{name}}, namespace: shop, labels: {app: {{app}}}, annotations: {nodemesh.io/host-interface: "p{{name}}"} }
        spec: {nodeName: {{node}}, containers: [{name: c}]}
        status: {podIPs: [{ip: "{{address}}"}], conditions: [{type: Ready, status: "True"}]}
        """;

    /// <summary>NetworkPolicy: ingress of one app only from others, or only egress to them.</summary>
    /// <param name="rule">"from: [...]", "to: [...]" with "ports: [...]" or not; empty: nothing is allowed.</param>
    public static string Isolate(string name, string app, string direction, string rule = "") =>
        $$"""
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: {{name}}, namespace: shop}
        spec: {podSelector: {{Select(app)}}, policyTypes: [{{direction}}], {{direction.ToLowerInvariant()}}: [{{(rule.Length > 0 ? $"{{{rule}}}" : "")}}] }
        """;

    /// <summary>MeshPolicy: refuses something to an app that may do all else.</summary>
    public static string Deny(string name, string app, string direction, string rule) =>
        $$"""
        apiVersion: nodemesh.io/v1alpha1
        kind: MeshPolicy
        metadata: {name: {{name}}, namespace: shop}
        spec: {podSelector: {{Select(app)}}, {{direction.ToLowerInvariant()}}: [{action: Deny, {{rule}}}]}
        """;

    public static string Peer(string app) => $"{{podSelector: {Select(app)}}}";

    public static string Block(string cidr) => $"{{ipBlock: {{cidr: {cidr}}}}}";

    /// <summary>A service with one backend.</summary>
    public static string Service(string backend, string address) =>
        $$"""
        apiVersion: v1
        kind: Service
        metadata: {name: s, namespace: shop}
        spec: {clusterIP: {{CutNode.Vip}}, ports: [{name: p, port: 80, targetPort: 80}] }
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: s-1, namespace: shop, labels: {kubernetes.io/service-name: s} }
        addressType: IPv4
        ports: [{name: p, port: 80, protocol: TCP}]
        endpoints: [{addresses: ["{{address}}"], conditions: {ready: true}, targetRef: {kind: Pod, name: {{backend}}, namespace: shop} }]
        """;

    private static string Select(string app) => app.Length == 0 ? "{}" : $"{{matchLabels: {{app: {app}}}}}";
}
