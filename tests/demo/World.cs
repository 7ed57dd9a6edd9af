using NodeMesh.Testing;

namespace NodeMesh.Demo;

/// <summary>The four pods of the demo and the YAML that describes the mesh.</summary>
internal sealed class World : IDisposable
{
    public const string Vip = "10.96.0.10";
    public const string PlainVip = "10.96.0.11";
    public const string Host = "shop.example.com";

    private readonly Certificates _certificates;

    public World()
    {
        Box = new NodeBox();
        _certificates = new Certificates(Box.WorkDir);
        Certificate = _certificates.Make("shop", Host);
        Box.AddNamespace("shop");
        Client = Box.AddPod("client", "shop", "app: client");
        V1 = Box.AddPod("web-v1", "shop", "app: web, version: v1");
        V2 = Box.AddPod("web-v2", "shop", "app: web, version: v2");
        Db = Box.AddPod("db", "shop", "app: db");
        V1.StartNginx("v1");
        V2.StartNginx("v2");
        Db.StartNginx("db");
        Box.WriteConfig("web.yaml", Manifests.Service("web", "app: web", Vip, "http:80:80", "shop"));
        Box.WriteConfig("v1.yaml", Manifests.Service("web-v1", "version: v1", PlainVip, "http:80:80", "shop"));
        Box.WriteConfig("v2.yaml", Manifests.Service("web-v2", "version: v2", "10.96.0.12", "http:80:80", "shop"));
        Box.WriteConfig("route.yaml", RouteSplit(90, 10));
    }

    public NodeBox Box { get; }

    public PodBox Client { get; }

    public PodBox V1 { get; }

    public PodBox V2 { get; }

    public PodBox Db { get; }

    public static string RouteSplit(int v1, int v2) => Manifests.Route("web", "web", $$"""
        - matches: [ { headers: [ { name: x-version, value: v2 } ] } ]
          backendRefs: [ { name: web-v2, port: 80 } ]
        - matches: [ { path: { type: PathPrefix, value: /api } } ]
          filters: [ { type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /internal } } } ]
          backendRefs: [ { name: web-v1, port: 80 } ]
        - backendRefs: [ { name: web-v1, port: 80, weight: {{v1}} }, { name: web-v2, port: 80, weight: {{v2}} } ]
        """, "shop");

    public const string DbPolicy = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: { name: db-only-from-v1, namespace: shop }
        spec:
          podSelector: { matchLabels: { app: db } }
          ingress:
          - from: [ { podSelector: { matchLabels: { version: v1 } } } ]
        """;

    public static string MethodPolicy => Manifests.AllowMethods("web-read-only", "app: web", "GET, HEAD", 80, "shop");

    /// <summary>A self-signed certificate in a Secret, a Gateway that uses it, and a route to v1.</summary>
    public string Gateway() => $"""
        {_certificates.Secret("shop-tls", "shop", ns: "shop")}
        ---
        {Manifests.Gateway("edge", $"- {{ name: https, protocol: HTTPS, port: 8443, hostname: {Host}, tls: {{ certificateRefs: [ {{ name: shop-tls }} ] }} }}", "web-v1", 80, "shop")}
        """;

    /// <summary>The file that a client of the Gateway trusts.</summary>
    public string Certificate { get; }

    /// <summary>How many of <paramref name="count"/> requests the first version answered, and how many the second.</summary>
    public (int V1, int V2) Ask(int count)
    {
        var output = Client.Netns.Script($"for i in $(seq {count}); do echo http://{Vip}/item/$i; done | xargs curl -s -m 10").Output;
        return (output.Split("v1 GET").Length - 1, output.Split("v2 GET").Length - 1);
    }

    public void Dispose() => Box.Dispose();
}
