using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Services;

/// <summary>Kinds of objects that want ports, as their names are written; of two as old as each other the first keeps what both want.</summary>
internal enum SourceKind
{
    Service,

    /// <summary>Its listeners have the ports to themselves: no frontend comes from it.</summary>
    Gateway,

    /// <summary>With ports on its node.</summary>
    Pod,
}

/// <summary>Who wants addresses and ports.</summary>
internal readonly record struct SourceKey(SourceKind Kind, ObjectName Name)
{
    public override string ToString() => $"{Kind} {Name}";
}

/// <summary>Somebody who wants an address and port. Of several the first in this order has it: the older, by kind, by name.</summary>
internal readonly record struct Claimant(DateTimeOffset CreatedAt, SourceKey Source) : IComparable<Claimant>
{
    public int CompareTo(Claimant other)
    {
        var c = CreatedAt.CompareTo(other.CreatedAt);
        c = c != 0 ? c : Source.Kind.CompareTo(other.Source.Kind);
        return c != 0 ? c : Source.Name.CompareTo(other.Source.Name);
    }
}

/// <summary>A backend of one protocol.</summary>
internal readonly record struct BackendDraft(IpAddr Address, ushort Port, Protocol Protocol, ContentHash Hash)
{
    public static BackendDraft Of(IpAddr address, ushort port, Protocol protocol) =>
        new(address, port, protocol, ContentHash.Of($"backend {address} {port} {(byte)protocol}"));
}

/// <summary>Backends that serve one kind of caller; equal ones of a service port are the same object.</summary>
/// <param name="Backends">By address and port.</param>
/// <param name="TableSize">Of its Maglev table; 0: a slot for each backend.</param>
internal sealed record GroupDraft(ContentHash Hash, ImmutableArray<BackendDraft> Backends, int TableSize)
{
    public static readonly GroupDraft Nobody = new(default, [], 0);

    public uint Slots => (uint)(Backends.Length == 0 || TableSize == 0 ? Backends.Length : TableSize);
}

/// <summary>Blocks of one family that may come in.</summary>
internal sealed record RangesDraft(ContentHash Hash, ImmutableArray<IpPrefix> Blocks)
{
    public static RangesDraft Of(IEnumerable<IpPrefix> blocks)
    {
        ImmutableArray<IpPrefix> sorted = [.. blocks.Distinct().Order()];
        return new RangesDraft(ContentHash.Of($"ranges {string.Join(",", sorted)}"), sorted);
    }
}

/// <summary>A service port in one family, whatever its addresses.</summary>
/// <param name="Name">"shop/web:80/TCP".</param>
/// <param name="AffinitySeconds">0: none.</param>
internal sealed record PortDraft(ContentHash Hash, string Name, uint AffinitySeconds);

/// <param name="Field">Of the object that wants it.</param>
internal sealed record FrontendDraft(
    FrontendKey Key, FrontendKind Kind, PortDraft Port, FrontendFlag Flags, GroupDraft Inside, GroupDraft Outside, RangesDraft? Ranges, string Field);

/// <summary>What one source wants; a function of it and of the node.</summary>
/// <param name="origin">The Service, Workload or Gateway.</param>
/// <param name="wanted">Each key once.</param>
internal sealed class Fragment(
    Claimant claimant, object origin, SourceLocation? location, ImmutableArray<FrontendDraft> wanted, ImmutableArray<Diagnostic> findings)
{
    public SourceKey Key => Claimant.Source;

    public Claimant Claimant { get; } = claimant;

    public object Origin { get; } = origin;

    public SourceLocation? Location { get; } = location;

    public ImmutableArray<FrontendDraft> Wanted { get; } = wanted;

    public ImmutableArray<Diagnostic> Findings { get; } = findings;
}
