using System.Collections.Immutable;
using NodeMesh.Compiler.Identities;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Policies;

/// <summary>Which identities peers of rules mean; each distinct peer is worked out at most once per table of identities.</summary>
internal sealed class PeerMatcher(IdentityTable identities)
{
    private readonly Dictionary<string, Identity[]> _matches = new(StringComparer.Ordinal);
    private readonly Lazy<Identity[]> _all = new(() => [.. identities.All]);
    private readonly Lazy<ILookup<string, Identity>> _pods = new(() => identities.All.Where(i => i.Kind == IdentityKind.Pod).ToLookup(i => i.Namespace, StringComparer.Ordinal));
    private readonly Lazy<ILookup<IpPrefix, Identity>> _inBlock = new(() =>
        identities.All.SelectMany(i => i.Cidrs.Select(c => (Block: c, Identity: i))).ToLookup(b => b.Block, b => b.Identity));

    public IReadOnlyList<Identity> All => _all.Value;

    /// <summary>Those that some peer means, each once.</summary>
    public IEnumerable<Identity> Matching(ImmutableArray<PolicyPeer> peers) => peers.Length == 1
        ? Matching(peers[0])
        : peers.SelectMany(Matching).Distinct(ReferenceEqualityComparer.Instance).Cast<Identity>();

    public bool Matches(ImmutableArray<PolicyPeer> peers, Identity identity)
    {
        foreach (var peer in peers)
            if (Matches(peer, identity))
                return true;
        return false;
    }

    private Identity[] Matching(PolicyPeer peer)
    {
        var text = CanonicalText.Of(peer);
        if (!_matches.TryGetValue(text, out var found))
            _matches.Add(text, found = [.. Candidates(peer).Where(i => Matches(peer, i))]);
        return found;
    }

    /// <summary>Few that hold all that the peer means.</summary>
    private IEnumerable<Identity> Candidates(PolicyPeer peer) => peer switch
    {
        PodPeer { Namespaces: { Name: { } ns } } => _pods.Value[ns],
        PodPeer pods => identities.Namespaces.Values.Where(ns => pods.Namespaces.Matches(ns)).SelectMany(ns => _pods.Value[ns.Name]),
        CidrPeer cidr => _inBlock.Value[cidr.Cidr],
        _ => All,
    };

    private bool Matches(PolicyPeer peer, Identity identity) => peer switch
    {
        PodPeer pods => identity.Kind == IdentityKind.Pod && pods.Namespaces.Matches(identities.Namespaces[identity.Namespace]) && pods.Pods.Matches(identity.Labels),
        CidrPeer cidr => identity.Cidrs.Contains(cidr.Cidr) && !cidr.Except.Any(identity.Cidrs.Contains),
        EntityPeer { Entity: PolicyEntity.Host } => identity.Kind == IdentityKind.Host,
        EntityPeer { Entity: PolicyEntity.RemoteNode } => identity.Kind == IdentityKind.RemoteNode,
        EntityPeer { Entity: PolicyEntity.Cluster } => identity.Kind != IdentityKind.World,
        EntityPeer { Entity: PolicyEntity.World } => identity.Kind == IdentityKind.World,
        _ => throw new ArgumentOutOfRangeException(nameof(peer), peer.GetType().Name, "a kind of peer this build does not know"),
    };
}
