using NodeMesh.Model;
using NodeMesh.Sources.World;

namespace NodeMesh.Sources;

/// <summary>Certificates that expire while they are in force: nobody writes an object then, so a clock must tell. They stay in force, since no
/// certificate at all would serve nobody. Pure.</summary>
internal static class CertificateExpiry
{
    /// <summary>The longest time between two looks at the clock, which may be set.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    /// <returns>The snapshot itself when nothing in it has expired.</returns>
    public static MeshSnapshot Mark(MeshSnapshot snapshot, DateTimeOffset now)
    {
        var expired = snapshot.Certificates.Where(c => c.NotAfter < now).Select(Diagnose).ToList();
        if (expired.Count == 0)
            return snapshot;
        expired.AddRange(snapshot.Diagnostics);
        expired.Sort(Diagnostics.Compare);
        return snapshot with { Diagnostics = [.. expired] };
    }

    /// <returns>How long to wait before looking again; null when there is no certificate left to expire.</returns>
    public static TimeSpan? Next(MeshSnapshot snapshot, DateTimeOffset now)
    {
        var ends = snapshot.Certificates.Select(c => c.NotAfter).Where(t => t >= now).DefaultIfEmpty().Min();
        if (ends == default)
            return null;

        // A second's grain, so that the moment has passed when it is looked at.
        var wait = ends - now + TimeSpan.FromSeconds(1);
        return wait < Longest ? wait : Longest;
    }

    private static Diagnostic Diagnose(Certificate certificate) =>
        new("certificate-expired", Severity.Error, new ObjectRef("Secret", certificate.Name), "data[tls.crt]",
            $"the certificate expired at {certificate.NotAfter:u}; renew it", "it is served on, and clients that check it refuse it", certificate.Location);
}
