using NodeMesh.Compiler.Identities;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Compiler.Policies;

/// <summary>A policy set as rows: peers in classes, verdicts by class and port. A function of the set and of who there is, of no other set.</summary>
/// <param name="AsksProxy">Some connection to its pods must be seen by the proxy.</param>
/// <param name="Dialled">Identities that the proxy may dial in its pods' names.</param>
internal sealed record SetRows(
    uint Id,
    Dictionary<ClassKey, ClassEntry> Classes,
    Dictionary<VerdictKey, VerdictEntry> Verdicts,
    Dictionary<VerdictKey, HttpPolicyPlan> Http,
    bool AsksProxy,
    HashSet<uint> Dialled)
{
    /// <param name="ruleIds">By the rule's name.</param>
    public static SetRows Of(uint id, PolicySet set, IdentityTable identities, PeerMatcher peers, IReadOnlyDictionary<string, uint> ruleIds)
    {
        var rows = new SetRows(id, [], [], [], false, []);
        var asks = rows.Add(Direction.Ingress, set.Ingress, identities, peers, ruleIds);
        rows.Add(Direction.Egress, set.Egress, identities, peers, ruleIds);
        return rows with { AsksProxy = asks };
    }

    /// <returns>Whether some class must be seen by the proxy.</returns>
    private bool Add(Direction direction, DirectionRules rules, IdentityTable identities, PeerMatcher peers, IReadOnlyDictionary<string, uint> ruleIds)
    {
        var asks = false;
        foreach (var klass in PeerClasses.Of(rules, identities, peers))
        {
            var classAsks = false;
            foreach (var (ports, says) in VerdictTable.Of(klass.Rules))
            {
                var key = ports.Key(Id, klass.Id, direction);
                Verdicts.Add(key, new VerdictEntry
                {
                    Verdict = (byte)says.Verdict,
                    Audit = (byte)says.Audit,
                    Rule = says.Rule is { } rule ? ruleIds[rule] : 0,
                    AuditRule = says.AuditRule is { } audit ? ruleIds[audit] : 0,
                });
                if (says.Http is { } http)
                    Http.Add(key, http);
                classAsks |= says.Verdict == Verdict.Redirect;
            }

            foreach (var member in klass.Members)
            {
                if (klass.Id != 0)
                    Classes.Add(new ClassKey { Set = Id, Identity = member.Id, Direction = (byte)direction }, new ClassEntry { Klass = klass.Id });
                if (classAsks && direction == Direction.Egress)
                    Dialled.Add(member.Id);
            }

            asks |= classAsks;
        }

        return asks;
    }
}
