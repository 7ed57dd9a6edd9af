using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using NodeMesh.Compiler.Identities;
using NodeMesh.Model;

namespace NodeMesh.Compiler.Policies;

/// <summary>A rule with the ports that it has for one class.</summary>
internal readonly record struct ClassRule(SetRule Rule, ImmutableArray<PortMatch>? Ports);

/// <summary>Peers that a set treats alike in one direction.</summary>
/// <param name="Id">0: those that no rule names.</param>
/// <param name="Rules">The rules that are about them, in the order of judging.</param>
internal sealed record PeerClass(uint Id, ImmutableArray<Identity> Members, ImmutableArray<ClassRule> Rules);

internal static class PeerClasses
{
    /// <summary>Class 0 first; a class's number comes from which rules match it, not from who is in it.</summary>
    public static List<PeerClass> Of(DirectionRules direction, IdentityTable identities, PeerMatcher peers)
    {
        var matches = new Dictionary<Identity, Match>(ReferenceEqualityComparer.Instance);
        for (var r = 0; r < direction.Rules.Length; r++)
        {
            var rule = direction.Rules[r];
            var matching = rule.Peers.Length > 0 ? rule.Peers.SelectMany(peers.Matching).Distinct(ReferenceEqualityComparer.Instance).Cast<Identity>()
                : rule.HasNamedPorts ? identities.All
                : [];
            foreach (var identity in matching)
            {
                var ports = rule.HasNamedPorts ? NamedPortsText(rule, identity) : "";
                if (rule.Peers.Length == 0 && ports.Length == 0)
                    continue;
                if (!matches.TryGetValue(identity, out var match))
                    matches.Add(identity, match = new Match([], new StringBuilder()));
                match.Rules.Add(r);
                match.Key.Append(CultureInfo.InvariantCulture, $"{r}{ports};");
            }
        }

        int[] common = [.. Enumerable.Range(0, direction.Rules.Length).Where(r => direction.Rules[r].Peers.Length == 0)];
        var groups = matches.GroupBy(m => m.Value.Key.ToString(), StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal).ToList();
        var ids = ContentIds.Assign(groups.Select(g => $"class {g.Key}"), first: 1);
        var others = identities.All.Where(i => !matches.ContainsKey(i));
        var classes = new List<PeerClass> { new(0, [.. others], RulesOf(direction, common, null)) };
        foreach (var group in groups)
        {
            var (member, match) = group.First();
            classes.Add(new PeerClass(ids[$"class {group.Key}"], [.. group.Select(m => m.Key).OrderBy(i => i.Id)],
                RulesOf(direction, common.Union(match.Rules).Order(), member)));
        }

        return classes;
    }

    /// <param name="Rules">Places of the rules that name an identity.</param>
    /// <param name="Key">The same, with the numbers that names of ports have there.</param>
    private sealed record Match(List<int> Rules, StringBuilder Key);

    private static string NamedPortsText(SetRule rule, Identity identity)
    {
        var numbers = rule.Ports!.Value.Where(p => p.Named is not null).SelectMany(p => PolicySets.Named(p, identity.Ports));
        return string.Concat(numbers.Distinct().OrderBy(p => p.Protocol).ThenBy(p => p.First).Select(p => $":{p.First}/{(byte)p.Protocol}"));
    }

    private static ImmutableArray<ClassRule> RulesOf(DirectionRules direction, IEnumerable<int> places, Identity? member) =>
        [.. places.Select(r => direction.Rules[r]).Select(rule => new ClassRule(rule, rule.HasNamedPorts ? Resolve(rule, member) : rule.Ports))];

    private static ImmutableArray<PortMatch> Resolve(SetRule rule, Identity? member) =>
        [.. rule.Ports!.Value.SelectMany(p => p.Named is null ? [p] : PolicySets.Named(p, member?.Ports ?? [])).Distinct()];
}
