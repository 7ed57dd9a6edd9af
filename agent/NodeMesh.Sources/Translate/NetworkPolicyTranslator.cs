using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>networking.k8s.io/v1 NetworkPolicy.</summary>
internal static class NetworkPolicyTranslator
{
    public static Policy Translate(ApiObject obj, Fields root)
    {
        Metadata.Read(root, obj);
        root.Ignore("status");
        using var spec = root.Require("spec")?.Map();
        if (spec is null)
            return Empty(obj);

        var own = new NamespaceMatch(obj.Name.Namespace, null);
        var subject = Selectors.Read(spec.Get("podSelector"));
        var ingressItems = spec.Items("ingress");
        var egressItems = spec.Items("egress");
        var ingress = Rules(ingressItems, "from", own);
        var egress = Rules(egressItems, "to", own);

        // As the API server's defaulting: ingress always, egress when it has rules.
        var (isIngress, isEgress) = PolicyParts.PolicyTypes(spec) ?? (true, egressItems.Length > 0);
        PolicyParts.WarnIdle(spec, "ingress", isIngress, ingressItems.Length);
        PolicyParts.WarnIdle(spec, "egress", isEgress, egressItems.Length);
        return new Policy(PolicyKind.NetworkPolicy, obj.Name, subject, own, isIngress, isEgress,
            isIngress ? ingress : [], isEgress ? egress : [], obj.Location);
    }

    private static ImmutableArray<PolicyRule> Rules(ImmutableArray<Value> items, string peersField, NamespaceMatch own) =>
        PolicyParts.ReadAll(items, item => Rule(item, peersField, own)) ?? [];

    private static PolicyRule? Rule(Value item, string peersField, NamespaceMatch own)
    {
        using var rule = item.Map();
        if (rule is null)
            return null;
        var peers = PolicyParts.ReadAll(rule.Items(peersField), p => Peer(p, own));
        var ports = PolicyParts.ReadPorts(rule.Items("ports"), PolicyParts.Port);
        return peers is { } known ? new PolicyRule(PolicyAction.Allow, known, ports, []) { Name = PolicyParts.RuleName(rule) } : null;
    }

    private static PolicyPeer? Peer(Value item, NamespaceMatch own)
    {
        using var peer = item.Map();
        if (peer is null)
            return null;
        var hasBlock = peer.Has("ipBlock");
        var block = PolicyParts.Block(peer.Get("ipBlock"));
        var pods = PolicyParts.Pods(peer, own);
        if (hasBlock && pods is not null)
            peer.Error("bad-value", "a peer is an ipBlock or selectors, not both; make two peers of it");
        if (!hasBlock && pods is null)
            peer.Error("missing-field", "the peer says nothing; give podSelector, namespaceSelector or ipBlock, or remove the list to mean every peer");
        return hasBlock ? block : pods;
    }

    private static Policy Empty(ApiObject obj) =>
        new(PolicyKind.NetworkPolicy, obj.Name, LabelSelector.Everything, new NamespaceMatch(obj.Name.Namespace, null), true, true, [], [], obj.Location);
}
