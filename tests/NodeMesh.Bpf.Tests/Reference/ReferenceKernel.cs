using System.Buffers.Binary;
using NodeMesh.Bpf.Tests.Datapath;
using NodeMesh.Compiler;
using NodeMesh.Datapath.Attach;
using NodeMesh.Datapath.Load;
using NodeMesh.Datapath.Tables;
using NodeMesh.Model;
using NodeMesh.Native;
using NodeMesh.Native.Bpf;
using NodeMesh.Native.Netlink;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;
using NodeMesh.Sources;

namespace NodeMesh.Bpf.Tests.Reference;

/// <summary>
/// The whole way from YAML to a verdict, as the agent goes it: sources, compiler, tables, programs. Pods have the interfaces v1, v2 and so on of a namespace.
/// All calls on the thread that made it.
/// </summary>
internal sealed class ReferenceKernel : IDisposable
{
    private const string Device = "out";
    private const int Mtu = 1500;
    private const uint Drop = 2, Redirect = 7; // TCX_DROP, TCX_REDIRECT
    private const ushort FirstPort = 40000, LastPort = 59999;

    private static readonly NodeFacts s_facts = new(Objects.ThisNode, [.. RandomObjects.NodeAddresses.Select(IpAddr.Parse)], []);

    private readonly Dictionary<string, int> _interfaces = [];
    private readonly LoadedObjects _objects;
    private readonly KernelTables _tables;
    private readonly PerCpuMap<CounterKey, CounterEntry> _counters;
    private MeshPlan _plan = MeshPlan.Empty;
    private Dictionary<string, int> _pods = [];
    private readonly OwnedFd _connections;
    private ushort _port = LastPort;

    /// <param name="box">In whose host namespace the caller is.</param>
    public ReferenceKernel(Box box)
    {
        using var netlink = new NetlinkSocket();
        foreach (var name in Enumerable.Range(1, RandomObjects.MaxPods).Select(n => $"v{n}").Append(Device))
        {
            Box.Sh($"ip -n {box.Host} link add {name} type veth peer name {name}p");
            _interfaces.Add(name, RtLinks.Dump(netlink).Single(l => l.Name == name).Ifindex);
        }

        // A refusal that is told would look like a packet that goes straight to another pod.
        _objects = LoadedObjects.Load(Images.Built, box.Options with { RejectDenied = false }, PinTree.Create(box.Options.BpffsPath));
        _tables = new KernelTables(_objects, new RowWriter());
        _connections = _objects.OpenMap("nm_ct_any");
        _counters = new PerCpuMap<CounterKey, CounterEntry>(_objects.OpenMap("nm_counter"), "nm_counter");
    }

    /// <summary>Puts the objects in force. What is wrong with them, if anything; then what was in force is.</summary>
    /// <param name="straight">Packets may go from pod to pod past the node's stack.</param>
    public string? Apply(string yaml, bool straight)
    {
        var (mesh, found) = ManifestReader.Read([("objects.yaml", yaml)]);
        if (found.FirstOrDefault(d => d.Severity == Severity.Error) is { } error)
            return error.ToString();
        _plan = MeshCompiler.Compile(mesh with { Revision = _plan.Revision + 1 }, s_facts, _plan);
        var links = _plan.Kernel.Endpoints.ToDictionary(e => e, e => new PodLink(_interfaces[e.Attachment.HostInterface], straight ? Mtu : 0, default, default));
        _pods = links.SelectMany(l => l.Key.Addresses.Select(a => (a, l.Value.Ifindex))).ToDictionary(p => p.a.ToString(), p => p.Ifindex);
        var tally = new RoundTally();
        _tables.SetDesired(_plan.Kernel, links);
        _tables.Upsert(tally, removals: true);
        _tables.Remove(tally);
        _tables.Finish();
        Assert.That(tally.Failures, Is.Empty);
        return null;
    }

    /// <summary>The packet sent last went from pod to pod, past the server's gate: the client's judged for both.</summary>
    public bool WentStraight { get; private set; }

    /// <summary>The client's own end, when it is a pod of this node.</summary>
    public string? Egress(Traffic traffic) => _pods.TryGetValue(traffic.From, out var ifindex) ? Send(traffic, "nm_pod_ingress", ifindex, 0) : null;

    /// <summary>The server's end, when it is a pod of this node.</summary>
    public string? Ingress(Traffic traffic) => _pods.TryGetValue(traffic.To, out var ifindex)
        ? Send(traffic, "nm_pod_egress", ifindex, _pods.GetValueOrDefault(traffic.From, _interfaces[Device]))
        : null;

    public void Dispose()
    {
        _counters.Dispose();
        _connections.Dispose();
        _tables.Dispose();
        _objects.Dispose();
    }

    private string Send(Traffic traffic, string program, int ifindex, int ingressIfindex)
    {
        // Each a connection of its own, from a port that no server has; what has no ports is the only one that is known.
        _port = (ushort)(_port == LastPort ? FirstPort : _port + 1);
        if (_port == FirstPort || traffic.Protocol is not (Packet.ProtoTcp or Packet.ProtoUdp or Packet.ProtoSctp))
            MapContents.Clear(_connections, "nm_ct_any");
        var packet = traffic.Protocol switch
        {
            Packet.ProtoTcp => Packet.Tcp(traffic.From, _port, traffic.To, traffic.Port),
            Packet.ProtoUdp => Packet.Udp(traffic.From, _port, traffic.To, traffic.Port),
            Packet.ProtoSctp => Packet.Sctp(traffic.From, _port, traffic.To, traffic.Port),
            Packet.ProtoIcmp or Packet.ProtoIcmp6 => Packet.Icmp(traffic.From, traffic.To, (byte)(traffic.Port >> 8), _port, code: (byte)traffic.Port),
            _ => Packet.Raw(traffic.From, traffic.To, traffic.Protocol),
        };
        var context = new byte[192]; // struct __sk_buff
        BinaryPrimitives.WriteInt32LittleEndian(context.AsSpan(36), ingressIfindex);
        BinaryPrimitives.WriteInt32LittleEndian(context.AsSpan(40), ifindex);
        foreach (var row in Counted())
            _counters.Remove(row);
        var result = _objects.Program("endpoint", program).TestRun(packet.Bytes(), context);
        // What goes straight is counted at both ends; what audit says of it beside that.
        var counted = Counted().Where(c => c.Ifindex == ifindex).Select(c => (Reason)c.Reason).ToArray();
        var audited = Array.FindAll(counted, r => r is Reason.AuditDenied or Reason.AuditDefaultDeny);
        var reasons = counted.Except(audited).ToArray();
        var passed = result.ReturnValue != Drop;
        WentStraight = result.ReturnValue == Redirect;
        return reasons.Length == 1 && audited.Length < 2 && Told(reasons[0], passed) is { } ruling
            ? $"{new Judgement(ruling, audited switch { [Reason.AuditDenied] => Ruling.Deny, [_] => Ruling.DefaultDeny, _ => Ruling.Allow })}"
            : $"{(passed ? "passed" : "dropped")} as {string.Join(", ", counted)}";
    }

    private IEnumerable<CounterKey> Counted() => _counters.ReadAll((a, _) => a).Select(c => c.Key);

    private static Ruling? Told(Reason reason, bool passed) => (reason, passed) switch
    {
        (Reason.Forwarded, true) => Ruling.Allow,
        (Reason.PolicyDenied, false) => Ruling.Deny,
        (Reason.DefaultDeny or Reason.UnsupportedProtocol, false) => Ruling.DefaultDeny,
        // Nobody listens here, and at the server's gate it is too late: the proxy was wanted.
        (Reason.NoProxy or Reason.L7Required, false) => Ruling.Proxy,
        _ => null,
    };
}
