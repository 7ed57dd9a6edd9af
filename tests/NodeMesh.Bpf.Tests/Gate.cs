using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;
using NodeMesh.Native.Bpf;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests;

/// <param name="Passed">TCX_NEXT, or TCX_REDIRECT when <paramref name="Straight"/>; otherwise TCX_DROP.</param>
/// <param name="Mark">Our two bits afterwards.</param>
/// <param name="Reason">What the packet was counted under; Count when it was not counted.</param>
/// <param name="Straight">Into another pod, past the stack.</param>
internal readonly record struct Outcome(bool Passed, Mark Mark, Reason Reason, uint RawMark, bool Straight = false);

/// <summary>
/// A loaded endpoint or node object around one pod. The pod's interface is lo, since a test run wants a real one; its policy is set 1, closed both ways until
/// <see cref="Rule"/> opens something. Identity of an address no <see cref="Identity"/> names: world.
/// </summary>
internal sealed class Gate : IDisposable
{
    internal const uint PodIfindex = 1, PodIdentity = 300, PodSet = 1, OtherIfindex = 7, PeerIdentity = 301, OtherSet = 2;
    internal const string Pod = "10.0.0.1", Peer = "10.0.0.2", Pod6 = "fd00::1", Peer6 = "fd00::2";

    private readonly BpfObject _object;
    private readonly PerCpuMap<CounterKey, CounterEntry> _counters;
    private readonly BpfMap<EndpointKey, EndpointEntry> _endpoints;
    private readonly BpfMap<uint, EpochEntry> _epoch;

    internal Gate(string name = "endpoint", Func<Config, Config>? adjust = null)
    {
        _object = BpfFiles.Borrow(name, adjust);
        _counters = new PerCpuMap<CounterKey, CounterEntry>(_object.OpenMap("nm_counter"), "nm_counter");
        _endpoints = _object.OpenMap<EndpointKey, EndpointEntry>("nm_endpoint");
        _epoch = _object.OpenMap<uint, EpochEntry>("nm_epoch");
        Connections = _object.OpenMap<CtKey, CtEntry>("nm_ct_tcp");
        Epoch(1);
        Endpoint(PodIfindex, PodIdentity, PodSet, Pod, Pod6);
        foreach (var address in (string[])[Peer, Peer6])
            Identity(address, PeerIdentity);
        Default(Direction.Egress, Verdict.DefaultDeny);
        Default(Direction.Ingress, Verdict.DefaultDeny);
    }

    internal BpfMap<CtKey, CtEntry> Connections { get; }

    /// <summary>How many TCP connections, and others, a pod may have, or how many all have when that begins to count.</summary>
    internal void Share(uint ifindex, ulong untilNs, ulong limit, ulong lost = 0)
    {
        using var use = _object.OpenMap<ShareKey, ShareUseEntry>("nm_share_use");
        foreach (var table in (ShareTable[])[ShareTable.Tcp, ShareTable.Any])
        {
            var key = new ShareKey { Ifindex = ifindex, Table = (uint)table };
            use.TryAdd(key, default);
            Set("nm_share", key, new ShareEntry { UntilNs = untilNs, Limit = limit, Lost = lost });
        }
    }

    internal ulong RowsInUse(uint ifindex)
    {
        using var use = _object.OpenMap<ShareKey, ShareUseEntry>("nm_share_use");
        Assert.That(use.TryGet(new ShareKey { Ifindex = ifindex, Table = (uint)ShareTable.Tcp }, out var entry));
        return entry.Rows;
    }

    /// <summary>The last packet as it left.</summary>
    internal byte[] LastFrame { get; private set; } = [];

    internal void Epoch(uint epoch) => _epoch.Set(0, new EpochEntry { Epoch = epoch });

    internal void Endpoint(uint ifindex, uint identity, uint set, params string[] addresses)
    {
        _endpoints.Set(new EndpointKey { Ifindex = ifindex }, new EndpointEntry { Identity = identity, Set = set });
        foreach (var address in addresses)
        {
            Set("nm_pod", new PodKey { Addr = AddrOf(address) }, new PodEntry { Ifindex = ifindex });
            Identity(address, identity);
        }
    }

    internal void RemoveEndpoint() => _endpoints.Remove(new EndpointKey { Ifindex = PodIfindex });

    /// <summary>Packets may be put straight into the pod, whose link address ends in its ifindex.</summary>
    internal void Reachable(uint ifindex, uint mtu)
    {
        var key = new EndpointKey { Ifindex = ifindex };
        Assert.That(_endpoints.TryGet(key, out var entry));
        _endpoints.Set(key, entry with { Mtu = mtu, PodMac0 = 2, PodMac2 = (ushort)(ifindex << 8), HostMac0 = 2, HostMac2 = (ushort)(ifindex << 8 | 1) });
    }

    internal void Identity(string address, uint identity, IdentityFlag flags = 0) =>
        Set("nm_identity", new IdentityKey { PrefixBits = 128, Addr = AddrOf(address) }, new IdentityEntry { Identity = identity, Flags = (uint)flags });

    /// <summary>What peers without a rule get.</summary>
    internal void Default(Direction direction, Verdict verdict, uint set = PodSet) =>
        Set("nm_verdict", new VerdictKey { PrefixBits = (uint)VerdictBits.Any, Set = set, Direction = (byte)direction }, new VerdictEntry { Verdict = (byte)verdict });

    /// <summary>What the peers of <see cref="PeerIdentity"/> get on one port; port 0: the whole protocol.</summary>
    internal void Rule(Direction direction, byte proto, ushort port, Verdict verdict, uint set = PodSet, uint identity = PeerIdentity) =>
        Row(direction, proto, (uint)(port == 0 ? VerdictBits.Proto : VerdictBits.Full), port, new VerdictEntry { Verdict = (byte)verdict }, set, identity);

    /// <param name="bits">How much of the key holds; the port of ICMP is type and code.</param>
    internal void Row(Direction direction, byte proto, uint bits, ushort port, VerdictEntry verdict, uint set = PodSet, uint identity = PeerIdentity)
    {
        Set("nm_peer_group", new PeerGroupKey { Identity = identity }, new PeerGroupEntry { Group = identity, Next = identity });
        Set("nm_class", new ClassKey { Set = set, Group = identity, Direction = (byte)direction }, new ClassEntry { Klass = identity });
        // A class has its own last row: the default of peers without a class is not theirs.
        Set("nm_verdict", new VerdictKey { PrefixBits = (uint)VerdictBits.Any, Set = set, Klass = identity, Direction = (byte)direction }, new VerdictEntry { Verdict = (byte)Verdict.DefaultDeny });
        Set("nm_verdict", new VerdictKey
        {
            PrefixBits = bits,
            Set = set,
            Klass = identity,
            Direction = (byte)direction,
            Proto = proto,
            PortBe = Be16.FromHost(port),
        }, verdict);
    }

    /// <summary>How often which rule decided what.</summary>
    internal Dictionary<(uint Rule, Reason Reason), ulong> RuleHits()
    {
        using var map = new PerCpuMap<RuleHitKey, RuleHitEntry>(_object.OpenMap("nm_rule_hit"), "nm_rule_hit");
        return map.ReadAll((a, b) => new RuleHitEntry { Connections = a.Connections + b.Connections })
            .ToDictionary(r => (r.Key.Rule, (Reason)r.Key.Reason), r => r.Value.Connections);
    }

    internal ulong CountedUnder(Reason reason) => Counters().GetValueOrDefault(reason);

    internal void Frontend(string address, byte proto, ushort port, FrontendFlag flags) =>
        Set("nm_frontend", new FrontendKey { Addr = AddrOf(address), Proto = proto, PortBe = Be16.FromHost(port) }, new FrontendEntry { Service = 1, Flags = (uint)flags });

    /// <summary>The pod sends.</summary>
    internal Outcome Out(Packet packet) => Run("nm_pod_ingress", packet.Bytes(), 0, 0);

    internal Outcome Out(byte[] frame) => Run("nm_pod_ingress", frame, 0, 0);

    /// <summary>The pod is sent something that came in by another interface.</summary>
    internal Outcome In(Packet packet, uint ingressIfindex = OtherIfindex, Mark mark = Mark.None) =>
        Run("nm_pod_egress", packet.Bytes(), (uint)mark << BpfFiles.MarkShift, ingressIfindex);

    internal Outcome In(byte[] frame) => Run("nm_pod_egress", frame, 0, OtherIfindex);

    /// <summary>This node itself sends to the pod.</summary>
    internal Outcome InFromNode(Packet packet, Mark mark = Mark.None) => In(packet, 0, mark);

    /// <summary>Something arrives at the node's device.</summary>
    internal Outcome AtNode(Packet packet) => Run("nm_node_ingress", packet.Bytes(), 0, 0);

    internal Outcome Run(string program, byte[] frame, uint mark, uint ingressIfindex)
    {
        var before = Counters();
        var context = new byte[192]; // struct __sk_buff
        BinaryPrimitives.WriteUInt32LittleEndian(context.AsSpan(8), mark);
        BinaryPrimitives.WriteUInt32LittleEndian(context.AsSpan(36), ingressIfindex);
        BinaryPrimitives.WriteUInt32LittleEndian(context.AsSpan(40), PodIfindex);
        var result = _object.Program(program).TestRun(frame, context);
        LastFrame = result.Data;
        var raw = BinaryPrimitives.ReadUInt32LittleEndian(result.Context.AsSpan(8));
        Assert.That(result.ReturnValue, Is.EqualTo(uint.MaxValue).Or.EqualTo(2u).Or.EqualTo(7u), "TCX_NEXT, TCX_DROP or TCX_REDIRECT");
        return new Outcome(result.ReturnValue != 2, (Mark)(raw >> BpfFiles.MarkShift & 3), Counted(before), raw, result.ReturnValue == 7);
    }

    internal static Addr AddrOf(string text)
    {
        var address = default(Addr);
        IPAddress.Parse(text).MapToIPv6().TryWriteBytes(MemoryMarshal.AsBytes(new Span<Addr>(ref address)), out _);
        return address;
    }

    internal CtEntry OnlyConnection() => Connections.ReadAll().Values.Single();

    public void Dispose()
    {
        Connections.Dispose();
        _counters.Dispose();
        _endpoints.Dispose();
        _epoch.Dispose();
    }

    private void Set<TKey, TValue>(string map, in TKey key, in TValue value)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        using var opened = _object.OpenMap<TKey, TValue>(map);
        opened.Set(key, value);
    }

    private Dictionary<Reason, ulong> Counters() =>
        _counters.ReadAll((a, b) => new CounterEntry { Packets = a.Packets + b.Packets, Bytes = a.Bytes + b.Bytes })
            .GroupBy(c => (Reason)c.Key.Reason)
            .ToDictionary(g => g.Key, g => g.Aggregate(0UL, (sum, c) => sum + c.Value.Packets));

    private Reason Counted(Dictionary<Reason, ulong> before)
    {
        var more = Counters().Where(c => c.Key is not (Reason.AuditDenied or Reason.AuditDefaultDeny) && c.Value != before.GetValueOrDefault(c.Key)).ToArray();
        Assert.That(more, Has.Length.LessThan(2), "a packet is counted once");
        return more.Length == 0 ? Reason.Count : more[0].Key;
    }
}
