using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using NodeMesh.Model;

namespace NodeMesh.Unit.Tests.Sources;

internal sealed class GatewayTranslationTests
{
    private const string Class = """
        apiVersion: gateway.networking.k8s.io/v1
        kind: GatewayClass
        metadata: {name: nm}
        spec: {controllerName: nodemesh.io/gateway-controller}
        """;

    private static string Gateway(string listeners, string className = "nm") => $$"""
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: g, namespace: shop}
        spec: {gatewayClassName: {{className}}, listeners: {{listeners}} }
        """;

    private static string Secret(string chain, string key, string type = "kubernetes.io/tls") => $$"""
        apiVersion: v1
        kind: Secret
        metadata: {name: cert, namespace: shop}
        type: {{type}}
        data: {tls.crt: {{Convert.ToBase64String(Encoding.ASCII.GetBytes(chain))}}, tls.key: {{Convert.ToBase64String(Encoding.ASCII.GetBytes(key))}} }
        """;

    private static (string Chain, string Key) Issue(int fromDays, int toDays)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=example.com", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(fromDays), DateTimeOffset.UtcNow.AddDays(toDays));
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    [Test]
    public void Listeners_and_certificates_are_read()
    {
        var (chain, key) = Issue(-1, 10);
        var mesh = Manifests.Clean(Class, Secret(chain, key), Gateway("""
            [{name: web, protocol: HTTP, port: 80},
             {name: tls, protocol: HTTPS, port: 443, hostname: '*.example.com', tls: {certificateRefs: [{name: cert}]},
              allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: b}}}}},
             {name: all, protocol: HTTP, port: 81, allowedRoutes: {namespaces: {from: All}, kinds: [{kind: HTTPRoute}]}}]
            """));
        var l = mesh.Gateways.Single().Listeners;
        Assert.That(l.Select(x => (x.Name, x.Protocol, x.Port, x.Hostname, x.RouteNamespaces.Name)), Is.EqualTo(new[]
        {
            ("web", ListenerProtocol.Http, (ushort)80, (string?)null, "shop"), ("tls", ListenerProtocol.Https, (ushort)443, "*.example.com", null),
            ("all", ListenerProtocol.Http, (ushort)81, (string?)null, null),
        }));
        Assert.That(l[1].Certificates, Is.EqualTo(new[] { new ObjectName("shop", "cert") }));
        Assert.That(Encoding.ASCII.GetString(mesh.Certificates.Single().KeyPem.Reveal()), Is.EqualTo(key));
    }

    [Test]
    public void Gateways_of_other_classes_are_no_concern()
    {
        var foreign = Class.Replace("nodemesh.io/gateway-controller", "example.com/other");
        var (mesh, codes, _) = Manifests.Read(foreign, Gateway("[{name: a, protocol: HTTP, port: 80}]"));
        Assert.That((mesh.Gateways.Length, codes.Count), Is.EqualTo((0, 0)));
        Assert.That(Manifests.Read(Gateway("[{name: a, protocol: HTTP, port: 80}]")).Codes, Is.EqualTo(new[] { "unknown-class" }));
    }

    [TestCase("[{name: a, protocol: TCP, port: 80}]", "unsupported", 0)]
    [TestCase("[{name: a, protocol: HTTPS, port: 80, tls: {mode: Passthrough}}, {name: b, protocol: HTTP, port: 81}]", "unsupported", 1)]
    [TestCase("[{name: a, protocol: HTTPS, port: 80, tls: {certificateRefs: [{name: gone}]}}, {name: b, protocol: HTTP, port: 81}]", "invalid-certificate-ref", 1)]
    [TestCase("[{name: a, protocol: HTTPS, port: 80, tls: {certificateRefs: [{name: x, namespace: other}]}}]", "invalid-certificate-ref", 0)]
    [TestCase("[{name: a, protocol: HTTP, port: 80, allowedRoutes: {kinds: [{kind: GRPCRoute}]}}]", "no-routes", 0)]
    public void A_listener_that_cannot_be_is_left_out_alone(string listeners, string code, int left)
    {
        var (mesh, codes, _) = Manifests.Read(Class, Gateway(listeners));
        Assert.That((mesh.Gateways.Single().Listeners.Length, codes.Single()), Is.EqualTo((left, code)));
    }

    [TestCase("[{name: a, protocol: HTTP, port: 80}, {name: a, protocol: HTTP, port: 81}]", "duplicate")]
    [TestCase("[{name: a, protocol: HTTP, port: 80}, {name: b, protocol: HTTP, port: 80}]", "port-clash")]
    [TestCase("[{name: a, protocol: HTTPS, port: 80}]", "missing-field")]
    [TestCase("[{name: a, protocol: HTTP, port: 80, tls: {}}]", "bad-value")]
    [TestCase("[{name: a, protocol: HTTP, port: 80, hostname: 10.0.0.1}]", "bad-value")]
    [TestCase("[{name: a, protocol: HTTPS, port: 80, tls: {certificateRefs: [{name: c}], frontendValidation: {}}}]", "unsupported")]
    [TestCase("[{name: a, protocol: HTTP, port: 80, allowedRoutes: {namespaces: {from: Selector}}}]", "missing-field")]
    public void A_faulty_gateway_is_left_out(string listeners, string code)
    {
        var (mesh, codes, _) = Manifests.Read(Class, Gateway(listeners));
        Assert.That((mesh.Gateways.Length, codes.Single()), Is.EqualTo((0, code)));
    }

    [TestCase("expired", "certificate-expired")]
    [TestCase("early", "certificate-not-yet-valid")]
    [TestCase("mismatch", "key-mismatch")]
    [TestCase("rsa-key", "bad-key")]
    [TestCase("public-key", "key-mismatch")]
    [TestCase("no-key", "bad-key")]
    [TestCase("no-chain", "bad-certificate")]
    [TestCase("broken-chain", "bad-certificate")]
    public void A_certificate_that_cannot_serve_is_left_out_and_its_bytes_are_never_shown(string fault, string code)
    {
        var (chain, key) = Issue(fault == "early" ? 1 : -10, fault == "expired" ? -1 : 10);
        using var rsa = RSA.Create(2048);
        using var ec = ECDsa.Create();
        ec.ImportFromPem(key);
        var secret = fault switch
        {
            "mismatch" => Secret(chain, Issue(-1, 1).Key),
            "rsa-key" => Secret(chain, rsa.ExportPkcs8PrivateKeyPem()),
            "public-key" => Secret(chain, ec.ExportSubjectPublicKeyInfoPem()),
            "no-key" => Secret(chain, "nothing"),
            "no-chain" => Secret("nothing", key),
            "broken-chain" => Secret("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key),
            _ => Secret(chain, key),
        };
        var (mesh, codes, diagnostics) = Manifests.Read(secret);
        Assert.That((mesh.Certificates.Length, codes.Single()), Is.EqualTo((0, code)));
        var body = key.Split('\n')[1];
        Assert.That(string.Join('\n', diagnostics), Does.Not.Contain(body).And.Not.Contain(Convert.ToBase64String(Encoding.ASCII.GetBytes(key))));
    }

    [Test]
    public void String_data_serves_too_and_secrets_of_other_types_are_no_concern()
    {
        var (chain, key) = Issue(-1, 10);
        string Indent(string s) => "    " + s.Replace("\n", "\n    ");
        var plain = $"apiVersion: v1\nkind: Secret\nmetadata: {{name: cert, namespace: shop}}\ntype: kubernetes.io/tls\nstringData:\n  tls.crt: |\n{Indent(chain)}\n  tls.key: |\n{Indent(key)}\n";
        Assert.That(Manifests.Clean(plain).Certificates, Has.Length.EqualTo(1));
        Assert.That(Manifests.Clean(Secret("x", "y", "Opaque")).Certificates, Is.Empty);
    }
}
