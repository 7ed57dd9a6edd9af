using NodeMesh.Testing;

namespace NodeMesh.Node.Tests;

/// <summary>Gateways: HTTP and HTTPS from outside the node, TLS ended by the proxy.</summary>
public sealed class GatewayTests
{
    private NodeBox _box = null!;
    private Certificates _certificates = null!;
    private string _trust = null!;
    private string _wildTrust = null!;
    private AgentProcess _agent = null!;

    [OneTimeSetUp]
    public void StartMesh()
    {
        _box = new NodeBox();
        _box.AddServer("web");
        _certificates = new Certificates(_box.WorkDir);
        _trust = _certificates.Make("www", "www.example.com");
        _wildTrust = _certificates.Make("wild", "*.shop.example.com");
        _certificates.Make("swap", "www.example.com");
        foreach (var name in new[] { "www", "wild", "swap" })
            _box.WriteConfig($"secret-{name}.yaml", _certificates.Secret(name, name));
        _box.WriteConfig("svc.yaml", Manifests.Service("web", "app: web", "10.96.0.10", "http:80:80"));
        _box.WriteConfig("gateway.yaml", Manifests.Gateway("edge", """
            - { name: http, protocol: HTTP, port: 8080 }
            - { name: www, protocol: HTTPS, port: 8443, hostname: www.example.com, tls: { certificateRefs: [ { name: www } ] } }
            - { name: any, protocol: HTTPS, port: 8444, tls: { certificateRefs: [ { name: swap } ] } }
            - { name: wild, protocol: HTTPS, port: 8443, hostname: "*.shop.example.com", tls: { certificateRefs: [ { name: wild } ] } }
            """, "web", 80));
        _agent = _box.StartAgent("--access-log", "text").MustBeReady();
    }

    [OneTimeTearDown]
    public void EndMesh() => Mesh.End(_box, _agent);

    private HttpAnswer Https(string host, string path, string trust, params string[] more) =>
        _box.Outside.Curl($"https://{host}:8443{path}", ["--resolve", $"{host}:8443:{NodeBox.NodeAddress}", "--cacert", trust, .. more]);

    [Test]
    public void Plain_http_from_outside_is_routed_over_both_families()
    {
        Assert.That(_box.Outside.Curl($"http://{NodeBox.NodeAddress}:8080/hello").Body, Does.StartWith("web GET /hello"));
        Assert.That(_box.Outside.Curl($"http://[{NodeBox.NodeAddress6}]:8080/hello").Body, Does.StartWith("web GET /hello"));
    }

    [TestCase("--tlsv1.2", "--tls-max", "1.2")]
    [TestCase("--tlsv1.3", "--tls-max", "1.3")]
    public void Tls_is_ended_and_the_request_routed_over_both_versions(string a, string b, string c)
    {
        var answer = Https("www.example.com", "/hello", _trust, a, b, c);
        Assert.That(answer.Body, Does.StartWith("web GET /hello"), answer.Errors);
    }

    [Test]
    public void The_client_is_told_to_the_backend()
    {
        var answer = Https("www.example.com", "/headers", _trust);
        Assert.That(answer.Body, Does.Contain($"xff={NodeBox.OutsideAddress} ").And.Contain("proto=https"));
    }

    [Test]
    public void A_wildcard_name_gets_its_own_certificate()
    {
        var answer = Https("one.shop.example.com", "/", _wildTrust);
        Assert.That(answer.Status, Is.EqualTo(200), answer.Errors);
    }

    [Test]
    public void An_unknown_name_and_a_version_nobody_shares_end_the_handshake()
    {
        Assert.That(_box.Outside.Curl("https://other.test:8443/", "-k", "--resolve", $"other.test:8443:{NodeBox.NodeAddress}").CurlExit, Is.EqualTo(35));
        var old = _box.Outside.Run("openssl", "s_client", "-connect", $"{NodeBox.NodeAddress}:8443", "-servername", "www.example.com", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0");
        Assert.That(old.ExitCode, Is.Not.Zero);
    }

    [Test]
    public void A_session_is_resumed()
    {
        var result = _box.Outside.Script($"""
            printf 'GET /hello HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n' | openssl s_client -quiet -ign_eof -connect {NodeBox.NodeAddress}:8443 -servername www.example.com -CAfile {_trust} -sess_out {_box.WorkDir}/session > /dev/null 2>&1
            printf 'GET /hello HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n' | openssl s_client -ign_eof -connect {NodeBox.NodeAddress}:8443 -servername www.example.com -CAfile {_trust} -sess_in {_box.WorkDir}/session 2>&1
            """);
        Assert.That(result.Output, Does.Contain("Reused, TLS"), result.Errors);
    }

    [Test]
    public void A_client_that_stalls_in_the_handshake_harms_nobody()
    {
        using var stalled = _box.Outside.Start("socat", "-u", $"TCP:{NodeBox.NodeAddress}:8443", "STDOUT");
        Assert.That(Https("www.example.com", "/hello", _trust).Status, Is.EqualTo(200));
    }

    [Test]
    public void A_certificate_is_replaced_under_load_without_a_failure_and_a_bad_key_changes_nothing()
    {
        using var load = Load.Start(_box.Outside, $"https://{NodeBox.NodeAddress}:8444/hello", 4, connections: 8);
        using var handshakes = Load.Start(_box.Outside, $"https://{NodeBox.NodeAddress}:8444/hello", 4, connections: 2, each: true);
        _certificates.Make("swap2", "www.example.com", serial: "77");
        _certificates.Make("unrelated", "www.example.com");
        _box.WriteConfig("secret-swap.yaml", _certificates.Secret("swap", "swap2"));
        Eventually.True(() => Serial() == "4D", "the new certificate is served");

        _box.WriteConfig("secret-swap.yaml", _certificates.Secret("swap", "swap2", keyOf: "unrelated"));
        Eventually.True(() => _agent.Cli("diagnostics").Output.Contains("secret-swap.yaml", StringComparison.Ordinal), "the wrong key is named");
        Assert.That(Serial(), Is.EqualTo("4D"), "the last good one stays");
        Assert.That(_agent.Log, Does.Not.Contain("PRIVATE KEY"));

        load.MustEndClean();
        handshakes.MustEndClean();
    }

    private string Serial() => _box.Outside.Script(
        $"openssl s_client -connect {NodeBox.NodeAddress}:8444 < /dev/null 2> /dev/null | openssl x509 -noout -serial").Output.Trim().Replace("serial=", "", StringComparison.Ordinal);
}
