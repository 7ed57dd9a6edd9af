using System.Globalization;
using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Services with routes for <see cref="MeshRouteTests"/>: a service of its own for each feature, so that all can be there from the start.</summary>
internal static class MeshRoutes
{
    private const string V1 = "backendRefs: [ { name: echo-v1, port: 8080 } ]";
    private const string V2 = "backendRefs: [ { name: echo-v2, port: 8080 } ]";

    /// <summary>By service, the rules of its one route.</summary>
    private static readonly (string Service, string Rules)[] s_rules =
    [
        ("matching", $$"""
            - matches: [ { path: { type: PathPrefix, value: / } }, { headers: [ { name: version, value: one } ] } ]
              {{V1}}
            - matches: [ { path: { type: PathPrefix, value: /v2 } }, { headers: [ { name: version, value: two } ] } ]
              {{V2}}
            """),
        ("query", $$"""
            - matches: [ { queryParams: [ { name: animal, value: whale } ] } ]
              {{V1}}
            - matches: [ { queryParams: [ { name: animal, value: dolphin } ] } ]
              {{V2}}
            - matches: [ { path: { value: /one }, queryParams: [ { name: animal, value: whale } ] } ]
              {{V1}}
            - matches: [ { headers: [ { name: version, value: one } ], queryParams: [ { name: animal, value: whale } ] } ]
              {{V2}}
            - matches:
              - { path: { value: /three }, queryParams: [ { name: animal, value: shark } ] }
              - { path: { value: /four }, headers: [ { name: version, value: three } ], queryParams: [ { name: animal, value: kraken } ] }
              {{V1}}
            - matches: [ { path: { value: /five } } ]
              {{V1}}
            - matches: [ { queryParams: [ { name: animal, value: hydra } ] } ]
              {{V2}}
            """),
        ("various", $$"""
            - matches: [ { path: { type: Exact, value: /exact } } ]
              {{V2}}
            - matches: [ { path: { type: RegularExpression, value: "/v[0-9]+/.*" } } ]
              {{V2}}
            - matches: [ { method: POST } ]
              {{V2}}
            - matches: [ { headers: [ { name: Host, value: by.name } ] } ]
              {{V2}}
            - matches: [ { headers: [ { name: cookie, type: RegularExpression, value: ".*canary=yes.*" } ] } ]
              {{V2}}
            - {{V1}}
            """),
        ("named", $$"""
            - name: the-first
              matches: [ { path: { value: /named } } ]
              {{V1}}
            - matches: [ { path: { value: /unnamed } } ]
              {{V2}}
            """),
        ("redirect", """
            - matches: [ { path: { value: /plain } } ]
              filters: [ { type: RequestRedirect, requestRedirect: {} } ]
            - matches: [ { path: { value: /301 } } ]
              filters: [ { type: RequestRedirect, requestRedirect: { hostname: example.org, statusCode: 301 } } ]
            - matches: [ { path: { value: /302 } } ]
              filters: [ { type: RequestRedirect, requestRedirect: { hostname: example.org, statusCode: 302 } } ]
            - matches: [ { path: { value: /303 } } ]
              filters: [ { type: RequestRedirect, requestRedirect: { statusCode: 303 } } ]
            - matches: [ { path: { value: /307 } } ]
              filters: [ { type: RequestRedirect, requestRedirect: { statusCode: 307 } } ]
            - matches: [ { path: { value: /308 } } ]
              filters: [ { type: RequestRedirect, requestRedirect: { statusCode: 308 } } ]
            - matches: [ { path: { value: /port } } ]
              filters: [ { type: RequestRedirect, requestRedirect: { port: 8083 } } ]
            - matches: [ { path: { value: /port-and-host } } ]
              filters: [ { type: RequestRedirect, requestRedirect: { port: 8083, hostname: example.org } } ]
            - matches: [ { path: { value: /scheme } } ]
              filters: [ { type: RequestRedirect, requestRedirect: { scheme: https } } ]
            - matches: [ { path: { value: /scheme-and-host } } ]
              filters: [ { type: RequestRedirect, requestRedirect: { scheme: https, hostname: example.org } } ]
            - matches: [ { path: { value: /old } } ]
              filters: [ { type: RequestRedirect, requestRedirect: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /new } } } ]
            - matches: [ { path: { value: /full } } ]
              filters: [ { type: RequestRedirect, requestRedirect: { path: { type: ReplaceFullPath, replaceFullPath: /whole } } } ]
            """),
        ("rewrite", $$"""
            - matches: [ { path: { value: /prefix/one } } ]
              filters: [ { type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /one } } } ]
              {{V1}}
            - matches: [ { path: { value: /strip } } ]
              filters: [ { type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: / } } } ]
              {{V1}}
            - matches: [ { path: { value: /full } } ]
              filters:
              - { type: URLRewrite, urlRewrite: { path: { type: ReplaceFullPath, replaceFullPath: /test } } }
              - { type: RequestHeaderModifier, requestHeaderModifier: { set: [ { name: X-Set, value: set } ], add: [ { name: X-Add, value: more } ], remove: [ X-Remove ] } }
              {{V1}}
            - matches: [ { path: { value: /host } } ]
              filters: [ { type: URLRewrite, urlRewrite: { hostname: other.example } } ]
              {{V1}}
            """),
        ("headers", $$"""
            - matches: [ { path: { value: /rule } } ]
              filters:
              - { type: RequestHeaderModifier, requestHeaderModifier: { set: [ { name: X-Set, value: new } ], add: [ { name: X-Add, value: more } ], remove: [ X-Remove ] } }
              - { type: ResponseHeaderModifier, responseHeaderModifier: { set: [ { name: X-Backend, value: hidden } ], add: [ { name: X-More, value: answer } ], remove: [ Server ] } }
              {{V1}}
            - matches: [ { path: { value: /backend } } ]
              backendRefs:
              - name: echo-v1
                port: 8080
                filters:
                - { type: RequestHeaderModifier, requestHeaderModifier: { set: [ { name: X-Set, value: new } ], add: [ { name: X-Add, value: more } ], remove: [ X-Remove ] } }
                - { type: ResponseHeaderModifier, responseHeaderModifier: { set: [ { name: X-Backend, value: hidden } ] } }
            - matches: [ { path: { value: /both } } ]
              filters: [ { type: RequestHeaderModifier, requestHeaderModifier: { set: [ { name: X-Set, value: rule } ], add: [ { name: X-Add, value: rule } ] } } ]
              backendRefs:
              - name: echo-v1
                port: 8080
                filters: [ { type: RequestHeaderModifier, requestHeaderModifier: { set: [ { name: X-Set, value: backend } ], add: [ { name: X-Add, value: backend } ] } } ]
            """),
        ("weights", "- backendRefs: [ { name: echo-v1, port: 8080, weight: 70 }, { name: echo-v2, port: 8080, weight: 30 } ]"),
        ("invalid", $$"""
            - matches: [ { path: { value: /gone } } ]
              backendRefs: [ { name: gone, port: 80 } ]
            - matches: [ { path: { value: /no-port } } ]
              backendRefs: [ { name: echo-v1, port: 81 } ]
            - matches: [ { path: { value: /kind } } ]
              backendRefs: [ { group: example.com, kind: Bucket, name: echo-v1, port: 80 } ]
            - matches: [ { path: { value: /protocol } } ]
              backendRefs: [ { name: echo-v1, port: 7070 } ]
            - matches: [ { path: { value: /nothing } } ]
            - matches: [ { path: { value: /weightless } } ]
              backendRefs: [ { name: echo-v1, port: 8080, weight: 0 }, { name: echo-v2, port: 8080, weight: 0 } ]
            - matches: [ { path: { value: /one-of-two } } ]
              backendRefs: [ { name: gone, port: 80, weight: 0 }, { name: echo-v2, port: 8080 } ]
            - matches: [ { path: { value: /empty } } ]
              backendRefs: [ { name: nobody, port: 80 } ]
            - matches: [ { path: { value: /headless } } ]
              backendRefs: [ { name: headless, port: 8080 } ]
            - matches: [ { path: { value: /elsewhere } } ]
              backendRefs: [ { name: elsewhere, namespace: consumer, port: 8080 } ]
            """),
        ("timeouts", $$"""
            - matches: [ { path: { value: {{EchoServer.Silent}}/request } } ]
              timeouts: { request: 500ms }
              {{V1}}
            - matches: [ { path: { value: {{EchoServer.Silent}}/backend } } ]
              timeouts: { request: 60s, backendRequest: 500ms }
              {{V1}}
            - timeouts: { request: 60s, backendRequest: 60s }
              {{V1}}
            """),
        ("unusable", $$"""
            - filters: [ { type: RequestMirror, requestMirror: { backendRef: { name: echo-v2, port: 8080 } } } ]
              {{V2}}
            """),
    ];

    /// <summary>Everything that is there from the start, but for pods and namespaces.</summary>
    public static string All => string.Join("\n---\n", Services().Concat(Routes()));

    /// <summary>Where a service is, by its place.</summary>
    public static (string V4, string V6) Address(string service)
    {
        var i = Array.IndexOf(s_names, service) + 1;
        return (string.Create(CultureInfo.InvariantCulture, $"10.96.1.{i}"), string.Create(CultureInfo.InvariantCulture, $"fd00:96::1:{i:x}"));
    }

    private static readonly string[] s_names =
        [.. s_rules.Select(r => r.Service), "echo", "echo-v1", "echo-v2", "nobody", "elsewhere", "port", "section", "ports", "frontend", "precedence", "consumed", "changing"];

    private static string Of(string name, string selector, string ns = "mesh") => Manifests.Service(
        name, selector, Address(name).V4, "http:80:80::http http-alt:8080:8080::http https:443:443 tcp:9090:8080 grpc:7070:7070::grpc", ns, Address(name).V6);

    private static IEnumerable<string> Services()
    {
        foreach (var name in s_names)
            yield return name switch
            {
                "echo-v1" => Of(name, "app: echo, version: v1"),
                "echo-v2" => Of(name, "app: echo, version: v2"),
                "nobody" => Of(name, "app: nobody"),
                "elsewhere" => Of(name, "app: guest", "consumer"),
                "frontend" => Of(name, ""),
                _ => Of(name, "app: echo"),
            };
        yield return """
            apiVersion: v1
            kind: Service
            metadata: { name: headless, namespace: mesh }
            spec: { clusterIP: None, selector: { app: echo, version: v2 }, ports: [ { name: http, port: 8080, targetPort: 8080 } ] }
            """;
    }

    private static IEnumerable<string> Routes()
    {
        foreach (var (service, rules) in s_rules)
            yield return Manifests.Route(service, service, rules, "mesh");
        yield return Marked("port", "port: 8080");
        yield return Marked("section", "sectionName: http-alt");
        yield return Marked("ports", "");
        yield return Marked("frontend", "");
        yield return Marked("consumed", "");

        // The older first, then the name; whatever the order here.
        yield return Marked("precedence", "", "z-old", created: "2026-01-01T00:00:00Z");
        yield return Marked("precedence", "", "b", created: "2026-02-01T00:00:00Z", path: "/same");
        yield return Marked("precedence", "", "a", created: "2026-02-01T00:00:00Z", path: "/same");
        yield return """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: { name: ours, namespace: consumer }
            spec:
              parentRefs: [ { group: "", kind: Service, name: consumed, namespace: mesh } ]
              rules:
              - filters: [ { type: ResponseHeaderModifier, responseHeaderModifier: { set: [ { name: X-Route, value: consumer } ] } } ]
                backendRefs: [ { name: consumed, namespace: mesh, port: 80 } ]
            """;
    }

    /// <summary>A route whose answers say its name.</summary>
    public static string Marked(string service, string which, string? name = null, string created = "", string path = "/", string backend = "echo-v1") => $$"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: { name: {{name ?? service}}, namespace: mesh{{(created == "" ? "" : $", creationTimestamp: \"{created}\"")}} }
        spec:
          parentRefs: [ { group: "", kind: Service, name: {{service}}{{(which == "" ? "" : $", {which}")}} } ]
          rules:
          - matches: [ { path: { value: {{path}} } } ]
            filters: [ { type: ResponseHeaderModifier, responseHeaderModifier: { set: [ { name: X-Route, value: {{name ?? service}} } ] } } ]
            backendRefs: [ { name: {{backend}}, port: 80 } ]
        """;
}
