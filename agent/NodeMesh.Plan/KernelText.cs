using System.Collections.Immutable;
using NodeMesh.Model;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Plan;

/// <summary>The kernel's tables as text.</summary>
internal static class KernelText
{
    public static void Write(MeshPlan plan, TextSections text)
    {
        var kernel = plan.Kernel;
        var sets = SetNames(plan);
        text.Section("identities", kernel.Identities
            .OrderBy(r => r.Key.Addr.ToIpAddr()).ThenBy(r => r.Key.PrefixBits)
            .Select(r => $"{Prefix(r.Key),-20} {IdentityName(plan, r.Value.Identity)}{((r.Value.Flags & (uint)IdentityFlag.Backend) != 0 ? " [dialled by the proxy]" : "")}"));
        text.Section("endpoints", kernel.Endpoints.Select(e =>
            $"{e.Name} {Addresses(e.Addresses)} {Interface(e.Attachment)}: {(e.PolicySet == 0 ? "no policy" : sets[e.PolicySet])}{(e.IsHeld ? " [does not fit]" : "")}"));
        text.Section("policy", sets.OrderBy(s => s.Value, StringComparer.Ordinal).SelectMany(s => SetLines(plan, s.Key, s.Value)));
        ServiceText.Write(plan, text);
    }

    private static string Prefix(IdentityKey key) => new IpPrefix(key.Addr.ToIpAddr(), (int)key.PrefixBits).ToString();

    private static string IdentityName(MeshPlan plan, uint id) => plan.Names.Identities.GetValueOrDefault(id) ?? $"identity {id}";

    private static string Addresses(ImmutableArray<IpAddr> addresses) => addresses.Length == 0 ? "(no address)" : string.Join(",", addresses);

    private static string Interface(Attachment at) =>
        !string.IsNullOrEmpty(at.HostInterface) ? $"interface {at.HostInterface}" : !string.IsNullOrEmpty(at.Netns) ? $"netns {at.Netns}" : $"uid {at.Uid}";

    // The same policies can make two sets: a named port may have two numbers.
    private static SortedDictionary<uint, string> SetNames(MeshPlan plan)
    {
        var names = new SortedDictionary<uint, string>();
        foreach (var group in plan.Names.PolicySets.GroupBy(s => s.Value, StringComparer.Ordinal))
        {
            var n = 0;
            foreach (var (id, name) in group.OrderBy(s => FirstUser(plan, s.Key)))
                names[id] = ++n == 1 ? name : $"{name} ({n})";
        }

        return names;
    }

    private static ObjectName FirstUser(MeshPlan plan, uint set) => plan.Kernel.Endpoints.First(e => e.PolicySet == set).Name;

    private static IEnumerable<string> SetLines(MeshPlan plan, uint set, string name)
    {
        yield return name;
        foreach (var direction in new[] { Direction.Ingress, Direction.Egress })
        {
            var members = plan.Kernel.PeerGroups.Keys.Select(k => k.Identity)
                .ToLookup(i => PolicyJudge.ClassOf(plan.Proxy.Policy, set, direction, i), i => IdentityName(plan, i));
            var rows = plan.Kernel.Verdicts.Where(v => v.Key.Set == set && v.Key.Direction == (byte)direction).ToLookup(v => v.Key.Klass);
            var classes = rows.Select(r => (r.Key, Name: r.Key == 0 ? "" : string.Join("; ", members[r.Key].Order(StringComparer.Ordinal))));
            foreach (var (klass, who) in classes.OrderBy(c => c.Name, StringComparer.Ordinal))
            {
                yield return $"  {direction.ToString().ToLowerInvariant()} {(direction == Direction.Ingress ? "from" : "to")} {(klass == 0 ? "others" : who)}";
                foreach (var (key, entry) in rows[klass].OrderBy(r => r.Key.PrefixBits > (uint)VerdictBits.Any).ThenBy(r => r.Key.Proto).ThenBy(r => r.Key.PortBe.ToHost()).ThenBy(r => r.Key.PrefixBits))
                {
                    yield return $"    {Ports(key),-16} {Verdict((Verdict)entry.Verdict)}{By(plan, entry.Rule)}";
                    if (entry.Audit != 0)
                        yield return $"      under audit: {Verdict((Verdict)entry.Audit)}{By(plan, entry.AuditRule)}";
                    if (plan.Proxy.Policy.Http.TryGetValue(key, out var http))
                        foreach (var line in HttpLines(http))
                            yield return $"      {line}";
                }
            }
        }
    }

    private static string Ports(VerdictKey key)
    {
        if (key.PrefixBits <= (uint)VerdictBits.Any)
            return "any";
        var protocol = Enum.IsDefined((Protocol)key.Proto) ? ((Protocol)key.Proto).ToString().ToLowerInvariant() : $"protocol {key.Proto}";
        if (key.PrefixBits == (uint)VerdictBits.Proto)
            return protocol;
        var first = key.PortBe.ToHost();
        var last = first + (1 << (int)((uint)VerdictBits.Full - key.PrefixBits)) - 1;
        return (Protocol)key.Proto is Protocol.Icmp or Protocol.Icmpv6
            ? $"{protocol} type {Numbers(first >> 8, last >> 8)}{(first >> 8 == last >> 8 && last - first < 0xff ? $" code {Numbers(first & 0xff, last & 0xff)}" : "")}"
            : $"{protocol} {Numbers(first, last)}";
    }

    private static string Numbers(int first, int last) => first == last ? $"{first}" : $"{first}-{last}";

    private static string By(MeshPlan plan, uint rule) => rule == 0 ? "" : $" by {plan.Names.Rules.GetValueOrDefault(rule) ?? $"rule {rule}"}";

    private static string Verdict(Verdict verdict) => verdict switch
    {
        Abi.Verdict.Allow => "allow",
        Abi.Verdict.Deny => "deny",
        Abi.Verdict.DefaultDeny => "deny by default",
        Abi.Verdict.Redirect => "ask the proxy",
        _ => verdict.ToString(),
    };

    private static IEnumerable<string> HttpLines(HttpPolicyPlan http)
    {
        foreach (var rule in http.Deny)
            yield return $"deny {HttpText(rule.Match)} ({rule.Policy})";
        foreach (var rule in http.Allow)
            yield return $"allow {HttpText(rule.Match)} ({rule.Policy})";
        yield return $"else {(http.AllowAll ? "allow" : "deny")}{(http.Rest is { } decides ? $" by {decides}" : "")}";
        if (http.Audit is { } audit)
            foreach (var line in HttpLines(audit))
                yield return $"under audit: {line}";
    }

    private static string HttpText(HttpMatch match)
    {
        var parts = new List<string>();
        if (match.Methods.Length > 0)
            parts.Add(string.Join("|", match.Methods));
        if (match.Paths.Length > 0)
            parts.Add($"path {string.Join("|", match.Paths.Select(ProxyText.Match))}");
        if (match.Hosts.Length > 0)
            parts.Add($"host {string.Join("|", match.Hosts)}");
        parts.AddRange(match.Headers.Select(h => $"header {h.Name} {ProxyText.Match(new StringMatch(h.Type, h.Value))}"));
        return parts.Count == 0 ? "every request" : string.Join(", ", parts);
    }
}
