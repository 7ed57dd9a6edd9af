using System.Net;
using NodeMesh.Datapath.Attach;
using NodeMesh.Datapath.Load;
using NodeMesh.Datapath.Tables;
using NodeMesh.Native;
using NodeMesh.Native.Namespaces;
using NodeMesh.Native.Netlink;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Datapath;

/// <summary>
/// A UDP socket that is connected to a backend by a service sends past every hook but its interface's: when the service loses the backend, nobody could tell it. So it
/// is ended, and its owner, told by ECONNABORTED, asks the service anew. TCP is left to its own peers.
/// </summary>
internal sealed class DatagramCutter(LoadedObjects objects, NetlinkSocket netlink)
{
    private const byte Udp = 17;

    /// <param name="tables">As the round left them.</param>
    /// <param name="endpoints">Pods of this node: their network namespaces are looked through, and the node's own.</param>
    /// <param name="links">Of those that were found: a pod that names no namespace is looked for behind its interface.</param>
    /// <param name="problems">What failed, in words.</param>
    /// <returns>How many sockets were ended.</returns>
    public int Cut(KernelTables tables, IReadOnlyCollection<EndpointPlan> endpoints, IReadOnlyDictionary<EndpointPlan, PodLink> links, List<string> problems)
    {
        if (!tables.TakeDatagramsMoved())
            return 0;

        var lost = Lost(tables);
        if (lost.Count == 0)
            return 0;
        var ended = Try("this node", () => SocketDiag.DestroyUdp(lost), problems);
        foreach (var name in endpoints.Select(e => NetnsOf(e, links)).Where(n => n.Length > 0).Distinct())
        {
            ended += Try(name, () =>
            {
                using var netns = NetNamespace.Open(name);
                return netns.Run(() => SocketDiag.DestroyUdp(lost));
            }, problems);
        }

        return ended + CutBehindInterfaces(lost, endpoints, links, problems);
    }

    /// <summary>Empty when only its interface is known.</summary>
    private static string NetnsOf(EndpointPlan endpoint, IReadOnlyDictionary<EndpointPlan, PodLink> links) =>
        links.TryGetValue(endpoint, out var link) && link.Netns.Length > 0 ? link.Netns : endpoint.Attachment.Netns ?? "";

    private int CutBehindInterfaces(
        HashSet<(ulong, IPEndPoint)> lost, IReadOnlyCollection<EndpointPlan> endpoints, IReadOnlyDictionary<EndpointPlan, PodLink> links, List<string> problems)
    {
        var wanted = new Dictionary<int, string>();
        foreach (var endpoint in endpoints.Where(e => NetnsOf(e, links).Length == 0))
        {
            if (!links.TryGetValue(endpoint, out var link))
                continue;
            if (link.NetnsId >= 0)
                wanted[link.NetnsId] = endpoint.Name.ToString();
            else
                problems.Add($"UDP sockets of pod {endpoint.Name} that lost their backend go on: its interface is no veth, behind which its network namespace could be found. Cure: name that with the annotation nodemesh.io/netns");
        }

        if (wanted.Count == 0)
            return 0;
        var ended = 0;
        foreach (var netns in NetNamespace.Reachable())
        {
            using (netns)
            {
                if (wanted.Remove(RtLinks.KnownNetnsId(netlink, netns.Handle), out var pod))
                    ended += Try(pod, () => netns.Run(() => SocketDiag.DestroyUdp(lost)), problems);
            }

            if (wanted.Count == 0)
                break;
        }

        foreach (var pod in wanted.Values)
            problems.Add($"UDP sockets of pod {pod} that lost their backend go on: no process and no name under /run/netns leads to its network namespace");
        return ended;
    }

    /// <summary>Sockets, by cookie, and what they are connected to, of services that lost this backend.</summary>
    private HashSet<(ulong Cookie, IPEndPoint Remote)> Lost(KernelTables tables)
    {
        using var map = objects.OpenMap<ReverseKey, ReverseEntry>(MapCatalog.Reverse);
        var services = new Dictionary<FrontendKey, HashSet<(Addr, Be16)>>();
        var lost = new HashSet<(ulong, IPEndPoint)>();
        foreach (var (socket, address) in map.ReadAll())
        {
            if (socket.Proto != Udp)
                continue;
            var service = new FrontendKey { Addr = address.Addr, PortBe = address.PortBe, Proto = Udp };
            if (!services.TryGetValue(service, out var backends))
                services.Add(service, backends = tables.BackendsOf(service));
            if (!backends.Contains((socket.Addr, socket.PortBe)))
                lost.Add((socket.Cookie, new IPEndPoint(socket.Addr.ToIpAddr().ToIPAddress().MapToIPv6(), socket.PortBe.ToHost())));
        }

        return lost;
    }

    private static int Try(string where, Func<(int Ended, int Errno)> destroy, List<string> problems)
    {
        try
        {
            var (ended, errno) = destroy();
            if (errno != 0)
                problems.Add($"UDP sockets of {where} that lost their backend could not be ended: {Errno.Describe(errno)}");
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
