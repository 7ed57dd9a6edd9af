using System.Collections.Immutable;
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
/// <param name="NetnsId">The node's number for the namespace that the other end is in; -1 when it is no veth, or stays here.</param>
internal sealed record PodLink(int Ifindex, int Mtu, MacAddress PodMac, MacAddress HostMac, int NetnsId = -1)
{
    /// <summary>Where its network namespace was found; empty when nobody had to look for it.</summary>
    public string Netns { get; init; } = "";

    /// <summary>Found by the pod's processes, not by what is written in its object.</summary>
    public bool IsShown { get; init; }

    /// <summary>What the kernel calls the pod's network namespace for sockets; 0 when it is not known.</summary>
    public ulong NetnsCookie { get; init; }

    /// <summary>Those of the pod's own interface; looked for only while nobody else has said any.</summary>
    public ImmutableArray<IpAddr> Addresses { get; init; } = [];
}

/// <param name="Interfaces">Host-side interface of each endpoint that was found.</param>
/// <param name="Missing">Why each other endpoint was not.</param>
/// <param name="Devices">Interfaces toward other nodes and the world.</param>
internal sealed record ResolvedInterfaces(
    IReadOnlyDictionary<EndpointPlan, PodLink> Interfaces, IReadOnlyDictionary<EndpointPlan, string> Missing, IReadOnlyList<NetInterface> Devices);

/// <summary>
/// Finds endpoints' host-side interfaces and the node's own devices. Reads the host; what it says is never guessed. Pods' namespaces are asked again
/// when any interface of the host is not as it was: a pod cannot come, go or change its end of a veth pair for another without that.
/// </summary>
internal sealed class InterfaceResolver(DatapathOptions options, NetlinkSocket netlink, PodNamespaces pods)
{
    private const byte LinkScope = 253;

    private Dictionary<(ObjectName, string?), NetInterface> _last = [];
    private List<NetInterface> _host = [];
    private HashSet<int> _addressed = [];
    private Dictionary<(ObjectName, Attachment), PodLink> _links = [];
    private ImmutableArray<EndpointPlan> _endpoints;
    private ResolvedInterfaces? _settled;

    // Pods that were not found by their uids, and the namespaces that they were then in.
    private readonly Dictionary<string, string> _awaited = new(StringComparer.Ordinal);

    // To ask for one takes a thread; a veth that leads elsewhere is another one.
    private Dictionary<(int Ifindex, int NetnsId, MacAddress Mac), ulong> _cookies = [];

    // Interfaces of pods' namespaces by the number that the node's has for each; read once a round.
    private readonly Dictionary<int, List<NetInterface>> _insides = [];

    /// <summary>Whether a pod was not found that its processes will show.</summary>
    public bool AwaitsProcesses => _awaited.Count > 0;

    /// <summary>Whether one of those shows itself now: no notice tells of that, since its interface was there before.</summary>
    public bool HasArrival() => _awaited.Any(pod => pods.Find(pod.Key).Which is { Length: > 0 } now && now != pod.Value);

    /// <param name="look">Reads the host again. Without it only for a pod that is new; then there must have been no notice of an interface or address since the last time.</param>
    /// <param name="anew">Also asks namespaces of which nothing says that they changed: within one, a link address may be set.</param>
    /// <returns>The very object of the last time when nothing can be otherwise.</returns>
    public ResolvedInterfaces Resolve(ImmutableArray<EndpointPlan> endpoints, bool look, bool anew)
    {
        var arrived = HasArrival();
        if (!look && !anew && !arrived && endpoints == _endpoints && _settled is { } same)
            return same;
        look |= anew || arrived || endpoints.Any(e => !_links.ContainsKey((e.Name, e.Attachment)));
        var host = look ? RtLinks.Dump(netlink) : _host;
        var known = anew || arrived || !host.SequenceEqual(_host) ? [] : _links;

        if (look)
            _addressed = WithNetwork(RtAddresses.Dump(netlink), host);
        _insides.Clear();
        _awaited.Clear();
        var found = new Dictionary<EndpointPlan, Way>();
        var taken = new Dictionary<int, EndpointPlan>();
        var missing = new Dictionary<EndpointPlan, string>();

        // What the runtime and the kernel show comes before what a pod's own annotations claim. Without a look all is as it was found last.
        foreach (var isShown in (ReadOnlySpan<bool>)[true, false])
        {
            foreach (var endpoint in endpoints.Where(e => !found.ContainsKey(e)))
            {
                var way = known.TryGetValue((endpoint.Name, endpoint.Attachment), out var link) && (link.IsShown == isShown || !look) ? new Way(link.Ifindex, link.Netns, link.IsShown, "")
                    : isShown ? ByProcess(endpoint, host) : ByName(endpoint, host);
                if (way.Ifindex != 0 && taken.TryAdd(way.Ifindex, endpoint))
                    found[endpoint] = way;
                else if (way.Ifindex != 0)
                    missing[endpoint] = $"its interface (ifindex {way.Ifindex}) is already that of {taken[way.Ifindex].Name}";
                else if (way.Reason.Length > 0)
                    missing[endpoint] = way.Reason;
            }
        }

        foreach (var endpoint in found.Keys)
        {
            missing.Remove(endpoint);
            _awaited.Remove(endpoint.Attachment.Uid ?? "");
        }

        // A namespace that cannot be asked for a moment must not take a living pod out of policy: its interface is still there, and nobody else's.
        var byIndex = host.ToDictionary(i => i.Ifindex);
        foreach (var endpoint in missing.Keys.ToArray())
        {
            if (_last.TryGetValue(Incarnation(endpoint), out var before) && byIndex.TryGetValue(before.Ifindex, out var there) && IsSame(there, before) && taken.TryAdd(before.Ifindex, endpoint))
            {
                missing.Remove(endpoint);
                found[endpoint] = new Way(before.Ifindex, "", false, "");
            }
        }

        _last = found.ToDictionary(f => Incarnation(f.Key), f => byIndex[f.Value.Ifindex]);
        var links = found.ToDictionary(f => f.Key, f =>
            known.GetValueOrDefault((f.Key.Name, f.Key.Attachment)) ?? LinkOf(byIndex[f.Value.Ifindex], f.Value.Ifindex) with { Netns = f.Value.Netns, IsShown = f.Value.IsShown });
        var cookies = new Dictionary<(int Ifindex, int NetnsId, MacAddress Mac), ulong>();
        foreach (var (endpoint, link) in links.ToList())
            links[endpoint] = link with
            {
                NetnsCookie = CookieOf(link.Netns.Length > 0 ? link.Netns : endpoint.Attachment.Netns, byIndex[link.Ifindex], cookies),
                Addresses = endpoint.Addresses.Length > 0 ? [] : link.Addresses.Length > 0 ? link.Addresses : AddressesOf(byIndex[link.Ifindex], link),
            };
        _cookies = cookies;
        (_host, _links) = (host, links.Where(l => l.Value.Mtu > 0).ToDictionary(l => (l.Key.Name, l.Key.Attachment), l => l.Value));
        var resolved = new ResolvedInterfaces(links, missing, Devices(host, found.Values.Select(f => f.Ifindex).ToHashSet()));
        _endpoints = endpoints;
        _settled = _links.Count == endpoints.Length && !links.Any(l => l.Key.Addresses.Length + l.Value.Addresses.Length == 0) ? resolved : null;
        return resolved;
    }

    /// <summary>The interface of a pod's last sandbox is not that of its next one.</summary>
    private static (ObjectName, string?) Incarnation(EndpointPlan endpoint) => (endpoint.Name, endpoint.Attachment.Sandbox);

    /// <summary>Straight into the pod leads only a veth whose other end is the pod's own interface: not a port of a bridge, behind which stands another link address.</summary>
    private PodLink LinkOf(NetInterface? host, int ifindex)
    {
        if (host is not { Kind: "veth", PeerNetnsId: >= 0 })
            return new PodLink(ifindex, 0, default, default);
        try
        {
            return Inside(host.PeerNetnsId).Find(i => i.Ifindex == host.PeerIfindex) is { Master: 0 } pod && pod.Mac != default && host.Mac != default
                ? new PodLink(ifindex, host.Mtu, pod.Mac, host.Mac, host.PeerNetnsId)
                : new PodLink(ifindex, 0, default, default, host.PeerNetnsId);
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

    private ulong CookieOf(string? path, NetInterface? host, Dictionary<(int Ifindex, int NetnsId, MacAddress Mac), ulong> known)
    {
        if (host is not { PeerNetnsId: >= 0 } || string.IsNullOrEmpty(path))
            return 0;
        var key = (host.Ifindex, host.PeerNetnsId, host.Mac);
        if (!_cookies.TryGetValue(key, out var cookie))
        {
            try
            {
                using var netns = NetNamespace.Open(path);
                cookie = netns.Cookie();
            }
            catch (SyscallException)
            {
                // As above; and no more hangs on it than how soon the pod learns that it was refused.
                return 0;
            }
        }

        known[key] = cookie;
        return cookie;
    }

    /// <summary>A pod runs a moment before the API server knows its address. What the network plugin gave its interface by then is its own.</summary>
    private ImmutableArray<IpAddr> AddressesOf(NetInterface host, PodLink link)
    {
        if (link.Mtu == 0)
            return [];
        try
        {
            return [.. RtAddresses.Dump(netlink, link.NetnsId).Where(a => a.Ifindex == host.PeerIfindex && a.Scope != LinkScope).Select(a => IpAddr.From(a.Address))];
        }
        catch (SyscallException)
        {
            // As for its interfaces; and the API server will say.
            return [];
        }
    }

    private List<NetInterface> Inside(int netnsId)
    {
        if (!_insides.TryGetValue(netnsId, out var inside))
            _insides.Add(netnsId, inside = RtLinks.Dump(netlink, netnsId));
        return inside;
    }

    /// <param name="Ifindex">0: not found.</param>
    /// <param name="Reason">Why not; empty when it is for another way to say.</param>
    private readonly record struct Way(int Ifindex, string Netns, bool IsShown, string Reason)
    {
        public static Way None(string reason) => new(0, "", false, reason);
    }

    /// <summary>By what the runtime and the kernel show of the pod.</summary>
    private Way ByProcess(EndpointPlan endpoint, List<NetInterface> host)
    {
        var attachment = endpoint.Attachment;
        if (!string.IsNullOrEmpty(attachment.Sandbox) && File.Exists(attachment.Sandbox))
            return Through([attachment.Sandbox], attachment.HostInterface, host) with { IsShown = true };
        if (string.IsNullOrEmpty(attachment.Uid))
            return Way.None("");
        var pod = pods.Find(attachment.Uid);
        _awaited[attachment.Uid] = pod.Which;
        return pod.Namespaces.Count == 0 ? Way.None(pod.Reason) : Through(pod.Namespaces, attachment.HostInterface, host) with { IsShown = true };
    }

    /// <summary>By what is written in its object. Nothing is, of a pod of which processes are known.</summary>
    private Way ByName(EndpointPlan endpoint, List<NetInterface> host)
    {
        var attachment = endpoint.Attachment;
        if (!string.IsNullOrEmpty(attachment.Uid) && (!attachment.IsNamed || pods.Find(attachment.Uid).HasProcess))
            return Way.None("");
        if (!attachment.IsNamed)
            return Way.None("it names neither network namespace nor host-side interface");
        if (string.IsNullOrEmpty(attachment.HostInterface))
            return Through([attachment.Netns], "", host);
        return host.Find(i => i.Name == attachment.HostInterface) is { } named
            ? new Way(named.Ifindex, attachment.Netns ?? "", false, "")
            : Way.None($"no interface {attachment.HostInterface} on this node");
    }

    /// <summary>The one veth of the host that leads into one of these namespaces.</summary>
    /// <param name="chosen">Name of the interface where there are several; may be empty.</param>
    private Way Through(IReadOnlyList<string> namespaces, string? chosen, List<NetInterface> host)
    {
        var reason = "";
        foreach (var path in namespaces)
        {
            try
            {
                using var netns = NetNamespace.Open(path);
                var id = RtLinks.NetnsId(netlink, netns.Handle);
                var sides = RtLinks.HostSides(host, Inside(id), id);
                if (sides.Count > 1 && sides.Find(s => s.Name == chosen) is { } one)
                    sides = [one];
                if (sides.Count == 1)
                    return new Way(sides[0].Ifindex, path, false, "");
                reason = sides.Count == 0 ? $"no veth of this host leads into {netns.Path}"
                    : $"{sides.Count} veths of this host lead into {netns.Path} ({string.Join(", ", sides.Select(s => s.Name))}). Cure: name one with the annotation nodemesh.io/host-interface";
            }
            catch (SyscallException e)
            {
                reason = e.Errno == Errno.ENOENT ? $"network namespace {NetNamespace.PathOf(path)} does not exist" : e.Message;
            }
        }

        return Way.None(reason);
    }

    /// <summary>
    /// Interfaces with an address that makes them a way to others. Every veth has a link-local IPv6 address of its own; and the ptp plugin gives the node's end of a pod's the
    /// gateway's, with no network behind it: that is a pod's interface, also before its pod is found.
    /// </summary>
    private static HashSet<int> WithNetwork(List<InterfaceAddress> addresses, List<NetInterface> host)
    {
        var veths = host.Where(i => i.Kind == "veth").Select(i => i.Ifindex).ToHashSet();
        return [.. addresses.Where(a => a.Scope != LinkScope && !(veths.Contains(a.Ifindex) && a.PrefixLength == 8 * a.Address.GetAddressBytes().Length)).Select(a => a.Ifindex)];
    }

    private List<NetInterface> Devices(List<NetInterface> host, HashSet<int> pods) => options.NodeDevices.Count > 0
        ? host.Where(i => options.NodeDevices.Contains(i.Name)).ToList()
        : host.Where(i => !i.IsLoopback && _addressed.Contains(i.Ifindex) && !pods.Contains(i.Ifindex)).ToList();
}
