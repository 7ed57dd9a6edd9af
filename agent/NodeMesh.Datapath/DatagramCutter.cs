using NodeMesh.Datapath.Load;
using NodeMesh.Datapath.Tables;
using NodeMesh.Native;
using NodeMesh.Native.Namespaces;
using NodeMesh.Native.Netlink;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath;

/// <summary>
/// A UDP socket that is connected to a backend by a service sends past every hook but its interface's: when the backend goes, nobody could tell it. So it is ended,
/// and its owner, told by ECONNABORTED, asks the service anew. TCP is left to its own peers.
/// </summary>
internal sealed class DatagramCutter(LoadedObjects objects)
{
    private const byte Udp = 17;

    /// <param name="gone">Backends that are no more, of any protocol.</param>
    /// <param name="endpoints">Pods of this node: their network namespaces are looked through, and the node's own.</param>
    /// <param name="problems">What failed, in words.</param>
    /// <returns>How many sockets were ended.</returns>
    public int Cut(IReadOnlyList<BackendEntry> gone, IEnumerable<EndpointPlan> endpoints, List<string> problems)
    {
        var addresses = gone.Where(b => b.Proto == Udp).Select(b => (b.Addr, b.PortBe)).ToHashSet();
        if (addresses.Count == 0)
            return 0;

        var cookies = Sockets(addresses);
        if (cookies.Count == 0)
            return 0;
        var ended = Try("this node", () => SocketDiag.DestroyUdp(cookies), problems);
        foreach (var name in endpoints.Select(e => e.Attachment.Netns).OfType<string>().Where(n => n.Length > 0).Distinct())
        {
            ended += Try(name, () =>
            {
                using var netns = NetNamespace.Open(name);
                return netns.Run(() => SocketDiag.DestroyUdp(cookies));
            }, problems);
        }

        return ended;
    }

    /// <summary>Cookies of sockets that a service led to one of these.</summary>
    private HashSet<ulong> Sockets(HashSet<(Addr Addr, Be16 PortBe)> backends)
    {
        using var map = objects.OpenMap<ReverseKey, ReverseEntry>(MapCatalog.Reverse);
        return map.ReadAll().Keys.Where(k => k.Proto == Udp && backends.Contains((k.Addr, k.PortBe))).Select(k => k.Cookie).ToHashSet();
    }

    private static int Try(string where, Func<(int Ended, int Errno)> destroy, List<string> problems)
    {
        try
        {
            var (ended, errno) = destroy();
            if (errno != 0)
                problems.Add($"UDP sockets of {where} that were connected to a gone backend could not be ended: {Errno.Describe(errno)}");
            return ended;
        }
        catch (SyscallException e) when (e.Errno == Errno.ENOENT)
        {
            // The pod went away meanwhile, and its sockets with it.
            return 0;
        }
        catch (SyscallException e)
        {
            problems.Add($"UDP sockets of {where} could not be looked through: {e.Message}");
            return 0;
        }
    }
}
