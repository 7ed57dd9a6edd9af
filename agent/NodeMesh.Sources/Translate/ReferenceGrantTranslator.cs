using System.Collections.Immutable;
using NodeMesh.Sources.Dom;

namespace NodeMesh.Sources.Translate;

/// <summary>gateway.networking.k8s.io ReferenceGrant: who may refer from another namespace to objects of this one.</summary>
internal static class ReferenceGrantTranslator
{
    public static GrantDraft Translate(ApiObject obj, Fields root)
    {
        Metadata.Read(root, obj);
        root.Ignore("status");
        var from = ImmutableArray.CreateBuilder<(string, string, string)>();
        var to = ImmutableArray.CreateBuilder<(string, string, string)>();
        using var spec = root.Require("spec")?.Map();
        foreach (var item in spec?.Require("from")?.Items() ?? [])
        {
            using var entry = item.Map();
            if (entry is null)
                continue;
            from.Add((entry.Text("group") ?? "", entry.Require("kind")?.Text() ?? "", entry.Require("namespace")?.Text() ?? ""));
        }
        foreach (var item in spec?.Require("to")?.Items() ?? [])
        {
            using var entry = item.Map();
            if (entry is null)
                continue;
            to.Add((entry.Text("group") ?? "", entry.Require("kind")?.Text() ?? "", entry.Text("name") ?? ""));
        }
        return new GrantDraft(obj.Name.Namespace, from.ToImmutable(), to.ToImmutable());
    }
}
