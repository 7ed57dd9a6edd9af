using NodeMesh.Model;

namespace NodeMesh.Sources.Dom;

/// <summary>Tells documents apart: finds kind and name, unfolds lists. Pure.</summary>
internal static class ObjectIdentifier
{
    private const string LeftOut = "the document is ignored";

    /// <param name="documents">The documents of one origin in order; null stands for an empty one.</param>
    public static OriginContent Run(string origin, IReadOnlyList<ApiNode?> documents)
    {
        var content = new Builder(origin);
        for (var i = 0; i < documents.Count; i++)
            if (documents[i] is { } node)
                content.Add(node, i + 1, "");
        return content.Build();
    }

    private sealed class Builder(string origin)
    {
        private readonly List<ApiObject> _objects = [];
        private readonly List<Diagnostic> _problems = [];
        private readonly List<ObjectName> _foreign = [];
        private bool _unnamed;

        public OriginContent Build() => new(_objects, _problems, _unnamed, _foreign);

        public void Add(ApiNode node, int document, string path)
        {
            if (node is ApiScalar { Kind: ScalarKind.Null })
                return;
            if (node is not ApiMap map)
            {
                Unnamed("not-an-object", default, document, path, node.At, $"expected an object with apiVersion, kind and metadata, found {node.Described}");
                return;
            }

            var kind = Text(map["kind"]);
            var apiVersion = Text(map["apiVersion"]);
            if (string.IsNullOrEmpty(kind) || string.IsNullOrEmpty(apiVersion))
            {
                var missing = string.IsNullOrEmpty(kind) ? "kind" : "apiVersion";
                Unnamed("missing-field", new ObjectRef(kind ?? "", default), document, Join(path, missing), map.At,
                    $"the object has no {missing}; add it, for example 'kind: Service' and 'apiVersion: v1'");
                return;
            }

            if (kind == "List" && apiVersion == "v1" && map["items"] is ApiList items)
            {
                for (var i = 0; i < items.Items.Count; i++)
                    Add(items.Items[i], document, Join(path, $"items[{i}]"));
                return;
            }

            Named(map, kind, apiVersion, document, path);
        }

        private void Named(ApiMap map, string kind, string apiVersion, int document, string path)
        {
            var metadata = map["metadata"] as ApiMap;
            var name = Text(metadata?["name"]);
            var ns = Text(metadata?["namespace"]);
            var info = Kinds.Find(kind);
            var group = apiVersion.Contains('/') ? apiVersion[..apiVersion.IndexOf('/')] : "";
            var at = new SourceLocation(origin, document, map.At.Line);

            if (info is null || (group != info.Group && !info.Strict))
            {
                var hint = Kinds.Closest(kind) is { } close && close != kind ? $"; did you mean {close}?" : $"; the kinds read here are {Kinds.Names}";
                var what = info is null ? $"kind '{kind}' is not known here{hint}" : $"{kind} of {apiVersion} is not known here; the {kind} that is read is {info.Preferred}";
                foreach (var n in new[] { new ObjectName(ns ?? "default", name ?? ""), new ObjectName("", name ?? "") })
                    _foreign.Add(n);
                _problems.Add(new Diagnostic("unknown-kind", Severity.Warning, new ObjectRef(kind, new ObjectName(ns ?? "", name ?? "")),
                    Join(path, info is null ? "kind" : "apiVersion"), what, "the object is ignored", at));
                return;
            }

            if (string.IsNullOrEmpty(name))
            {
                Unnamed("missing-field", new ObjectRef(kind, default), document, Join(path, "metadata.name"), map.At, $"the {kind} has no name; add metadata.name");
                return;
            }

            _objects.Add(new ApiObject(info, apiVersion, new ObjectName(info.Namespaced ? ns ?? "default" : "", name), map, at));
        }

        private void Unnamed(string code, ObjectRef obj, int document, string path, Position at, string message)
        {
            _unnamed = true;
            _problems.Add(new Diagnostic(code, Severity.Error, obj, path, message, LeftOut, new SourceLocation(origin, document, at.Line)));
        }

        /// <summary>A name that was written as a number is told from a missing one by the translator, so its text counts here.</summary>
        private static string? Text(ApiNode? node) => node is ApiScalar { Kind: not ScalarKind.Null } s ? s.Text : null;

        private static string Join(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";
    }
}
