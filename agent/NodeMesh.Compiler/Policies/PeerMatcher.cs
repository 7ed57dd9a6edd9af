using NodeMesh.Compiler.Identities;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Policies;

/// <summary>Which identities a peer of a rule means; each distinct peer is worked out once per plan.</summary>
internal sealed class PeerMatcher(IdentityTable identities)
{
    private readonly Dictionary<string, Identity[]> _matches = new(StringComparer.Ordinal);
    private readonly ILookup<string, Identity> _pods = identities.All.Where(i => i.Kind == IdentityKind.Pod).ToLookup(i => i.Namespace, StringComparer.Ordinal);

    public IReadOnlyList<Identity> Matching(PolicyPeer peer)
    {
        var text = CanonicalText.Of(peer);
        if (!_matches.TryGetValue(text, out var found))
            _matches.Add(text, found = [.. Find(peer)]);
        return found;
    }

    private IEnumerable<Identity> Find(PolicyPeer peer) => peer switch
    {
        PodPeer pods => NamespacesOf(pods.Namespaces).SelectMany(ns => _pods[ns]).Where(i => pods.Pods.Matches(i.Labels)),
        CidrPeer cidr => identities.All.Where(i => i.Cidrs.Contains(cidr.Cidr) && !cidr.Except.Any(i.Cidrs.Contains)),
        EntityPeer { Entity: PolicyEntity.Host } => identities.All.Where(i => i.Kind == IdentityKind.Host),
        EntityPeer { Entity: PolicyEntity.RemoteNode } => identities.All.Where(i => i.Kind == IdentityKind.RemoteNode),
        EntityPeer { Entity: PolicyEntity.Cluster } => identities.All.Where(i => i.Kind != IdentityKind.World),
        EntityPeer { Entity: PolicyEntity.World } => identities.All.Where(i => i.Kind == IdentityKind.World),
        _ => throw new ArgumentOutOfRangeException(nameof(peer), peer.GetType().Name, "a kind of peer this build does not know"),
    };

    private IEnumerable<string> NamespacesOf(NamespaceMatch match) =>
        identities.Namespaces.Values.Where(ns => match.Matches(ns)).Select(ns => ns.Name);
}
