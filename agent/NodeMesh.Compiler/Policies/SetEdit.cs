using NodeMesh.Compiler.Identities;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Policies;

/// <summary>Makes the rows of a set: from nothing, or from those that it had by moving only those identities that came, went or are others now.</summary>
internal sealed class SetEdit(SetRows old, PeerMatcher peers, IdSpace ruleIds)
{
    private readonly RowTable<ClassKey, ClassEntry>.Builder _classes = old.Classes.ToBuilder();
    private readonly RowTable<VerdictKey, VerdictEntry>.Builder _verdicts = old.Verdicts.ToBuilder();
    private readonly RowTable<VerdictKey, HttpPolicyPlan>.Builder _http = old.Http.ToBuilder();

    /// <param name="ruleIds">By the rule's name.</param>
    public static SetRows Of(uint id, PolicySet set, PeerMatcher peers, IdSpace ruleIds)
    {
        var edit = new SetEdit(SetRows.None(id, set), peers, ruleIds);
        return edit.ToRows(edit.All(Direction.Ingress, set.Ingress), edit.All(Direction.Egress, set.Egress));
    }

    /// <summary>The same rows as from nothing.</summary>
    public static SetRows Of(SetRows old, IReadOnlyList<(Identity? Old, Identity? New)> identities, PeerMatcher peers, IdSpace ruleIds)
    {
        var edit = new SetEdit(old, peers, ruleIds);
        return edit.Move(Direction.Ingress, old.Set.Ingress, old.Ingress, identities) is { } ingress && edit.Move(Direction.Egress, old.Set.Egress, old.Egress, identities) is { } egress
            ? edit.ToRows(ingress, egress)
            : Of(old.Id, old.Set, peers, ruleIds);
    }

    private SetRows ToRows(IdSpace ingress, IdSpace egress) =>
        old with { Ingress = ingress, Egress = egress, Classes = _classes.ToTable(), Verdicts = _verdicts.ToTable(), Http = _http.ToTable() };

    private IdSpace All(Direction direction, DirectionRules rules)
    {
        var classes = PeerClasses.Of(rules, peers);
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
    private IdSpace? Move(Direction direction, DirectionRules rules, IdSpace ids, IReadOnlyList<(Identity? Old, Identity? New)> identities)
    {
        var edit = new IdEdit(ids);
        foreach (var (was, now) in identities)
        {
            var klass = now is null ? null : PeerClasses.Of(rules, now, peers);
            if (klass is not null && edit.Take(klass.Hash))
                AddVerdicts(direction, ids.Of(klass.Hash), klass);
            if (was is not null && old.Classes.TryGetValue(Key(direction, was), out var entry))
            {
                _classes.Remove(Key(direction, was));
                if (edit.Release(ids.Holders[entry.Klass].Hash))
                    RemoveVerdicts(direction, entry.Klass);
            }

            if (klass is not null)
                _classes.Set(Key(direction, now!), new ClassEntry { Klass = ids.Of(klass.Hash) });
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

    private ClassKey Key(Direction direction, Identity identity) => new() { Set = old.Id, Identity = identity.Id, Direction = (byte)direction };
}
