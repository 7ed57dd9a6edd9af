using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using NodeMesh.Model;
using NodeMesh.Sources;
using NodeMesh.Sources.Files;

namespace NodeMesh.Unit.Tests.Sources;

internal sealed class CertificateExpiryTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private static MeshSnapshot Mesh(params DateTimeOffset[] ends) => MeshSnapshot.Empty with
    {
        Certificates = [.. ends.Select((t, i) => new Certificate(new ObjectName("edge", $"c{i}"), new SensitiveBytes([]), new SensitiveBytes([]), $"{i}", t))],
    };

    [Test]
    public void Only_what_has_expired_is_named_and_all_of_it_stays()
    {
        var marked = CertificateExpiry.Mark(Mesh(Noon.AddSeconds(-1), Noon, Noon.AddDays(1)), Noon);
        Assert.That(marked.Diagnostics.Select(d => (d.Code, d.Object.ToString(), d.FieldPath)), Is.EqualTo(new[] { ("certificate-expired", "Secret edge/c0", "data[tls.crt]") }));
        Assert.That(marked.Certificates, Has.Length.EqualTo(3));
    }

    [Test]
    public void The_next_look_is_just_after_the_next_end_and_at_least_every_hour()
    {
        Assert.That(CertificateExpiry.Next(Mesh(), Noon), Is.Null);
        Assert.That(CertificateExpiry.Next(Mesh(Noon.AddDays(-1)), Noon), Is.Null);
        Assert.That(CertificateExpiry.Next(Mesh(Noon.AddMinutes(20), Noon.AddMinutes(10), Noon.AddDays(-1)), Noon), Is.EqualTo(TimeSpan.FromSeconds(601)));
        Assert.That(CertificateExpiry.Next(Mesh(Noon.AddDays(90)), Noon), Is.EqualTo(TimeSpan.FromHours(1)));
    }

    [Test]
    public async Task A_certificate_that_expires_while_it_is_in_force_is_named_when_it_happens_and_stays_in_force()
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var time = new ManualTime();
        var world = new MeshWorld(1, time);
        var secret = Secret(time.GetUtcNow().AddMinutes(10));
        Assert.That(world.Events.TryWrite(new SourceEvent("test", [ManifestFile.Read("s.yaml", Manifests.Namespaces + "\n---\n" + secret)], isSynced: true)));
        await using var snapshots = world.SnapshotsAsync(stop.Token).GetAsyncEnumerator(stop.Token);

        await snapshots.MoveNextAsync();
        var before = snapshots.Current;
        Assert.That((before.Revision, before.Diagnostics.Length, before.Certificates.Length), Is.EqualTo((1UL, 0, 1)));

        time.Advance(time.NextDue!.Value);
        await snapshots.MoveNextAsync();
        var after = snapshots.Current;
        var diagnostic = after.Diagnostics.Single();
        Assert.That((after.Revision, diagnostic.Code, diagnostic.Location?.File), Is.EqualTo((2UL, "certificate-expired", "s.yaml")));
        Assert.That(after.Certificates, Is.EqualTo(before.Certificates));

        Assert.That(world.Events.TryWrite(new SourceEvent("test", [ManifestFile.Read("p.yaml", Manifests.Pod("a", "10.0.0.1"))], isSynced: false)));
        await snapshots.MoveNextAsync();
        Assert.That((snapshots.Current.Revision, snapshots.Current.Diagnostics.Single()), Is.EqualTo((3UL, diagnostic)));
    }

    private static string Secret(DateTimeOffset end)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=short", key, HashAlgorithmName.SHA256).CreateSelfSigned(end.AddDays(-1), end);
        return $$"""
            apiVersion: v1
            kind: Secret
            metadata: {name: short, namespace: shop}
            type: kubernetes.io/tls
            stringData:
              tls.crt: "{{certificate.ExportCertificatePem().ReplaceLineEndings("\\n")}}"
              tls.key: "{{key.ExportPkcs8PrivateKeyPem().ReplaceLineEndings("\\n")}}"
            """;
    }
}
