using System.Buffers.Binary;
using NodeMesh.Bpf.Tests.Datapath;
using NodeMesh.Native.Bpf;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests;

internal enum Way
{
    Next,
    Drop,
    Redirect,
}

/// <param name="Reason">What it was counted under; Count when it was not.</param>
internal sealed record Passage(Way Way, Reason Reason, byte[] Frame, Mark Mark)
{
    internal string Text => Wire.Read(Frame).Text;
}

/// <summary>
/// A node object, or an endpoint object, in a namespace with routes: a device "out" toward the world and other nodes, and a pod's veth. Service port 80 of
/// <see cref="Vip"/> and 30080 of <see cref="Node"/> have what <see cref="Backends"/> says.
/// </summary>
internal sealed class ServiceGate : IDisposable
{
    internal const string Node = "10.1.0.1", Node6 = "fd01::1", Client = "10.9.0.7", Client6 = "fd09::7";
    internal const string Pod = "10.0.0.1", Pod6 = "fd00::1", Far = "10.2.0.5", Far6 = "fd02::5", Vip = "10.96.0.1", Vip6 = "fd96::1";
    internal const uint PodIdentity = 300, Service = 9, Inside = 90, Outside = 91;

    private readonly Box _box = new();
    private readonly BpfObject _object;
    private readonly bool _own;
    private readonly PerCpuMap<CounterKey, CounterEntry> _counters;

    /// <param name="adjust">The configuration, where it is not that of most tests.</param>
    /// <param name="rows">Other sizes of its maps.</param>
    internal ServiceGate(string name = "node", Func<Config, Config>? adjust = null, params (string Map, uint Rows)[] rows)
    {
        Box.Sh($"ip -n {_box.Host} link add out type veth peer name far0 && ip -n {_box.Host} link set out up && ip -n {_box.Host} link set far0 up");
        Box.Sh($"ip -n {_box.Host} addr add {Node}/24 dev out && ip -n {_box.Host} addr add {Node6}/64 dev out nodad");
        Box.Sh($"ip -n {_box.Host} route add default via 10.1.0.254 && ip -n {_box.Host} -6 route add default via fd01::fe");
        Box.Sh($"ip -n {_box.Host} link add pod type veth peer name eth0 netns {_box.AddNamespace("pod")} && ip -n {_box.Host} link set pod up");
        Box.Sh($"ip -n {_box.Host} route add {Pod}/32 dev pod && ip -n {_box.Host} -6 route add {Pod6}/128 dev pod");
        Box.Sh($"ip netns exec {_box.Host} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        OutIfindex = Ifindex("out");
        PodIfindex = Ifindex("pod");
        _own = rows.Length > 0;
        _object = _own ? BpfFiles.Load(name, adjust, rows) : BpfFiles.Borrow(name, adjust);
        _counters = new PerCpuMap<CounterKey, CounterEntry>(_object.OpenMap("nm_counter"), "nm_counter");
        Brief = _object.OpenMap<NatKey, NatEntry>("nm_nat_brief");
        Tcp = _object.OpenMap<NatKey, NatEntry>("nm_nat_tcp");
        Any = _object.OpenMap<NatKey, NatEntry>("nm_nat_any");
        Set("nm_endpoint", new EndpointKey { Ifindex = PodIfindex }, new EndpointEntry { Identity = PodIdentity });
        foreach (var address in (string[])[Pod, Pod6])
        {
            Set("nm_pod", new PodKey { Addr = Gate.AddrOf(address) }, new PodEntry { Ifindex = PodIfindex });
            Identity(address, PodIdentity);
        }

        foreach (var address in (string[])[Node, Node6])
            Identity(address, (uint)IdentityId.Host);
    }

    internal uint OutIfindex { get; }

    internal uint PodIfindex { get; }

    internal BpfMap<NatKey, NatEntry> Brief { get; }

    internal BpfMap<NatKey, NatEntry> Tcp { get; }

    internal BpfMap<NatKey, NatEntry> Any { get; }

    internal void Sh(string command) => Box.Sh($"ip netns exec {_box.Host} {command}");

    /// <summary>What the pod's policy lets out or in on one port of one peer; all else is closed from here on.</summary>
    internal void Rule(Direction direction, string peer, byte proto, ushort port, Verdict verdict)
    {
        Set("nm_endpoint", new EndpointKey { Ifindex = PodIfindex }, new EndpointEntry { Identity = PodIdentity, Set = 1 });
        foreach (var way in (Direction[])[Direction.Egress, Direction.Ingress])
            Set("nm_verdict", new VerdictKey { PrefixBits = (uint)VerdictBits.Any, Set = 1, Direction = (byte)way }, new VerdictEntry { Verdict = (byte)Verdict.DefaultDeny });
        Identity(peer, 400);
        Set("nm_peer_group", new PeerGroupKey { Identity = 400 }, new PeerGroupEntry { Group = 40, Next = 40 });
        Set("nm_class", new ClassKey { Set = 1, Group = 40, Direction = (byte)direction }, new ClassEntry { Klass = 1 });
        Set("nm_verdict", new VerdictKey { PrefixBits = (uint)VerdictBits.Any, Set = 1, Klass = 1, Direction = (byte)direction }, new VerdictEntry { Verdict = (byte)Verdict.DefaultDeny });
        Set("nm_verdict", new VerdictKey { PrefixBits = (uint)VerdictBits.Full, Set = 1, Klass = 1, Direction = (byte)direction, Proto = proto, PortBe = Be16.FromHost(port) }, new VerdictEntry { Verdict = (byte)verdict });
    }

    /// <summary>As if <see cref="NodePortTests"/>' side had translated: a client outside reached the pod by the service.</summary>
    /// <param name="more">Own: the client is a process of the node.</param>
    internal void Inbound(byte proto, string client, ushort port, string vip, ushort vipPort, string pod, NatFlag more = 0)
    {
        var map = proto == Packet.ProtoTcp ? Tcp : Any;
        var until = ulong.MaxValue / 2;
        map.Set(
            new NatKey { Saddr = Gate.AddrOf(client), SportBe = Be16.FromHost(port), Daddr = Gate.AddrOf(vip), DportBe = Be16.FromHost(vipPort), Proto = proto, Direction = (byte)Direction.Ingress },
            new NatEntry { ExpiresNs = until, Saddr = Gate.AddrOf(client), SportBe = Be16.FromHost(port), Daddr = Gate.AddrOf(pod), DportBe = Be16.FromHost(8080), Flags = (byte)(NatFlag.Pod | more), OtherDirection = (byte)Direction.Egress });
        map.Set(
            new NatKey { Saddr = Gate.AddrOf(pod), SportBe = Be16.FromHost(8080), Daddr = Gate.AddrOf(client), DportBe = Be16.FromHost(port), Proto = proto, Direction = (byte)Direction.Egress },
            new NatEntry { ExpiresNs = until, Saddr = Gate.AddrOf(vip), SportBe = Be16.FromHost(vipPort), Daddr = Gate.AddrOf(client), DportBe = Be16.FromHost(port), Flags = (byte)(NatFlag.Pod | NatFlag.Reply | more), OtherDirection = (byte)Direction.Ingress });
    }

    internal void Epoch(uint epoch) => Set("nm_epoch", 0u, new EpochEntry { Epoch = epoch });

    internal void Identity(string address, uint identity) =>
        Set("nm_identity", new IdentityKey { PrefixBits = 128, Addr = Gate.AddrOf(address) }, new IdentityEntry { Identity = identity });

    /// <summary>The service, TCP and UDP, on all its addresses; all callers get the same backends at port 8080.</summary>
    internal void Backends(FrontendFlag flags, params string[] backends)
    {
        foreach (var proto in (byte[])[Packet.ProtoTcp, Packet.ProtoUdp])
        {
            var group = Inside + proto;
            for (var i = 0u; i < backends.Length; i++)
            {
                Set("nm_backend", new BackendKey { Backend = group * 100 + i }, new BackendEntry { Addr = Gate.AddrOf(backends[i]), PortBe = Be16.FromHost(8080), Proto = proto });
                Set("nm_slot", new SlotKey { Group = group, Slot = i }, new SlotEntry { Backend = group * 100 + i });
                Set("nm_member", new MemberKey { Group = group, Backend = group * 100 + i }, new MemberEntry { Present = 1 });
            }

            foreach (var (address, port) in (IEnumerable<(string, ushort)>)[(Vip, 80), (Vip6, 80), (Node, 30080), (Node6, 30080)])
            {
                var all = new Group { Id = group, Slots = (uint)backends.Length };
                Set("nm_frontend", new FrontendKey { Addr = Gate.AddrOf(address), Proto = proto, PortBe = Be16.FromHost(port) },
                    new FrontendEntry { Service = Service, Flags = (uint)(flags | (port == 30080 ? FrontendFlag.NodePort : 0)), Inside = all, Outside = all, AffinityS = 60, Ranges = 5 });
            }
        }
    }

    /// <summary>The backend's row goes: its slots too are no more.</summary>
    internal void RemoveBackends()
    {
        using var map = _object.OpenMap<BackendKey, BackendEntry>("nm_backend");
        foreach (var key in map.ReadAll().Keys)
            map.Remove(key);
    }

    internal void SourceRange(string prefix, uint bits) =>
        Set("nm_source_range", new SourceRangeKey { PrefixBits = 32 + bits, Ranges = 5, Addr = Gate.AddrOf(prefix) }, new SourceRangeEntry { Allow = 1 });

    /// <summary>Something arrives at the device.</summary>
    internal Passage Arrive(Packet packet) => Run("nm_node_ingress", packet.Sealed().Bytes(), OutIfindex, 0);

    internal Passage Arrive(byte[] frame) => Run("nm_node_ingress", frame, OutIfindex, 0);

    /// <summary>Very many packets arrive; what became of them is not looked at.</summary>
    internal void Flood(IEnumerable<Packet> packets) => Flood("nm_node_ingress", OutIfindex, packets);

    /// <summary>The pod sends all of these.</summary>
    /// <returns>How many came back to it, as something else.</returns>
    internal int FloodFromPod(IEnumerable<Packet> packets) => Flood("nm_pod_ingress", PodIfindex, packets);

    private int Flood(string name, uint ifindex, IEnumerable<Packet> packets)
    {
        var context = new byte[192]; // struct __sk_buff
        BinaryPrimitives.WriteUInt32LittleEndian(context.AsSpan(40), ifindex);
        var program = _object.Program(name);
        return _box.InHost(() => packets.Count(packet => program.TestRun(packet.Bytes(), context).ReturnValue == 7));
    }

    /// <summary>The node itself sends by the device.</summary>
    internal Passage Leave(Packet packet, uint ingressIfindex = 0) => Run("nm_node_egress", packet.Sealed().Bytes(), OutIfindex, ingressIfindex);

    /// <summary>A second device, toward <see cref="Far"/>.</summary>
    /// <returns>Its ifindex.</returns>
    internal uint SecondDevice(string address, string address6)
    {
        Box.Sh($"ip -n {_box.Host} link add out2 type veth peer name far2 && ip -n {_box.Host} link set out2 up && ip -n {_box.Host} link set far2 up");
        Box.Sh($"ip -n {_box.Host} addr add {address}/24 dev out2 && ip -n {_box.Host} addr add {address6}/64 dev out2 nodad");
        Box.Sh($"ip -n {_box.Host} route add {Far}/32 dev out2 && ip -n {_box.Host} -6 route add {Far6}/128 dev out2");
        foreach (var own in (string[])[address, address6])
            Identity(own, (uint)IdentityId.Host);
        return Ifindex("out2");
    }

    /// <summary>The routers behind "out" are known by their link addresses, as in use they are.</summary>
    internal void KnowRouters() =>
        Box.Sh($"ip -n {_box.Host} neigh replace 10.1.0.254 lladdr 02:00:00:00:00:fe dev out && ip -n {_box.Host} neigh replace fd01::fe lladdr 02:00:00:00:00:fe dev out");

    internal byte[] LinkAddress(string device) =>
        Convert.FromHexString(Box.Sh($"ip netns exec {_box.Host} cat /sys/class/net/{device}/address").Trim().Replace(":", "", StringComparison.Ordinal));

    internal Passage FromPod(Packet packet) => Run("nm_pod_ingress", packet.Sealed().Bytes(), PodIfindex, 0);

    internal Passage ToPod(Packet packet, uint ingressIfindex) => Run("nm_pod_egress", packet.Sealed().Bytes(), PodIfindex, ingressIfindex);

    internal Passage Run(string program, byte[] frame, uint ifindex, uint ingressIfindex)
    {
        var before = Counters();
        var context = new byte[192]; // struct __sk_buff
        BinaryPrimitives.WriteUInt32LittleEndian(context.AsSpan(36), ingressIfindex);
        BinaryPrimitives.WriteUInt32LittleEndian(context.AsSpan(40), ifindex);
        var result = _box.InHost(() => _object.Program(program).TestRun(frame, context));
        var way = result.ReturnValue switch
        {
            uint.MaxValue => Way.Next,
            2 => Way.Drop,
            7 => Way.Redirect,
            _ => throw new InvalidOperationException($"{program} answered {result.ReturnValue}"),
        };
        var more = Counters().Where(c => c.Value != before.GetValueOrDefault(c.Key)).ToArray();
        Assert.That(more, Has.Length.LessThan(2), "a packet is counted once");
        var mark = BinaryPrimitives.ReadUInt32LittleEndian(result.Context.AsSpan(8));
        return new Passage(way, more.Length == 0 ? Reason.Count : more[0].Key, result.Data, (Mark)(mark >> BpfFiles.MarkShift & 3));
    }

    internal void Set<TKey, TValue>(string map, in TKey key, in TValue value)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        using var opened = _object.OpenMap<TKey, TValue>(map);
        opened.Set(key, value);
    }

    public void Dispose()
    {
        Brief.Dispose();
        Tcp.Dispose();
        Any.Dispose();
        _counters.Dispose();
        if (_own)
            _object.Dispose();
        _box.Dispose();
    }

    private uint Ifindex(string device) =>
        uint.Parse(Box.Sh($"ip netns exec {_box.Host} cat /sys/class/net/{device}/ifindex"), System.Globalization.CultureInfo.InvariantCulture);

    private Dictionary<Reason, ulong> Counters() =>
        _counters.ReadAll((a, b) => new CounterEntry { Packets = a.Packets + b.Packets, Bytes = a.Bytes + b.Bytes })
            .GroupBy(c => (Reason)c.Key.Reason)
            .ToDictionary(g => g.Key, g => g.Aggregate(0UL, (sum, c) => sum + c.Value.Packets));
}
