namespace NodeMesh.Model;

/// <summary>Namespace and name of an object; the namespace is empty for cluster-scoped kinds.</summary>
public readonly record struct ObjectName(string Namespace, string Name) : IComparable<ObjectName>
{
    public int CompareTo(ObjectName other)
    {
        var c = string.CompareOrdinal(Namespace, other.Namespace);
        return c != 0 ? c : string.CompareOrdinal(Name, other.Name);
    }

    public override string ToString() => Namespace.Length == 0 ? Name : $"{Namespace}/{Name}";
}

/// <summary>Names one API object in messages: "NetworkPolicy shop/deny-all".</summary>
public readonly record struct ObjectRef(string Kind, ObjectName Name)
{
    public override string ToString() => Name == default || Name.Name is null ? Kind ?? "" : $"{Kind} {Name}";
}

/// <summary>Where an object was written: file, document in it (1-based), line (1-based; 0 when unknown).</summary>
/// <param name="File">Empty: in no file, but in the cluster.</param>
public readonly record struct SourceLocation(string File, int Document, int Line)
{
    public const string Nowhere = "";

    public override string ToString() => string.IsNullOrEmpty(File) ? "the cluster" : $"{File}:{Line} (document {Document})";
}
