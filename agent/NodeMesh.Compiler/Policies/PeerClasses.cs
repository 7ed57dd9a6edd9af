using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using NodeMesh.Compiler.Identities;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Policies;

/// <summary>A rule with the ports that it has for one class.</summary>
internal readonly record struct ClassRule(SetRule Rule, ImmutableArray<PortMatch>? Ports);

/// <summary>Peers that a set treats alike in one direction.</summary>
/// <param name="Hash">Of which rules match its members, whoever they are; default for those that no rule names.</param>
/// <param name="Members">Left out for those that no rule names.</param>
/// <param name="Rules">The rules that are about them, in the order of judging.</param>
internal sealed record PeerClass(ContentHash Hash, ImmutableArray<Identity> Members, ImmutableArray<ClassRule> Rules)
{
    public bool IsOthers => Hash == default;
}

/// <summary>In which class an identity is depends on the rules and on that identity alone.</summary>
internal static class PeerClasses
{
    /// <summary>Those that no rule names first.</summary>
    public static List<PeerClass> Of(DirectionRules direction, PeerMatcher peers)
    {
        var matches = new Dictionary<Identity, Match>(ReferenceEqualityComparer.Instance);
        for (var r = 0; r < direction.Rules.Length; r++)
        {
            var rule = direction.Rules[r];
            foreach (var identity in rule.Peers.Length > 0 ? peers.Matching(rule.Peers) : rule.HasNamedPorts ? peers.All : [])
            {
                if (!matches.TryGetValue(identity, out var match))
                    matches.Add(identity, match = new Match());
                match.Add(r, rule, identity);
            }
        }

        var common = direction.ForAll;
        var classes = new List<PeerClass> { new(default, [], RulesOf(direction, common, null)) };
        foreach (var group in matches.Where(m => m.Value.Rules.Count > 0).GroupBy(m => m.Value.Key, StringComparer.Ordinal))
        {
            var (member, match) = group.First();
            classes.Add(Named(direction, match, [.. group.Select(m => m.Key)], member));
        }

        return classes;
    }

    /// <summary>The class of one identity, with it as only member; null: no rule names it.</summary>
    public static PeerClass? Of(DirectionRules direction, Identity identity, PeerMatcher peers)
    {
        var match = new Match();
        for (var r = 0; r < direction.Rules.Length; r++)
        {
            var rule = direction.Rules[r];
            if (rule.Peers.Length > 0 ? peers.Matches(rule.Peers, identity) : rule.HasNamedPorts)
                match.Add(r, rule, identity);
        }

        return match.Rules.Count == 0 ? null : Named(direction, match, [identity], identity);
    }

    private static PeerClass Named(DirectionRules direction, Match match, ImmutableArray<Identity> members, Identity one) =>
        new(ContentHash.Of($"class {match.Key}"), members, RulesOf(direction, direction.ForAll.Union(match.Rules).Order(), one));

    private static ImmutableArray<ClassRule> RulesOf(DirectionRules direction, IEnumerable<int> places, Identity? member) =>
        [.. places.Select(r => direction.Rules[r]).Select(rule => new ClassRule(rule, rule.HasNamedPorts ? Resolve(rule, member) : rule.Ports))];

    private static ImmutableArray<PortMatch> Resolve(SetRule rule, Identity? member) =>
        [.. rule.Ports!.Value.SelectMany(p => p.Named is null ? [p] : PolicySets.Named(p, member?.Ports ?? [])).Distinct()];

    /// <summary>Places of the rules that name an identity, and the same as text with the numbers that names of ports have there.</summary>
    private sealed class Match
    {
        private readonly StringBuilder _key = new();

        public List<int> Rules { get; } = [];

        public string Key => _key.ToString();

        public void Add(int place, SetRule rule, Identity identity)
        {
            var ports = rule.HasNamedPorts ? NamedPortsText(rule, identity) : "";
            if (rule.Peers.Length == 0 && ports.Length == 0)
                return;
            Rules.Add(place);
            _key.Append(CultureInfo.InvariantCulture, $"{place}{ports};");
        }

        private static string NamedPortsText(SetRule rule, Identity identity)
        {
            var numbers = rule.Ports!.Value.Where(p => p.Named is not null).SelectMany(p => PolicySets.Named(p, identity.Ports));
            return string.Concat(numbers.Distinct().OrderBy(p => p.Protocol).ThenBy(p => p.First).Select(p => $":{p.First}/{(byte)p.Protocol}"));
        }
    }
}
