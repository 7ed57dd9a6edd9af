using System.Security.Cryptography;
using System.Text;
using NodeMesh.Model;
using NodeMesh.Native.Tls;
using NodeMesh.Plan;
using NodeMesh.Proxy.Routing;

namespace NodeMesh.Proxy.Tls;

/// <summary>Contexts by server name, for one plan of one gateway socket: exact, then the longest wildcard, then a listener for every host.</summary>
internal sealed class TlsHostTable
{
    public static readonly TlsHostTable Empty = new([]);

    private readonly Entry[] _entries;

    private TlsHostTable(Entry[] entries) => _entries = entries;

    /// <param name="previous">Its contexts are used again where the certificate is the same.</param>
    /// <param name="problems">A certificate OpenSSL refuses; the listener keeps what it had in <paramref name="previous"/>.</param>
    public static TlsHostTable Build(GatewayPlan gateway, TlsHostTable previous, Func<Certificate, SslContext> create, List<string> problems)
    {
        var known = new Dictionary<string, Choice>();
        foreach (var choice in previous._entries.SelectMany(e => e.Choices))
            known[choice.Fingerprint] = choice;

        var entries = new List<Entry>();
        foreach (var host in gateway.Hosts)
        {
            var choices = new List<Choice>();
            foreach (var certificate in host.Certificates)
            {
                if (TryMake(certificate, known, create, problems) is { } choice)
                    choices.Add(choice);
            }

            var last = previous._entries.FirstOrDefault(e => e.Listener == host.Listener);
            if (choices.Count > 0)
                entries.Add(new Entry(host.Listener, new HostPattern(host.Hostname), [.. choices]));
            else if (last is not null)
                entries.Add(last with { Host = new HostPattern(host.Hostname) });
        }

        return new TlsHostTable([.. entries]);
    }

    public SslContext? Select(string? serverName)
    {
        var name = serverName is null ? default : HostPattern.HostOf(Encoding.ASCII.GetBytes(serverName));
        foreach (var entry in _entries)
        {
            if (entry.Host.IsAny || (!name.IsEmpty && entry.Host.Matches(name)))
                return entry.Choose(name);
        }

        return null;
    }

    private static Choice? TryMake(Certificate certificate, Dictionary<string, Choice> known, Func<Certificate, SslContext> create, List<string> problems)
    {
        if (known.TryGetValue(certificate.Fingerprint, out var choice))
            return choice;
        try
        {
            var names = CertificateNames.Of(certificate.ChainPem.Reveal());
            choice = new Choice(certificate.Fingerprint, [.. names.Select(n => new HostPattern(n))], create(certificate));
            known[certificate.Fingerprint] = choice;
            return choice;
        }
        catch (Exception e) when (e is TlsException or CryptographicException or ArgumentException)
        {
            problems.Add($"certificate {certificate.Name}: {e.Message}");
            return null;
        }
    }

    /// <summary>One certificate.</summary>
    private sealed record Choice(string Fingerprint, HostPattern[] Names, SslContext Context);

    /// <summary>One listener: the certificate made out for the name, else its first.</summary>
    private sealed record Entry(string Listener, HostPattern Host, Choice[] Choices)
    {
        public SslContext Choose(ReadOnlySpan<byte> name)
        {
            foreach (var choice in Choices)
            {
                foreach (var pattern in choice.Names)
                {
                    if (pattern.Matches(name))
                        return choice.Context;
                }
            }

            return Choices[0].Context;
        }
    }
}
