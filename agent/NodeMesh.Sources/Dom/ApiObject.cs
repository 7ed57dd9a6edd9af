using NodeMesh.Model;

namespace NodeMesh.Sources.Dom;

/// <summary>One object that could be told apart: it has a kind that is known here and a name.</summary>
/// <param name="Kind">Entry of <see cref="Kinds"/>; the apiVersion may still be a wrong one.</param>
internal sealed record ApiObject(KindInfo Kind, string ApiVersion, ObjectName Name, ApiMap Root, SourceLocation Location)
{
    public ObjectRef Ref => new(Kind.Kind, Name);

    public bool SameAs(ApiObject other) =>
        Kind == other.Kind && Name == other.Name && Location == other.Location && Root.SameAs(other.Root);
}

/// <summary>What one origin (a file, or one object of a cluster) holds.</summary>
/// <param name="Problems">Documents that are no usable object.</param>
/// <param name="Unnamed">True when a document could not be told apart at all: an object missing from <paramref name="Objects"/> may be that one, so
/// its last good version must stay.</param>
/// <param name="Foreign">Names of objects of unknown kinds: a known object that vanished under such a name was probably mistyped, and stays.</param>
internal sealed record OriginContent(
    IReadOnlyList<ApiObject> Objects, IReadOnlyList<Diagnostic> Problems, bool Unnamed, IReadOnlyList<ObjectName> Foreign);
