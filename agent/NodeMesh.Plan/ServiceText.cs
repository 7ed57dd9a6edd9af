using System.Globalization;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Plan;

/// <summary>Frontends and the backends behind them as text.</summary>
internal static class ServiceText
{
    public static void Write(MeshPlan plan, TextSections text) => text.Section("services", plan.Kernel.Frontends
        .OrderBy(f => plan.Names.Services.GetValueOrDefault(f.Value.Service), StringComparer.Ordinal)
        .ThenBy(f => plan.Names.Frontends.GetValueOrDefault(f.Key)).ThenBy(f => f.Key.Addr.ToIpAddr()).ThenBy(f => f.Key.PortBe.ToHost())
        .SelectMany(f => Lines(plan, f.Key, f.Value)));

    private static IEnumerable<string> Lines(MeshPlan plan, FrontendKey key, FrontendEntry entry)
    {
        var name = plan.Names.Services.GetValueOrDefault(entry.Service) ?? $"service {entry.Service}";
        var flags = (FrontendFlag)entry.Flags;
        var head = $"{name} at {Kind(plan, key)}{key.Addr.ToIpAddr().WithPort(key.PortBe.ToHost())}{Traits(plan, entry, flags)}";
        var isSplit = entry.Inside != entry.Outside || flags.HasFlag(FrontendFlag.DropInside) != flags.HasFlag(FrontendFlag.DropOutside);
        if (!isSplit)
        {
            yield return head + Nobody(entry.Inside, flags.HasFlag(FrontendFlag.DropInside));
            foreach (var line in Backends(plan, entry.Inside, flags))
                yield return $"  {line}";
            yield break;
        }

        yield return head;
        yield return $"  from pods and the node{Nobody(entry.Inside, flags.HasFlag(FrontendFlag.DropInside))}";
        foreach (var line in Backends(plan, entry.Inside, flags))
            yield return $"    {line}";
        yield return $"  from outside{Nobody(entry.Outside, flags.HasFlag(FrontendFlag.DropOutside))}";
        foreach (var line in Backends(plan, entry.Outside, flags))
            yield return $"    {line}";
    }

    private static string Kind(MeshPlan plan, FrontendKey key) => plan.Names.Frontends.GetValueOrDefault(key) switch
    {
        FrontendKind.NodePort => "node port ",
        FrontendKind.ExternalIp => "external address ",
        FrontendKind.LoadBalancerIp => "load balancer address ",
        FrontendKind.HostPort => "host port ",
        _ => "",
    };

    private static string Traits(MeshPlan plan, FrontendEntry entry, FrontendFlag flags)
    {
        var traits = new List<string>();
        if (flags.HasFlag(FrontendFlag.L7))
            traits.Add("through the proxy");
        if (flags.HasFlag(FrontendFlag.Maglev))
            traits.Add("maglev");
        if (flags.HasFlag(FrontendFlag.Affinity))
            traits.Add(string.Create(CultureInfo.InvariantCulture, $"a client keeps its backend for {entry.AffinityS} s"));
        if (flags.HasFlag(FrontendFlag.KeepSource))
            traits.Add("the client's address stays");
        if (flags.HasFlag(FrontendFlag.Ranges))
            traits.Add($"from outside for {plan.Names.SourceRanges.GetValueOrDefault(entry.Ranges)}");
        if (flags.HasFlag(FrontendFlag.OnNode))
            traits.Add("for processes of the node");
        return string.Concat(traits.Select(t => $" [{t}]"));
    }

    private static string Nobody(Group group, bool isDropped) => group.Slots > 0 ? "" : isDropped ? ": no backend here, dropped" : ": no backend";

    /// <summary>In the order of the slots; of a Maglev table each backend once with its share.</summary>
    private static IEnumerable<string> Backends(MeshPlan plan, Group group, FrontendFlag flags)
    {
        var slots = Enumerable.Range(0, (int)group.Slots)
            .Select(slot => plan.Kernel.Backends[new BackendKey { Backend = plan.Kernel.Slots[new SlotKey { Group = group.Id, Slot = (uint)slot }].Backend }]);
        return flags.HasFlag(FrontendFlag.Maglev)
            ? slots.GroupBy(b => b).OrderBy(b => b.Key.Addr.ToIpAddr()).ThenBy(b => b.Key.PortBe.ToHost())
                .Select(b => string.Create(CultureInfo.InvariantCulture, $"{Text(b.Key)} in {b.Count()} of {group.Slots} places"))
            : slots.Select(Text);
    }

    private static string Text(BackendEntry backend) => backend.Addr.ToIpAddr().WithPort(backend.PortBe.ToHost());
}
