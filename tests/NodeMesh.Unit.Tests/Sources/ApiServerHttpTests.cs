using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using k8s;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using NodeMesh.Sources.Kubernetes;

namespace NodeMesh.Unit.Tests.Sources;

/// <summary>Against a server with TLS that says who its client is by certificate.</summary>
public sealed class ApiServerHttpTests
{
    private X509Certificate2 _authority = null!;
    private WebApplication _web = null!;

    [OneTimeSetUp]
    public async Task Start()
    {
        _authority = SelfSigned("kubernetes");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(_authority, https =>
        {
            https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
            https.AllowAnyClientCertificate();
        })));
        _web = builder.Build();
        _web.MapGet("/who", (HttpContext context) => context.Connection.ClientCertificate?.Subject ?? "nobody");
        await _web.StartAsync();
    }

    [OneTimeTearDown]
    public async Task Stop()
    {
        await _web.DisposeAsync();
        _authority.Dispose();
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_client_certificate_is_shown(bool inFiles)
    {
        using var own = SelfSigned("node-1");
        var (certificate, key) = (own.ExportCertificatePem(), own.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        var configuration = Configuration(_authority);
        var directory = Directory.CreateTempSubdirectory("nm-client-");
        try
        {
            if (inFiles)
            {
                configuration.ClientCertificateFilePath = Write(directory, "client.crt", certificate);
                configuration.ClientKeyFilePath = Write(directory, "client.key", key);
            }
            else
            {
                configuration.ClientCertificateData = Convert.ToBase64String(Encoding.UTF8.GetBytes(certificate));
                configuration.ClientCertificateKeyData = Convert.ToBase64String(Encoding.UTF8.GetBytes(key));
            }

            Assert.That(await WhoAsync(configuration), Is.EqualTo("CN=node-1"));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Test]
    public async Task Without_one_nobody_is_shown() => Assert.That(await WhoAsync(Configuration(_authority)), Is.EqualTo("nobody"));

    [Test]
    public void A_server_of_another_authority_is_refused()
    {
        using var other = SelfSigned("kubernetes");
        Assert.That(() => WhoAsync(Configuration(other)), Throws.InstanceOf<HttpRequestException>());
    }

    [Test]
    public async Task A_server_has_to_prove_the_name_that_is_given()
    {
        var configuration = Configuration(_authority);
        configuration.TlsServerName = "kubernetes";
        Assert.That(await WhoAsync(configuration), Is.EqualTo("nobody"));
        configuration.TlsServerName = "elsewhere";
        Assert.That(() => WhoAsync(configuration), Throws.InstanceOf<HttpRequestException>());
    }

    [Test]
    public async Task Whoever_does_not_want_to_know_gets_any_server()
    {
        using var other = SelfSigned("kubernetes");
        var configuration = Configuration(other);
        configuration.SkipTlsVerify = true;
        Assert.That(await WhoAsync(configuration), Is.EqualTo("nobody"));
    }

    private async Task<string> WhoAsync(KubernetesClientConfiguration configuration)
    {
        using var client = ApiServerHttp.Client(configuration, configuration.SslCaCerts);
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        return await client.GetStringAsync(new Uri(new Uri(configuration.Host), "/who"), patience.Token);
    }

    private KubernetesClientConfiguration Configuration(X509Certificate2 authority) => new() { Host = _web.Urls.Single(), SslCaCerts = [authority] };

    private static string Write(DirectoryInfo directory, string name, string text)
    {
        var path = Path.Combine(directory.FullName, name);
        File.WriteAllText(path, text);
        return path;
    }

    private static X509Certificate2 SelfSigned(string name) => SelfSigned(name, IPAddress.Loopback);

    /// <summary>Of a server at these addresses, that is an authority too.</summary>
    internal static X509Certificate2 SelfSigned(string name, params IPAddress[] addresses)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        foreach (var address in addresses)
            names.AddIpAddress(address);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }
}
