using System.Security.Cryptography;
using System.Text;
using NodeMesh.Model;
using NodeMesh.Native.Tls;
using NodeMesh.Plan;

namespace NodeMesh.Proxy.Tls;

/// <summary>One gateway socket across plans. Every connection starts on the same front context, so that tickets stay good; the certificate comes
/// from the table in force when the client's hello arrives.</summary>
internal sealed class TlsGateway : ISslContextSelector, IDisposable
{
    private static readonly byte[][] Protocols = ["http/1.1"u8.ToArray()];

    private readonly SslServerSettings _settings;
    private TlsHostTable _table = TlsHostTable.Empty;

    /// <exception cref="TlsException">OpenSSL 3 is not on this machine.</exception>
    public TlsGateway(string name, TicketKeyRing tickets)
    {
        // A session of one socket is not for another: SHA-256 is just OpenSSL's limit of 32 bytes.
        _settings = new SslServerSettings(Protocols, SHA256.HashData(Encoding.UTF8.GetBytes(name)), tickets);
        Front = SslContext.CreateServer(_settings with { Selector = this });
    }

    public SslContext Front { get; }

    public SslContext? Select(string? serverName) => Volatile.Read(ref _table).Select(serverName);

    /// <summary>Live connections go on with what they have.</summary>
    /// <returns>What was wrong with certificates; null when all are in force.</returns>
    public string? Apply(GatewayPlan plan)
    {
        var problems = new List<string>();
        Volatile.Write(ref _table, TlsHostTable.Build(plan, _table, Create, problems));
        return problems.Count == 0 ? null : string.Join("; ", problems);
    }

    /// <summary>
    /// Lets go of the front context, which holds this object through its callbacks: once the last connection that began on it has ended, nothing refers
    /// to either, and the certificates' contexts go with them. A handshake under way still finds its certificate.
    /// </summary>
    public void Dispose() => Front.Dispose();

    private SslContext Create(Certificate certificate) => SslContext.CreateServer(_settings, certificate.ChainPem.Reveal(), certificate.KeyPem.Reveal());
}
