using NodeMesh.Native;
using NodeMesh.Native.Netlink;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath.Attach;

/// <summary>
/// Delivers marked packets on this host. The first rule keeps reverse-path lookups (which use the mark where src_valid_mark is set) and marked local output on the
/// main table; the second sends marked packets to a table in which every address is local.
/// </summary>
internal sealed class ProxyRoutes(DatapathOptions options, NetlinkSocket netlink)
{
    /// <summary>RTPROT_* of our own, by which cleanup knows what is ours whatever the options were.</summary>
    internal const byte Protocol = 173;
    private const int NoFamily = 97; // EAFNOSUPPORT
    private static readonly IpFamily[] s_families = [IpFamily.V4, IpFamily.V6];

    /// <summary>Adds what is missing. How many.</summary>
    /// <param name="problems">What failed, in words.</param>
    public int Ensure(List<string> problems)
    {
        var changes = 0;
        foreach (var family in s_families)
        {
            try
            {
                changes += Ensure(family);
            }
            catch (SyscallException e) when (family == IpFamily.V6 && e.Errno is NoFamily or Errno.EOPNOTSUPP)
            {
                // A host without IPv6 needs no IPv6 rules.
            }
            catch (SyscallException e)
            {
                problems.Add(e.Message);
            }
        }

        return changes;
    }

    /// <summary>Removes every rule and route of ours.</summary>
    public static int Remove(NetlinkSocket netlink)
    {
        var changes = 0;
        foreach (var family in s_families)
        {
            foreach (var rule in RtRules.DumpRules(netlink, family).Where(r => r.Protocol == Protocol))
            {
                RtRules.Remove(netlink, rule);
                changes++;
            }

            foreach (var route in RtRules.DumpLocalDefaults(netlink, family).Where(r => r.Protocol == Protocol))
            {
                RtRules.Remove(netlink, route);
                changes++;
            }
        }

        return changes;
    }

    private int Ensure(IpFamily family)
    {
        var mark = (uint)Mark.Deliver << options.MarkShift;
        var mask = 3u << options.MarkShift;
        IpRule[] wanted =
        [
            new(family, options.RulePreference - 1, "lo", mark, mask, RtRules.MainTable, Protocol),
            new(family, options.RulePreference, "", mark, mask, options.RouteTable, Protocol),
        ];
        var route = new LocalDefaultRoute(family, options.RouteTable, Protocol);
        var changes = 0;

        if (!RtRules.DumpLocalDefaults(netlink, family).Contains(route))
        {
            RtRules.Add(netlink, route);
            changes++;
        }

        var there = RtRules.DumpRules(netlink, family);
        foreach (var rule in wanted.Where(r => !there.Contains(r)))
        {
            RtRules.Add(netlink, rule);
            changes++;
        }

        // Left by an agent with other options.
        foreach (var rule in there.Where(r => r.Protocol == Protocol && !wanted.Contains(r)))
        {
            RtRules.Remove(netlink, rule);
            changes++;
        }

        return changes;
    }
}
