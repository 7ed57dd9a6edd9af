using NodeMesh.Model;
using NodeMesh.Sources.Dom;
using NodeMesh.Sources.Translate;

namespace NodeMesh.Sources.World;

/// <summary>Whether an object may refer to one of another namespace.</summary>
internal sealed class Grants(Gathered gathered)
{
    private readonly List<GrantDraft> _all = [.. gathered.Of<GrantDraft>(Kinds.ReferenceGrant).Select(e => e.Value)];

    /// <param name="fromKind">A kind of Gateway API.</param>
    /// <param name="toKind">A core kind.</param>
    public bool Allows(string fromKind, string fromNamespace, string toKind, ObjectName to) =>
        fromNamespace == to.Namespace || _all.Exists(g =>
            g.Namespace == to.Namespace
            && g.From.Contains((Kinds.GatewayGroup, fromKind, fromNamespace))
            && g.To.Any(t => t.Group.Length == 0 && t.Kind == toKind && (t.Name.Length == 0 || t.Name == to.Name)));

    public static string Missing(string toKind, ObjectName to) =>
        $"{toKind} {to} is in another namespace, which has no ReferenceGrant for this; add one there";
}
