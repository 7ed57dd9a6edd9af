using NodeMesh.Compiler.Identities;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Policies;

/// <summary>A policy set as rows: groups of peers in classes, verdicts by class and port. A function of the set and of the groups, of no other set.</summary>
/// <param name="Ingress">The numbers of its classes, each with how many members it has.</param>
internal sealed record SetRows(
    uint Id,
    PolicySet Set,
    IdSpace Ingress,
    IdSpace Egress,
    RowTable<ClassKey, ClassEntry> Classes,
    RowTable<VerdictKey, VerdictEntry> Verdicts,
    RowTable<VerdictKey, HttpPolicyPlan> Http)
{
    public static SetRows None(uint id, PolicySet set) => new(
        id, set, IdSpace.Empty, IdSpace.Empty, RowTable<ClassKey, ClassEntry>.Empty, RowTable<VerdictKey, VerdictEntry>.Empty, RowTable<VerdictKey, HttpPolicyPlan>.Empty);

    /// <summary>Some connection to its pods must be seen by the proxy.</summary>
    public bool AsksProxy => Asking(Direction.Ingress).Any();

    /// <summary>Identities that the proxy may dial in its pods' names.</summary>
    public IEnumerable<uint> Dialled(IdentityTable identities, PeerGroups groups)
    {
        var asking = Asking(Direction.Egress).ToHashSet();
        if (asking.Count == 0)
            return [];
        return identities.ById.Keys.Where(id =>
            asking.Contains(Classes.TryGetValue(new ClassKey { Set = Id, Group = groups.NumberOf(id), Direction = (byte)Direction.Egress }, out var entry) ? entry.Klass : 0));
    }

    private IEnumerable<uint> Asking(Direction direction) =>
        Http.Keys.Where(k => k.Direction == (byte)direction).Select(k => k.Klass);
}
