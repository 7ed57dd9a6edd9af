using NodeMesh.Datapath.Attach;
using NodeMesh.Datapath.Load;
using NodeMesh.Native.Bpf;
using NodeMesh.Native.Netlink;

namespace NodeMesh.Datapath;

/// <param name="Removed">What was taken off, in words; empty when there was nothing.</param>
public sealed record CleanupReport(IReadOnlyList<string> Removed);

/// <summary>Takes everything of NodeMesh off the node. May be called any number of times.</summary>
public static class Cleaner
{
    /// <exception cref="NodeFaultException">SecondAgent: an agent runs and would put everything back.</exception>
    public static CleanupReport Run(DatapathOptions options)
    {
        using var agentLock = AgentLock.Take(options.RunDirectory);
        using var netlink = new NetlinkSocket();
        var removed = new List<string>();
        if (ExpeditedRcu.Restore(options.RunDirectory))
            removed.Add($"{ExpeditedRcu.KernelSwitch} that was left on");
        using var rcu = options.ExpediteRcu ? ExpeditedRcu.Begin(options.RunDirectory) : null;

        var pins = PinTree.At(options.BpffsPath);
        if (Directory.Exists(pins.Base))
        {
            using var pinLock = AgentLock.TakePins(pins);
            foreach (var generation in Directory.GetDirectories(pins.Base))
                removed.Add($"{RemovePins(generation).Removed} pins in {generation}");
            Directory.Delete(pins.Base);
        }

        foreach (var filter in ClsactHooks.OursOnNode(netlink).ToArray())
        {
            RtFilters.Remove(netlink, filter);
            removed.Add($"filter {filter.Name} at ifindex {filter.Ifindex}");
            if (RtFilters.Dump(netlink, filter.Ifindex, ingress: true).Count + RtFilters.Dump(netlink, filter.Ifindex, ingress: false).Count == 0)
                RtFilters.RemoveClsact(netlink, filter.Ifindex);
        }

        var routes = ProxyRoutes.Remove(netlink);
        if (routes > 0)
            removed.Add($"{routes} routing rules and routes");

        File.Delete(Path.Combine(options.RunDirectory, "agent.lock"));
        return new CleanupReport(removed);
    }

    /// <summary>Undoes a first start that failed on the way: what an earlier agent left is not touched.</summary>
    internal static void RemoveGeneration(DatapathOptions options)
    {
        var pins = PinTree.At(options.BpffsPath);
        if (!Directory.Exists(pins.Generation))
            return;
        RemovePins(pins.Generation);
        if (!pins.OtherGenerations.Any())
            Directory.Delete(pins.Base);
    }

    /// <summary>Detaches and unpins everything below a folder, links first, and removes the folder unless some stay.</summary>
    /// <param name="stays">By a link's name and interface, whether it does; null: none does.</param>
    /// <returns>How many pins were removed and how many were not.</returns>
    internal static (int Removed, int Kept) RemovePins(string generation, Func<string, int, bool>? stays = null)
    {
        var count = 0;
        var kept = new HashSet<string>(StringComparer.Ordinal);
        var links = Path.Combine(generation, "links");
        if (Directory.Exists(links))
        {
            foreach (var path in Directory.GetFiles(links))
            {
                using var link = BpfLink.OpenPinned(path);

                if (link is { Facts: { IsDetached: false } facts })
                {
                    if (stays?.Invoke(Path.GetFileName(path), (int)facts.Ifindex) == true)
                    {
                        kept.Add(path);
                        continue;
                    }

                    // Removing the pin would do it too, but only some time after this call.
                    link.Detach();
                }

                File.Delete(path);
                count++;
            }
        }

        foreach (var path in Directory.GetFiles(generation, "*", SearchOption.AllDirectories).Where(p => !kept.Contains(p)))
        {
            File.Delete(path);
            count++;
        }

        if (kept.Count > 0)
            return (count, kept.Count);
        foreach (var directory in Directory.GetDirectories(generation, "*", SearchOption.AllDirectories).OrderByDescending(d => d.Length))
            Directory.Delete(directory);
        Directory.Delete(generation);
        return (count, 0);
    }
}
