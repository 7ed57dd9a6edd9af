using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using k8s;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using NodeMesh.Sources;
using NodeMesh.Sources.Kubernetes;
using NodeMesh.Testing;
using NodeMesh.Testing.ApiServer;

namespace NodeMesh.Unit.Tests.Sources;

/// <summary>What the kubelet mounts of a service account, and replaces while the agent runs.</summary>
public sealed class ServiceAccountTests
{
    private string _mount = "";
    private int _writes;

    [SetUp]
    public void Mount() => _mount = Directory.CreateTempSubdirectory("nm-account-").FullName;

    [TearDown]
    public void Unmount() => Directory.Delete(_mount, recursive: true);

    /// <summary>As a projected volume is written: a folder of its own each time, and one link that is moved to it.</summary>
    private void Write(params (string Name, string Text)[] files)
    {
        var folder = $"..{++_writes}";
        Directory.CreateDirectory(Path.Combine(_mount, folder));
        foreach (var (name, text) in files)
        {
            File.WriteAllText(Path.Combine(_mount, folder, name), text);
            if (!File.Exists(Path.Combine(_mount, name)))
                File.CreateSymbolicLink(Path.Combine(_mount, name), Path.Combine("..data", name));
        }

        File.CreateSymbolicLink(Path.Combine(_mount, "..data_tmp"), folder);
        Shell.Run("mv", ["-T", Path.Combine(_mount, "..data_tmp"), Path.Combine(_mount, "..data")]).MustSucceed("moving the link");
    }

    [TestCase(false, TestName = "A_token_is_renewed_without_anybody_noticing")]
    [TestCase(true, TestName = "A_token_that_is_renewed_after_it_was_refused_ends_that_and_nothing_is_listed_anew")]
    public async Task Token(bool isLate)
    {
        using var authority = ApiServerHttpTests.SelfSigned("kubernetes", IPAddress.Loopback);
        var authorities = authority.ExportCertificatePem();
        await using var server = await InProcessApiServer.StartAsync(InProcessApiServer.BuiltIn);
        server.Token = "one";
        Write(("token", "one\n"), ("ca.crt", authorities));
        var world = new MeshWorld(1);
        using var source = new KubernetesSource(ApiServerAccess.OfServiceAccount(new KubernetesClientConfiguration { Host = server.Address }, _mount), world.Events);
        using var stop = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        var running = source.RunAsync(stop.Token);
        await using var snapshots = world.SnapshotsAsync(stop.Token).GetAsyncEnumerator();
        Assert.That(await snapshots.MoveNextAsync());
        Eventually.True(() => source.State.Resources.All(r => r.Trouble.Length == 0), "all is followed");

        // Watches that run go on; the next ones need the new token.
        var before = server.Requests.Count;
        server.Token = "two";
        if (!isLate)
            Write(("token", "two\n"), ("ca.crt", authorities));
        server.CutWatches();
        if (isLate)
        {
            Eventually.True(() => source.State.Troubles.Any(t => t.StartsWith("namespaces", StringComparison.Ordinal) && t.Contains("401", StringComparison.Ordinal)), "the old token is refused");
            Write(("token", "two\n"), ("ca.crt", authorities));
        }

        server.Put("namespaces", """{"metadata":{"name":"late"}}""");
        do
            Assert.That(await snapshots.MoveNextAsync());
        while (!snapshots.Current.Namespaces.Any(n => n.Name == "late"));
        Eventually.True(() => source.State.Troubles.Count == 0, "all is followed again");
        Assert.That(server.Requests.Skip(before).Where(r => InProcessApiServer.BuiltIn.Contains(r.Resource)),
            Has.None.Matches<ApiRequest>(r => r.Verb == "list" || r.Query.Contains("sendInitialEvents", StringComparison.Ordinal)));
        await stop.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    [Test]
    public async Task Authorities_that_are_replaced_count_from_then_on_and_those_before_no_more()
    {
        var (oldAuthority, old) = Authority();
        var (nextAuthority, next) = Authority();
        var shown = old;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            listen.UseHttps(https => https.ServerCertificateSelector = (_, _) => shown);
        }));
        await using var web = builder.Build();
        web.MapGet("/who", (HttpContext context) =>
        {
            context.Response.Headers.Connection = "close"; // each question shows a certificate
            return context.Request.Headers.Authorization.ToString();
        });
        await web.StartAsync();

        Write(("token", "one"), ("ca.crt", oldAuthority));
        using var server = new NodeMesh.Sources.Kubernetes.ApiServer(ApiServerAccess.OfServiceAccount(new KubernetesClientConfiguration { Host = web.Urls.Single() }, _mount));
        Assert.That(await WhoAsync(server), Is.EqualTo("Bearer one"));
        shown = next;
        Assert.That(() => WhoAsync(server), Throws.InstanceOf<HttpRequestException>(), "it is not known yet");

        // Both, as while a cluster changes its authority; and then the new one alone.
        Write(("token", "two"), ("ca.crt", oldAuthority + "\n" + nextAuthority));
        Assert.That(await WhoAsync(server), Is.EqualTo("Bearer two"));
        shown = old;
        Assert.That(await WhoAsync(server), Is.EqualTo("Bearer two"));
        Write(("token", "three"), ("ca.crt", nextAuthority));
        Assert.That(() => WhoAsync(server), Throws.InstanceOf<HttpRequestException>(), "it counts no more");
        shown = next;
        Assert.That(await WhoAsync(server), Is.EqualTo("Bearer three"));

        // What makes no sense is not taken for an answer, nor for nobody.
        Write(("token", ""), ("ca.crt", "being written"));
        Assert.That(await WhoAsync(server), Is.EqualTo("Bearer three"));
    }

    /// <summary>An authority, whose successor has the same name, and what it issued to a server.</summary>
    private static (string Pem, X509Certificate2 Server) Authority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=kubernetes", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        var identifier = new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false);
        request.CertificateExtensions.Add(identifier);
        using var authority = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(2));

        using var own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var issued = new CertificateRequest("CN=kube-apiserver", own, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        issued.CertificateExtensions.Add(names.Build());
        issued.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromSubjectKeyIdentifier(identifier));
        using var certificate = issued.Create(authority, DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1), Guid.NewGuid().ToByteArray());
        return (authority.ExportCertificatePem(), certificate.CopyWithPrivateKey(own));
    }

    private static async Task<string> WhoAsync(NodeMesh.Sources.Kubernetes.ApiServer server)
    {
        using var response = await server.GetAsync("/who", CancellationToken.None);
        return System.Text.Encoding.UTF8.GetString(await NodeMesh.Sources.Kubernetes.ApiServer.BodyAsync(response, CancellationToken.None));
    }
}
