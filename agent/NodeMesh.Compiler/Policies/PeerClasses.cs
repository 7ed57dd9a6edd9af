using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Policies;

/// <summary>A rule with the ports that it has for one class.</summary>
internal readonly record struct ClassRule(SetRule Rule, ImmutableArray<PortMatch>? Ports);

/// <summary>Groups of peers that a set treats alike in one direction.</summary>
/// <param name="Hash">Of which rules match its members, whoever they are; default for those that no rule names.</param>
/// <param name="Members">Left out for those that no rule names.</param>
/// <param name="Rules">The rules that are about them, in the order of judging.</param>
internal sealed record PeerClass(ContentHash Hash, ImmutableArray<PeerGroup> Members, ImmutableArray<ClassRule> Rules)
{
    public bool IsOthers => Hash == default;
}

/// <summary>In which class a group is depends on the rules and on that group alone.</summary>
internal static class PeerClasses
{
    /// <summary>Those that no rule names first.</summary>
    /// <param name="byTerm">Groups by the terms that name them.</param>
    public static List<PeerClass> Of(DirectionRules direction, ILookup<ContentHash, PeerGroup> byTerm)
    {
        var matches = new Dictionary<PeerGroup, Match>();
        for (var r = 0; r < direction.Rules.Length; r++)
        {
            if (direction.Rules[r].Term is not { } term)
                continue;
            foreach (var group in byTerm[term.Hash])
            {
                if (!matches.TryGetValue(group, out var match))
                    matches.Add(group, match = new Match());
                match.Add(r, group.Find(term)!);
            }
        }

        var classes = new List<PeerClass> { new(default, [], RulesOf(direction, direction.ForAll, null)) };
        foreach (var members in matches.GroupBy(m => m.Value.Key, StringComparer.Ordinal))
            classes.Add(Named(direction, members.First().Value, [.. members.Select(m => m.Key)]));
        return classes;
    }

    /// <summary>The class of one group, with it as only member; null: no rule names it.</summary>
    public static PeerClass? Of(DirectionRules direction, PeerGroup group)
    {
        var match = new Match();
        for (var r = 0; r < direction.Rules.Length; r++)
            if (direction.Rules[r].Term is { } term && group.Find(term) is { } found)
                match.Add(r, found);
        return match.Rules.Count == 0 ? null : Named(direction, match, [group]);
    }

    private static PeerClass Named(DirectionRules direction, Match match, ImmutableArray<PeerGroup> members) =>
        new(ContentHash.Of($"class {match.Key}"), members, RulesOf(direction, direction.ForAll.Union(match.Rules).Order(), members[0]));

    private static ImmutableArray<ClassRule> RulesOf(DirectionRules direction, IEnumerable<int> places, PeerGroup? member) =>
        [.. places.Select(r => direction.Rules[r]).Select(rule => new ClassRule(rule, rule.HasNamedPorts ? Resolve(rule, member) : rule.Ports))];

    private static ImmutableArray<PortMatch> Resolve(SetRule rule, PeerGroup? member) =>
        [.. rule.Ports!.Value.Where(p => p.Named is null).Concat(member?.Find(rule.Term!)?.Ports ?? []).Distinct()];

    /// <summary>Places of the rules that name a group, and the same as text with the numbers that names of ports have there.</summary>
    private sealed class Match
    {
        private readonly StringBuilder _key = new();

        public List<int> Rules { get; } = [];

        public string Key => _key.ToString();

        public void Add(int place, PeerMatch match)
        {
            Rules.Add(place);
            _key.Append(CultureInfo.InvariantCulture, $"{place}{match.PortsText};");
        }
    }
}
