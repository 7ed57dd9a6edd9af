using NodeMesh.Model;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

internal static class NamespaceTranslator
{
    public const string NameLabel = "kubernetes.io/metadata.name";

    /// <summary>The API server labels every namespace with its name; files get the same.</summary>
    public static MeshNamespace Translate(ApiObject obj, Fields root)
    {
        var meta = Metadata.Read(root, obj);
        root.Ignore("spec", "status");
        return new MeshNamespace(obj.Name.Name, meta.Labels.SetItem(NameLabel, obj.Name.Name));
    }
}
