using System.Collections.Immutable;
using NodeMesh.Compiler.Identities;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Policies;

/// <summary>What a rule asks of peers: who they are, and which number a port's name has there. Rules that ask the same share it.</summary>
/// <param name="Peers">Empty: everybody.</param>
/// <param name="Named">Ports by name; the numbers are the peer's own.</param>
internal sealed record PeerTerm(ContentHash Hash, ImmutableArray<PolicyPeer> Peers, ImmutableArray<PortMatch> Named)
{
    /// <summary>Null when it asks nothing.</summary>
    public static PeerTerm? Of(ImmutableArray<PolicyPeer> peers, ImmutableArray<PortMatch>? ports)
    {
        ImmutableArray<PortMatch> named = ports is { } list ? [.. list.Where(p => p.Named is not null)] : [];
        if (peers.Length == 0 && named.Length == 0)
            return null;
        return new PeerTerm(ContentHash.Of($"{SetRule.Join(peers.Select(CanonicalText.Of))} ports {SetRule.Join(named.Select(CanonicalText.Of))}"), peers, named);
    }

    /// <summary>Null when the rule does not name the identity.</summary>
    public PeerMatch? Matches(Identity identity, PeerMatcher peers) =>
        Peers.Length > 0 && !peers.Matches(Peers, identity) ? null : At(identity);

    /// <summary>All that it names.</summary>
    public IEnumerable<(Identity Identity, PeerMatch Match)> Matching(PeerMatcher peers)
    {
        foreach (var identity in Peers.Length > 0 ? peers.Matching(Peers) : peers.All)
            if (At(identity) is { } match)
                yield return (identity, match);
    }

    private PeerMatch? At(Identity identity)
    {
        ImmutableArray<PortMatch> ports = Named.Length == 0
            ? []
            : [.. Named.SelectMany(p => PolicySets.Named(p, identity.Ports)).Distinct().OrderBy(p => p.Protocol).ThenBy(p => p.First)];
        return Peers.Length == 0 && ports.Length == 0 ? null : new PeerMatch(this, ports);
    }
}

/// <param name="Ports">The numbers that the term's names have at the peer, sorted.</param>
internal sealed record PeerMatch(PeerTerm Term, ImmutableArray<PortMatch> Ports)
{
    /// <summary>":80/6:443/6".</summary>
    public string PortsText { get; } = string.Concat(Ports.Select(p => $":{p.First}/{(byte)p.Protocol}"));
}
