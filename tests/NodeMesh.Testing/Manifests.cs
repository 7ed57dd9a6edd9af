using System.Globalization;

namespace NodeMesh.Testing;

/// <summary>YAML of the objects that many tests need, in their shortest honest form.</summary>
public static class Manifests
{
    /// <param name="selector">Empty: without, for endpoints of its own.</param>
    /// <param name="ports">"name:port:targetPort[:protocol[:appProtocol[:nodePort]]]", several by blanks.</param>
    /// <param name="more">Fields of the spec besides, such as <c>type: NodePort</c>; several by line ends.</param>
    /// <param name="status">The status in flow style.</param>
    public static string Service(
        string name, string selector, string vip, string ports, string ns = "default", string vip6 = "", string more = "", string status = "{}")
    {
        var list = string.Concat(ports.Split(' ').Select(p => p.Split(':')).Select(p => string.Create(CultureInfo.InvariantCulture,
            $"  - {{ name: {p[0]}, port: {p[1]}, targetPort: {p[2]}, protocol: {(p.Length > 3 && p[3] != "" ? p[3] : "TCP")}{Optional(p, 4, "appProtocol")}{Optional(p, 5, "nodePort")} }}\n")));
        return $$"""
            apiVersion: v1
            kind: Service
            metadata: { name: {{name}}, namespace: {{ns}} }
            status: {{status}}
            spec:
              {{(selector == "" ? "" : $"selector: {{ {selector} }}")}}
              clusterIP: "{{vip}}"
              clusterIPs: [ "{{vip}}"{{(vip6 == "" ? "" : $", \"{vip6}\"")}} ]
            {{Indent(more, "  ")}}
              ports:
            {{list}}
            """;

        static string Optional(string[] parts, int at, string field) => parts.Length > at && parts[at] != "" ? $", {field}: {parts[at]}" : "";
    }

    /// <summary>An EndpointSlice of a service without selector.</summary>
    /// <param name="ports">"name:port[:protocol]", several by blanks.</param>
    /// <param name="endpoints">Each in flow style, without its braces.</param>
    public static string Endpoints(string service, string ports, IEnumerable<string> endpoints, string addressType = "IPv4", string ns = "default") => $$"""
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: { name: {{service}}-{{addressType.ToLowerInvariant()}}, namespace: {{ns}}, labels: { kubernetes.io/service-name: {{service}} } }
        addressType: {{addressType}}
        ports: [ {{string.Join(", ", ports.Split(' ').Select(p => p.Split(':')).Select(p => $"{{ name: {p[0]}, port: {p[1]}, protocol: {(p.Length > 2 ? p[2] : "TCP")} }}"))}} ]
        endpoints: [ {{string.Join(", ", endpoints.Select(e => $"{{ {e} }}"))}} ]
        """;

    /// <summary>Refuses everything in one direction for every pod of a namespace.</summary>
    public static string DefaultDeny(string direction, string ns = "default") => $$"""
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: { name: deny-{{direction.ToLowerInvariant()}}, namespace: {{ns}} }
        spec:
          podSelector: {}
          policyTypes: [ {{direction}} ]
        """;

    /// <summary>Lets pods labelled <paramref name="from"/> reach pods labelled <paramref name="to"/> on one TCP port.</summary>
    public static string AllowIngress(string name, string to, string from, int port, string ns = "default") => string.Create(CultureInfo.InvariantCulture, $$"""
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: { name: {{name}}, namespace: {{ns}} }
        spec:
          podSelector: { matchLabels: { {{to}} } }
          ingress:
          - from: [ { podSelector: { matchLabels: { {{from}} } } } ]
            ports: [ { port: {{port}} } ]
        """);

    /// <summary>Ingress MeshPolicy with one HTTP rule.</summary>
    public static string AllowMethods(string name, string to, string methods, int port, string ns = "default") => string.Create(CultureInfo.InvariantCulture, $$"""
        apiVersion: nodemesh.io/v1alpha1
        kind: MeshPolicy
        metadata: { name: {{name}}, namespace: {{ns}} }
        spec:
          podSelector: { matchLabels: { {{to}} } }
          ingress:
          - ports: [ { protocol: TCP, port: {{port}} } ]
            http: [ { methods: [ {{methods}} ] } ]
        """);

    /// <summary>An HTTPRoute with the given rules (YAML list, at any indentation).</summary>
    public static string Route(string name, string service, string rules, string ns = "default") => $$"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: { name: {{name}}, namespace: {{ns}} }
        spec:
          parentRefs: [ { group: "", kind: Service, name: {{service}} } ]
          rules:
        {{Indent(rules, "  ")}}
        """;

    /// <summary>An HTTPRoute that sends every request to one backend.</summary>
    public static string Route(string name, string service, string backend, int port, string ns = "default") =>
        Route(name, service, RouteTo(backend, port), ns);

    /// <summary>A Gateway with its class, and an HTTPRoute that sends all its requests to one backend.</summary>
    /// <param name="listeners">YAML list of listeners, at any indentation.</param>
    public static string Gateway(string name, string listeners, string backend, int port, string ns = "default") => $$"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: GatewayClass
        metadata: { name: nodemesh }
        spec: { controllerName: nodemesh.io/gateway-controller }
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: { name: {{name}}, namespace: {{ns}} }
        spec:
          gatewayClassName: nodemesh
          listeners:
        {{Indent(listeners, "  ")}}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: { name: {{name}}, namespace: {{ns}} }
        spec:
          parentRefs: [ { name: {{name}} } ]
          rules:
        {{Indent(RouteTo(backend, port), "  ")}}
        """;

    private static string RouteTo(string backend, int port) =>
        string.Create(CultureInfo.InvariantCulture, $"- backendRefs: [ {{ name: {backend}, port: {port} }} ]");

    private static string Indent(string text, string by) => string.Join('\n', text.TrimEnd().Split('\n').Select(l => by + l));
}
