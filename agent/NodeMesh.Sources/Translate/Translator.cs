using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>What became of one object.</summary>
/// <param name="Result">A model record or a draft; null when the object cannot be used as written.</param>
internal sealed record Translation(object? Result, IReadOnlyList<Finding> Findings);

/// <summary>The table of kinds and translators. Pure but for <c>now</c>, which certificates are checked against.</summary>
internal static class Translator
{
    public static Translation Translate(ApiObject obj, DateTimeOffset now)
    {
        var report = new Report(obj.Kind.Strict);
        object result;
        using (var root = new Fields(obj.Root, "", report))
            result = Dispatch(obj, root, now);
        return new Translation(report.Failed ? null : result, report.Findings);
    }

    private static object Dispatch(ApiObject obj, Fields root, DateTimeOffset now)
    {
        var kind = obj.Kind;
        return kind == Kinds.Namespace ? NamespaceTranslator.Translate(obj, root)
            : kind == Kinds.Node ? NodeTranslator.Translate(obj, root)
            : kind == Kinds.Pod ? PodTranslator.Translate(obj, root)
            : kind == Kinds.Service ? ServiceTranslator.Translate(obj, root)
            : kind == Kinds.EndpointSlice ? EndpointSliceTranslator.Translate(obj, root)
            : kind == Kinds.Secret ? SecretTranslator.Translate(obj, root, now)
            : kind == Kinds.NetworkPolicy ? NetworkPolicyTranslator.Translate(obj, root)
            : kind == Kinds.MeshPolicy || kind == Kinds.ClusterMeshPolicy ? MeshPolicyTranslator.Translate(obj, root)
            : kind == Kinds.ClusterNetworkPolicy ? ClusterNetworkPolicyTranslator.Translate(obj, root)
            : kind == Kinds.HttpRoute ? HttpRouteTranslator.Translate(obj, root)
            : kind == Kinds.Gateway ? GatewayTranslator.Translate(obj, root)
            : kind == Kinds.GatewayClass ? GatewayClassTranslator.Translate(obj, root)
            : kind == Kinds.ReferenceGrant ? ReferenceGrantTranslator.Translate(obj, root)
            : throw new InvalidOperationException($"no translator for {kind.Kind}");
    }
}
