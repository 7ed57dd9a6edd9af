using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Policies;

/// <summary>Makes the rows of a set: from nothing, or from those that it had by moving only those groups of peers that came or went.</summary>
internal sealed class SetEdit(SetRows old, IdSpace groupIds, IdSpace ruleIds)
{
    private readonly RowTable<ClassKey, ClassEntry>.Builder _classes = old.Classes.ToBuilder();
    private readonly RowTable<VerdictKey, VerdictEntry>.Builder _verdicts = old.Verdicts.ToBuilder();
    private readonly RowTable<VerdictKey, HttpPolicyPlan>.Builder _http = old.Http.ToBuilder();

    /// <param name="ruleIds">By the rule's name.</param>
    public static SetRows Of(uint id, PolicySet set, PeerGroups groups, ILookup<ContentHash, PeerGroup> byTerm, IdSpace ruleIds)
    {
        var edit = new SetEdit(SetRows.None(id, set), groups.Ids, ruleIds);
        return edit.ToRows(edit.All(Direction.Ingress, set.Ingress, byTerm), edit.All(Direction.Egress, set.Egress, byTerm));
    }

    /// <summary>The same rows as from nothing; null: numbers collide, and it has to be from nothing.</summary>
    public static SetRows? Of(SetRows old, IReadOnlyList<PeerGroup> gone, IReadOnlyList<PeerGroup> come, IdSpace groupIds, IdSpace ruleIds)
    {
        var edit = new SetEdit(old, groupIds, ruleIds);
        return edit.Move(Direction.Ingress, old.Set.Ingress, old.Ingress, gone, come) is { } ingress && edit.Move(Direction.Egress, old.Set.Egress, old.Egress, gone, come) is { } egress
            ? edit.ToRows(ingress, egress)
            : null;
    }

    private SetRows ToRows(IdSpace ingress, IdSpace egress) =>
        old with { Ingress = ingress, Egress = egress, Classes = _classes.ToTable(), Verdicts = _verdicts.ToTable(), Http = _http.ToTable() };

    private IdSpace All(Direction direction, DirectionRules rules, ILookup<ContentHash, PeerGroup> byTerm)
    {
        var classes = PeerClasses.Of(rules, byTerm);
        var ids = IdSpace.Assign(classes.Where(c => !c.IsOthers).ToDictionary(c => c.Hash, c => c.Members.Length));
        foreach (var klass in classes)
        {
            var id = klass.IsOthers ? 0 : ids.Of(klass.Hash);
            AddVerdicts(direction, id, klass);
            foreach (var member in klass.Members)
                _classes.Set(Key(direction, member), new ClassEntry { Klass = id });
        }

        return ids;
    }

    /// <returns>Null when numbers collide.</returns>
    private IdSpace? Move(Direction direction, DirectionRules rules, IdSpace ids, IReadOnlyList<PeerGroup> gone, IReadOnlyList<PeerGroup> come)
    {
        var edit = new IdEdit(ids);
        foreach (var group in come)
        {
            if (PeerClasses.Of(rules, group) is not { } klass)
                continue;
            if (edit.Take(klass.Hash))
                AddVerdicts(direction, ids.Of(klass.Hash), klass);
            _classes.Set(Key(direction, group), new ClassEntry { Klass = ids.Of(klass.Hash) });
        }

        foreach (var group in gone)
        {
            if (!old.Classes.TryGetValue(Key(direction, group), out var entry))
                continue;
            _classes.Remove(Key(direction, group));
            if (edit.Release(ids.Holders[entry.Klass].Hash))
                RemoveVerdicts(direction, entry.Klass);
        }

        return edit.IsDisturbed ? null : edit.ToSpace();
    }

    private void AddVerdicts(Direction direction, uint id, PeerClass klass)
    {
        foreach (var (ports, says) in VerdictTable.Of(klass.Rules))
        {
            var key = ports.Key(old.Id, id, direction);
            _verdicts.Set(key, new VerdictEntry
            {
                Verdict = (byte)says.Verdict,
                Audit = (byte)says.Audit,
                Rule = says.Rule is { } rule ? ruleIds.Of(ContentHash.Of(rule)) : 0,
                AuditRule = says.AuditRule is { } audit ? ruleIds.Of(ContentHash.Of(audit)) : 0,
            });
            if (says.Http is { } http)
                _http.Set(key, http);
        }
    }

    private void RemoveVerdicts(Direction direction, uint id)
    {
        foreach (var key in old.Verdicts.Keys.Where(k => k.Klass == id && k.Direction == (byte)direction))
        {
            _verdicts.Remove(key);
            _http.Remove(key);
        }
    }

    private ClassKey Key(Direction direction, PeerGroup group) => new() { Set = old.Id, Group = groupIds.Of(group.Hash), Direction = (byte)direction };
}
