using NodeMesh.Model;

namespace NodeMesh.Sources.Dom;

/// <summary>One object that could be told apart: it has a kind that is known here and a name.</summary>
/// <param name="Kind">Entry of <see cref="Kinds"/>; the apiVersion may still be a wrong one.</param>
internal sealed record ApiObject(KindInfo Kind, string ApiVersion, ObjectName Name, ApiMap Root, SourceLocation Location)
{
    public ObjectRef Ref => new(Kind.Kind, Name);

    public ObjectSite Site() => new(Kind, Name, Location, Fingerprint.Of(Root));
}

/// <summary>What is kept of an object once it was translated: who it is, where it stands, and how to tell whether it is written otherwise now.</summary>
internal sealed record ObjectSite(KindInfo Kind, ObjectName Name, SourceLocation Location, Fingerprint Content)
{
    public ObjectRef Ref => new(Kind.Kind, Name);
}

/// <summary>What one origin (a file, or one object of a cluster) holds.</summary>
/// <param name="Problems">Documents that are no usable object.</param>
/// <param name="Unnamed">True when a document could not be told apart at all: an object missing from <paramref name="Objects"/> may be that one, so
/// its last good version must stay.</param>
/// <param name="Foreign">Names of objects of unknown kinds: a known object that vanished under such a name was probably mistyped, and stays.</param>
internal sealed record OriginContent(
    IReadOnlyList<ApiObject> Objects, IReadOnlyList<Diagnostic> Problems, bool Unnamed, IReadOnlyList<ObjectName> Foreign);
