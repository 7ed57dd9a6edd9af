using System.Buffers.Binary;
using NodeMesh.Compiler;
using NodeMesh.Datapath;
using NodeMesh.Datapath.Attach;
using NodeMesh.Datapath.Load;
using NodeMesh.Datapath.Tables;
using NodeMesh.Datapath.Tracking;
using NodeMesh.Model;
using NodeMesh.Native.Netlink;
using NodeMesh.Plan;
using NodeMesh.Sources;

namespace NodeMesh.Bpf.Tests.Datapath.Cuts;

/// <summary>
/// A node whose kernel side is real, tables, programs and all, but for the pods: each is an interface that nothing is behind. What one could send to another is
/// asked of the programs at both gates.
/// </summary>
internal sealed class CutNode : IDisposable
{
    internal const string Remote = "10.244.9.1", World = "198.51.100.7", Vip = "10.96.0.10";
    internal static readonly string[] LocalPods = ["a", "b", "c", "d"];

    private static readonly NodeFacts s_facts = new("node-a", [IpAddr.Parse("192.0.2.1")], []);
    private static readonly (byte Proto, ushort Port)[] s_ports = [(Packet.ProtoTcp, 80), (Packet.ProtoTcp, 443), (Packet.ProtoUdp, 53)];

    private const uint Drop = 2, Redirect = 7; // TCX_

    private readonly Box _box = new();
    private readonly LoadedObjects _objects;
    private readonly Dictionary<string, uint> _ifindexes;
    private ushort _sourcePort = 20000;

    public CutNode()
    {
        foreach (var pod in LocalPods)
            Box.Sh($"ip -n {_box.Host} link add p{pod} type veth peer name q{pod} && ip -n {_box.Host} link set p{pod} up");
        var options = _box.Options with
        {
            RejectDenied = false,
            Maps = new MapSizes
            {
                Identities = 256,
                Backends = 256,
                Slots = 256,
                Members = 256,
                SourceRanges = 256,
                Frontends = 256,
                Classes = 512,
                Verdicts = 512,
                Endpoints = 16,
                Pods = 64,
                TcpConnections = 1024,
                OtherConnections = 1024,
            },
        };
        _objects = _box.InHost(() => LoadedObjects.Load(Images.Built, options, PinTree.Create(options.BpffsPath)));
        _ifindexes = _box.InHost(() =>
        {
            using var netlink = new NetlinkSocket();
            return RtLinks.Dump(netlink).Where(l => l.Name is ['p', _]).ToDictionary(l => AddressOf(l.Name[1..]), l => (uint)l.Ifindex);
        });
    }

    /// <summary>Of a local pod.</summary>
    public static string AddressOf(string pod) => $"10.244.0.{pod[0] - 'a' + 2}";

    public static MeshPlan Compile(string manifests)
    {
        var (mesh, diagnostics) = ManifestReader.Read([("ns.yaml", CutMesh.Namespace), ("mesh.yaml", manifests)]);
        Assert.That(diagnostics, Is.Empty);
        return MeshCompiler.Compile(mesh, s_facts);
    }

    /// <summary>An agent that begins with what is in the kernel. Disposed, it leaves all as it is.</summary>
    public KernelTables NewAgent(IRowWriter? rows = null) => new(_objects, rows ?? new RowWriter());

    /// <summary>One round, as the reconciler has it.</summary>
    public RoundTally Apply(KernelTables agent, MeshPlan plan)
    {
        var tally = new RoundTally();
        agent.SetDesired(plan.Kernel, plan.Kernel.Endpoints
            .Where(e => _ifindexes.ContainsKey(e.Addresses[0].ToString()))
            .ToDictionary(e => e, e => LinkOf(_ifindexes[e.Addresses[0].ToString()])));
        Round(agent, tally);
        return tally;
    }

    /// <summary>Everything that now can be opened: "a > 10.244.0.3:80/6".</summary>
    public HashSet<string> Open() => _box.InHost(() =>
    {
        _sourcePort++;
        string[] ends = [.. LocalPods.Select(AddressOf), Remote, World];
        return (from source in ends
                from destination in ends.Append(Vip)
                where source != destination && (_ifindexes.ContainsKey(source) || _ifindexes.ContainsKey(destination))
                from port in s_ports
                where IsOpen(source, destination, port.Proto, port.Port)
                select $"{source} > {destination}:{port.Port}/{port.Proto}").ToHashSet();
    });

    /// <summary>What is open when a new agent has applied a plan.</summary>
    public HashSet<string> OpenUnder(MeshPlan plan)
    {
        using var agent = NewAgent();
        Converge(agent, plan);
        return Open();
    }

    /// <summary>One round that must bring the kernel to just this plan.</summary>
    public void Converge(KernelTables agent, MeshPlan plan)
    {
        var tally = Apply(agent, plan);
        Assert.That(tally.Failures, Is.Empty);
        var rows = plan.Kernel;
        var expected = rows.Identities.Count + rows.Backends.Count + rows.Slots.Count + rows.Members.Count + rows.SourceRanges.Count + rows.Frontends.Count
            + rows.PeerGroups.Count + rows.Classes.Count + rows.Verdicts.Count + (2 * rows.Endpoints.Count(e => LocalPods.Contains(e.Name.Name)));
        Assert.That(agent.Audit(), Is.Zero);
        Assert.That(agent.Fill.Sum(f => f.Rows), Is.EqualTo(expected), "rows of this plan and no others");
    }

    /// <summary>Neither open where both plans refuse, nor closed where both allow.</summary>
    public void AssertBetween(HashSet<string> before, HashSet<string> after, string when)
    {
        var now = Open();
        Assert.That(now.Except(before.Union(after)), Is.Empty, $"open though both plans refuse it, {when}");
        Assert.That(before.Intersect(after).Except(now), Is.Empty, $"closed though both plans allow it, {when}");
    }

    /// <summary>Whether a TCP packet gets past both gates, between addresses that pods have now, by the interfaces that are theirs.</summary>
    /// <param name="from">Whose interface it comes by; null: not from a pod of this node. <paramref name="to"/> likewise.</param>
    public bool Passes(string source, ushort sourcePort, string destination, ushort port, byte flags, string? from, string? to) => _box.InHost(() =>
        Passes(Packet.Tcp(source, sourcePort, destination, port, flags).Sealed().Bytes(), IfindexOf(from), IfindexOf(to)));

    /// <summary>What a pod's packet to somewhere became on its way, when it got out of its gate: the address that it goes to.</summary>
    public string? Leaves(string source, ushort sourcePort, string destination, ushort port, byte flags, string from) => _box.InHost(() =>
    {
        var (verdict, sent) = Run("nm_pod_ingress", Packet.Tcp(source, sourcePort, destination, port, flags).Sealed().Bytes(), IfindexOf(from), 0);
        return verdict == Drop ? null : DestinationOf(sent);
    });

    public ConnectionSweeper NewSweeper() => new(_objects, e => Assert.Fail(e.Message), start: false);

    public ConnectionTables NewConnections() => new(_objects);

    /// <summary>One round in which pods are at interfaces as said, not as their addresses are.</summary>
    public RoundTally Apply(KernelTables agent, MeshPlan plan, IReadOnlyDictionary<string, string> interfaces)
    {
        var tally = new RoundTally();
        agent.SetDesired(plan.Kernel, plan.Kernel.Endpoints.Where(e => interfaces.ContainsKey(e.Name.Name)).ToDictionary(e => e, e => LinkOf(IfindexOf(interfaces[e.Name.Name]))));
        Round(agent, tally);
        return tally;
    }

    public void Dispose()
    {
        _objects.Dispose();
        _box.Dispose();
    }

    /// <summary>As DatapathReconciler.Reconcile.</summary>
    private static void Round(KernelTables agent, RoundTally tally)
    {
        agent.Upsert(tally, removals: true);
        agent.Remove(tally);
        if (tally is { Failures.Count: > 0, Removals: > 0 })
        {
            tally.Failures.Clear();
            agent.Upsert(tally, removals: true);
            agent.Remove(tally);
        }

        agent.Finish();
    }

    private static PodLink LinkOf(uint ifindex) => new((int)ifindex, 1500, default, default);

    private static string DestinationOf(byte[] frame) => new System.Net.IPAddress(frame.AsSpan(30, 4)).ToString();

    private uint IfindexOf(string? pod) => pod is null ? 0 : _ifindexes[AddressOf(pod)];

    private bool IsOpen(string source, string destination, byte proto, ushort port)
    {
        var packet = proto == Packet.ProtoTcp ? Packet.Tcp(source, _sourcePort, destination, port) : Packet.Udp(source, _sourcePort, destination, port);
        return Passes(packet.Sealed().Bytes(), _ifindexes.GetValueOrDefault(source), null);
    }

    /// <param name="to">Null: whoever has the address that the packet leaves with.</param>
    private bool Passes(byte[] frame, uint from, uint? to)
    {
        if (from != 0)
        {
            (var verdict, frame) = Run("nm_pod_ingress", frame, from, 0);
            if (verdict is Redirect or Drop)
                return verdict == Redirect; // into the other pod, whose policy was asked, too
        }

        var arrives = to ?? _ifindexes.GetValueOrDefault(DestinationOf(frame));
        return arrives == 0 || Run("nm_pod_egress", frame, arrives, from == 0 ? 1 : from).Verdict != Drop;
    }

    private (uint Verdict, byte[] Frame) Run(string program, byte[] frame, uint ifindex, uint ingressIfindex)
    {
        var context = new byte[192]; // struct __sk_buff
        BinaryPrimitives.WriteUInt32LittleEndian(context.AsSpan(36), ingressIfindex);
        BinaryPrimitives.WriteUInt32LittleEndian(context.AsSpan(40), ifindex);
        var result = _objects.Program("endpoint", program).TestRun(frame, context);
        return (result.ReturnValue, result.Data);
    }
}
