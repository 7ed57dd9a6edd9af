using NodeMesh.Model;
using NodeMesh.Native;
using NodeMesh.Native.Namespaces;
using NodeMesh.Native.Netlink;
using NodeMesh.Plan;

namespace NodeMesh.Datapath.Attach;

/// <summary>How a pod is reached.</summary>
/// <param name="Ifindex">Of the host's end.</param>
/// <param name="Mtu">Of the host's end; 0 when packets may not be put straight into the pod.</param>
/// <param name="PodMac">Of the pod's end; like <paramref name="HostMac"/> zero when <paramref name="Mtu"/> is.</param>
internal sealed record PodLink(int Ifindex, int Mtu, MacAddress PodMac, MacAddress HostMac);

/// <param name="Interfaces">Host-side interface of each endpoint that was found.</param>
/// <param name="Missing">Why each other endpoint was not.</param>
/// <param name="Devices">Interfaces toward other nodes and the world.</param>
internal sealed record ResolvedInterfaces(
    IReadOnlyDictionary<EndpointPlan, PodLink> Interfaces, IReadOnlyDictionary<EndpointPlan, string> Missing, IReadOnlyList<NetInterface> Devices);

/// <summary>
/// Finds endpoints' host-side interfaces and the node's own devices. Reads the host anew each time; what it says is never guessed. Pods' namespaces are asked again
/// when any interface of the host is not as it was: a pod cannot come, go or change its end of a veth pair for another without that.
/// </summary>
internal sealed class InterfaceResolver(DatapathOptions options, NetlinkSocket netlink)
{
    private const byte LinkScope = 253;

    private Dictionary<ObjectName, NetInterface> _last = [];
    private List<NetInterface> _host = [];
    private Dictionary<(ObjectName, Attachment), PodLink> _links = [];

    // Interfaces of pods' namespaces by the number that the node's has for each; read once a round.
    private readonly Dictionary<int, List<NetInterface>> _insides = [];

    /// <param name="anew">Also asks namespaces of which nothing says that they changed: within one, a link address may be set.</param>
    public ResolvedInterfaces Resolve(IReadOnlyCollection<EndpointPlan> endpoints, bool anew)
    {
        var host = RtLinks.Dump(netlink);
        var known = anew || !host.SequenceEqual(_host) ? [] : _links;
        _insides.Clear();
        var found = new Dictionary<EndpointPlan, int>();
        var taken = new Dictionary<int, EndpointPlan>();
        var missing = new Dictionary<EndpointPlan, string>();
        foreach (var endpoint in endpoints)
        {
            var (ifindex, reason) = known.TryGetValue((endpoint.Name, endpoint.Attachment), out var link) ? (link.Ifindex, "") : Find(endpoint, host);
            if (ifindex == 0)
                missing[endpoint] = reason;
            else if (!taken.TryAdd(ifindex, endpoint))
                missing[endpoint] = $"its interface (ifindex {ifindex}) is already that of {taken[ifindex].Name}";
            else
                found[endpoint] = ifindex;
        }

        // A namespace that cannot be asked for a moment must not take a living pod out of policy: its interface is still there, and nobody else's.
        var byIndex = host.ToDictionary(i => i.Ifindex);
        foreach (var endpoint in missing.Keys.ToArray())
        {
            if (_last.TryGetValue(endpoint.Name, out var before) && byIndex.TryGetValue(before.Ifindex, out var there) && IsSame(there, before) && taken.TryAdd(before.Ifindex, endpoint))
            {
                missing.Remove(endpoint);
                found[endpoint] = before.Ifindex;
            }
        }

        _last = found.ToDictionary(f => f.Key.Name, f => byIndex[f.Value]);
        var links = found.ToDictionary(f => f.Key, f => known.GetValueOrDefault((f.Key.Name, f.Key.Attachment)) ?? LinkOf(byIndex[f.Value], f.Value));
        (_host, _links) = (host, links.Where(l => l.Value.Mtu > 0).ToDictionary(l => (l.Key.Name, l.Key.Attachment), l => l.Value));
        return new ResolvedInterfaces(links, missing, Devices(host, found.Values.ToHashSet()));
    }

    /// <summary>Straight into the pod leads only a veth whose other end is the pod's own interface: not a port of a bridge, behind which stands another link address.</summary>
    private PodLink LinkOf(NetInterface? host, int ifindex)
    {
        if (host is not { Kind: "veth", PeerNetnsId: >= 0 })
            return new PodLink(ifindex, 0, default, default);
        try
        {
            return Inside(host.PeerNetnsId).Find(i => i.Ifindex == host.PeerIfindex) is { Master: 0 } pod && pod.Mac != default && host.Mac != default
                ? new PodLink(ifindex, host.Mtu, pod.Mac, host.Mac)
                : new PodLink(ifindex, 0, default, default);
        }
        catch (SyscallException)
        {
            // The namespace went away meanwhile: its pod will, too.
            return new PodLink(ifindex, 0, default, default);
        }
    }

    /// <summary>A number is given out again, by hand even at once; the same number with all else the same is the same interface.</summary>
    private static bool IsSame(NetInterface one, NetInterface other) =>
        one.Ifindex == other.Ifindex && one.Name == other.Name && one.Mac == other.Mac && one.PeerIfindex == other.PeerIfindex && one.PeerNetnsId == other.PeerNetnsId;

    private List<NetInterface> Inside(int netnsId)
    {
        if (!_insides.TryGetValue(netnsId, out var inside))
            _insides.Add(netnsId, inside = RtLinks.Dump(netlink, netnsId));
        return inside;
    }

    private (int Ifindex, string Reason) Find(EndpointPlan endpoint, List<NetInterface> host)
    {
        var attachment = endpoint.Attachment;
        if (!string.IsNullOrEmpty(attachment.HostInterface))
        {
            var named = host.Find(i => i.Name == attachment.HostInterface);
            return named is null ? (0, $"no interface {attachment.HostInterface} on this node") : (named.Ifindex, "");
        }

        if (string.IsNullOrEmpty(attachment.Netns))
            return (0, "it names neither network namespace nor host-side interface");
        try
        {
            using var netns = NetNamespace.Open(attachment.Netns);
            var id = RtLinks.NetnsId(netlink, netns.Handle);
            var sides = RtLinks.HostSides(host, Inside(id), id);
            return sides.Count switch
            {
                0 => (0, $"no veth of this host leads into {netns.Path}"),
                1 => (sides[0].Ifindex, ""),
                _ => (0, $"{sides.Count} veths of this host lead into {netns.Path} ({string.Join(", ", sides.Select(s => s.Name))}). Cure: name one with the annotation nodemesh.io/host-interface"),
            };
        }
        catch (SyscallException e)
        {
            return (0, e.Errno == Errno.ENOENT ? $"network namespace {NetNamespace.PathOf(attachment.Netns)} does not exist" : e.Message);
        }
    }

    private List<NetInterface> Devices(List<NetInterface> host, HashSet<int> pods)
    {
        if (options.NodeDevices.Count > 0)
            return host.Where(i => options.NodeDevices.Contains(i.Name)).ToList();

        // Every veth has a link-local IPv6 address of its own; that does not make it a way to the world.
        var addressed = RtAddresses.Dump(netlink).Where(a => a.Scope != LinkScope).Select(a => a.Ifindex).ToHashSet();
        return host.Where(i => !i.IsLoopback && addressed.Contains(i.Ifindex) && !pods.Contains(i.Ifindex)).ToList();
    }
}
