using System.Net;
using System.Net.Sockets;
using NodeMesh.Datapath;
using NodeMesh.Model;
using NodeMesh.Native.Namespaces;
using NodeMesh.Native.Netlink;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests.Datapath;

/// <summary>Sockets that the hooks led to a backend, when that goes away; and ports that services have on the node.</summary>
public sealed class DatagramTests
{
    private const string Vip = "10.96.0.1";

    private Box _box = null!;

    [SetUp]
    public void SetUp() => _box = new Box();

    [TearDown]
    public void TearDown() => _box.Dispose();

    [Test]
    public void Only_named_sockets_are_ended()
    {
        Assert.That(SocketDiag.CanDestroyUdp());
        using var netns = NetNamespace.Open(_box.Host);
        var (first, second) = netns.Run(() => (Connected(), Connected()));
        using (first)
        using (second)
        {
            Assert.That(netns.Run(() => SocketDiag.DestroyUdp(new HashSet<(ulong, IPEndPoint)> { (Cookie(first), Remote(10)) })), Is.EqualTo((0, 0)), "it is connected elsewhere now");
            Assert.That(netns.Run(() => SocketDiag.DestroyUdp(new HashSet<(ulong, IPEndPoint)> { (Cookie(first), Remote(9)) })), Is.EqualTo((1, 0)));
            Assert.That(Assert.Throws<SocketException>(() => first.Receive(new byte[1]))!.SocketErrorCode, Is.EqualTo(SocketError.ConnectionAborted));
            Assert.That(second.Send(new byte[1]), Is.EqualTo(1));
            Assert.That(netns.Run(() => SocketDiag.DestroyUdp(new HashSet<(ulong, IPEndPoint)> { (Cookie(first), Remote(9)) })), Is.EqualTo((0, 0)));
        }
    }

    [TestCase("node")]
    [TestCase("pod by namespace")]
    [TestCase("pod by interface")]
    public void A_connected_socket_is_ended_with_its_backend(string whose)
    {
        var attachment = whose == "pod by interface" ? new Attachment { HostInterface = "va" } : new Attachment { Netns = $"{_box.Tag}a" };
        var pod = _box.AddPod("a", "10.244.0.2");
        Box.Sh($"ip -n {pod} route add default dev eth0");
        Box.Sh($"ip -n {_box.Host} addr add 10.9.9.1/24 dev lo");
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(_box.Options, Images.Built);
            Assert.That(reconciler.Reconcile(Plan(attachment, 1, 2), removals: true).IsConverged);
            var netns = whose == "node" ? _box.Host : pod;
            using var child = Connect(netns, Vip);
            var peer = child.StandardOutput.ReadLine();
            Assert.That(peer, Is.EqualTo($"{Vip} 53"), "it sees the service");

            // It may have got either: both change places, so that its own goes.
            Assert.That(reconciler.Reconcile(Plan(attachment, 3, 4), removals: true).Problems, Is.Empty);
            Assert.That(child.StandardOutput.ReadToEnd().Trim(), Is.EqualTo("ECONNABORTED"));
            child.WaitForExit();
        });
    }

    [Test]
    public void A_backend_that_two_services_share_and_one_loses_ends_that_one_s_sockets_only()
    {
        const string other = "10.96.0.2";
        Box.Sh($"ip -n {_box.Host} addr add 10.9.9.1/24 dev lo");
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(_box.Options, Images.Built);
            Assert.That(reconciler.Reconcile(Both([1], [1]), removals: true).IsConverged);
            using var loses = Connect(_box.Host, Vip);
            using var keeps = Connect(_box.Host, other);
            Assert.That((loses.StandardOutput.ReadLine(), keeps.StandardOutput.ReadLine()), Is.EqualTo(($"{Vip} 53", $"{other} 53")));

            Assert.That(reconciler.Reconcile(Both([1, 2], [1]), removals: true).Problems, Is.Empty, "one more backend ends nobody");
            Assert.That(reconciler.Reconcile(Both([2], [1]), removals: true).Problems, Is.Empty);
            Assert.That(loses.StandardOutput.ReadToEnd().Trim(), Is.EqualTo("ECONNABORTED"));
            loses.WaitForExit();

            Assert.That(reconciler.Reconcile(Both([2], [2]), removals: true).Problems, Is.Empty);
            Assert.That(keeps.StandardOutput.ReadToEnd().Trim(), Is.EqualTo("ECONNABORTED"), "and not before");
            keeps.WaitForExit();
        });

        MeshPlan Both(uint[] first, uint[] second)
        {
            // As the compiler does: what a group has in it makes its number.
            var (one, two) = (Rows(100 + (uint)first.Sum(b => 10 * b), Vip, first), Rows(200 + (uint)second.Sum(b => 10 * b), other, second));
            return MeshPlan.Empty with
            {
                Kernel = KernelPlan.Empty with
                {
                    Frontends = RowTable<FrontendKey, FrontendEntry>.From(one.Frontends.Concat(two.Frontends).ToDictionary()),
                    Backends = RowTable<BackendKey, BackendEntry>.From(first.Union(second).ToDictionary(b => new BackendKey { Backend = b }, Backend)),
                    Slots = RowTable<SlotKey, SlotEntry>.From(one.Slots.Concat(two.Slots).ToDictionary()),
                },
            };
        }
    }

    [Test]
    public void A_port_that_a_service_has_on_the_node_cannot_be_bound_there_but_in_a_pod()
    {
        var pod = _box.AddPod("a", "10.244.0.2");
        Box.Sh($"ip -n {_box.Host} addr add 10.9.9.1/24 dev lo && ip -n {_box.Host} addr add 10.244.0.1/32 dev lo");
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(_box.Options, Images.Built);
            var plan = Plan(new Attachment { Netns = $"{_box.Tag}a" }, 1);
            var rows = plan.Kernel.Frontends.ToDictionary(r => r.Key, r => r.Value);
            foreach (var address in (string[])["10.9.9.1", "127.0.0.1"])
                rows[new FrontendKey { Addr = Gate.AddrOf(address), PortBe = Be16.FromHost(30080), Proto = 17 }] = new FrontendEntry { Service = 1, Flags = (uint)FrontendFlag.NodePort };
            Assert.That(reconciler.Reconcile(plan with { Kernel = plan.Kernel with { Frontends = RowTable<FrontendKey, FrontendEntry>.From(rows) } }, removals: true).IsConverged);
            Assert.That(Bind(_box.Host, "0.0.0.0", 30080), Is.EqualTo("EADDRINUSE"));
            Assert.That(Bind(_box.Host, "::", 30080), Is.EqualTo("EADDRINUSE"));
            Assert.That(Bind(_box.Host, "10.9.9.1", 30080), Is.EqualTo("EADDRINUSE"));
            Assert.That(Bind(_box.Host, "10.244.0.1", 30080), Is.EqualTo("bound"));
            Assert.That(Bind(_box.Host, "0.0.0.0", 30081), Is.EqualTo("bound"));
            Assert.That(Bind(pod, "0.0.0.0", 30080), Is.EqualTo("bound"));
        });
    }

    private const string Program = """
        import socket, errno, sys
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.connect((sys.argv[1], 53))
        print(*s.getpeername(), flush=True)
        s.settimeout(60)
        try:
            s.recv(1)
            print("received")
        except OSError as e:
            print(errno.errorcode.get(e.errno, str(e)))
        """;

    private string Bind(string netns, string address, int port) => Box.Sh(
        $"echo $$ > {_box.Cgroup}/cgroup.procs && ip netns exec {netns} python3 -c '" + $"""
        import socket, errno
        s = socket.socket(socket.AF_INET6 if ":" in "{address}" else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            s.bind(("{address}", {port}))
            print("bound")
        except OSError as e:
            print(errno.errorcode[e.errno])
        """ + "'").Trim();

    private System.Diagnostics.Process Connect(string netns, string vip) => System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("/bin/sh", ["-c",
        $"echo $$ > {_box.Cgroup}/cgroup.procs && exec ip netns exec {netns} python3 -c '{Program}' {vip}"])
    { RedirectStandardOutput = true, RedirectStandardInput = true })!;

    private static IPEndPoint Remote(int port) => new(IPAddress.Loopback.MapToIPv6(), port);

    private static Socket Connected()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 60_000 };
        socket.Connect(IPAddress.Loopback, 9);
        return socket;
    }

    private static ulong Cookie(Socket socket)
    {
        var bytes = new byte[8];
        socket.GetRawSocketOption(1, 57, bytes); // SOL_SOCKET, SO_COOKIE
        return BitConverter.ToUInt64(bytes);
    }

    private static MeshPlan Plan(Attachment attachment, params uint[] backends)
    {
        var (frontends, slots) = Rows(1, Vip, backends);
        return MeshPlan.Empty with
        {
            Revision = backends[0],
            Kernel = KernelPlan.Empty with
            {
                Endpoints = [new EndpointPlan(new ObjectName("default", "a"), attachment, [IpAddr.Parse("10.244.0.2")], 300, 0)],
                Frontends = RowTable<FrontendKey, FrontendEntry>.From(frontends),
                Backends = RowTable<BackendKey, BackendEntry>.From(backends.ToDictionary(b => new BackendKey { Backend = b }, Backend)),
                Slots = RowTable<SlotKey, SlotEntry>.From(slots),
            },
        };
    }

    private static (Dictionary<FrontendKey, FrontendEntry> Frontends, Dictionary<SlotKey, SlotEntry> Slots) Rows(uint group, string vip, uint[] backends)
    {
        var all = new Group { Id = group, Slots = (uint)backends.Length };
        return (
            new() { [new FrontendKey { Addr = Gate.AddrOf(vip), PortBe = Be16.FromHost(53), Proto = 17 }] = new FrontendEntry { Service = 1, Inside = all, Outside = all } },
            backends.Select((b, i) => (b, i)).ToDictionary(s => new SlotKey { Group = group, Slot = (uint)s.i }, s => new SlotEntry { Backend = s.b }));
    }

    private static BackendEntry Backend(uint number) => new() { Addr = Gate.AddrOf($"10.9.9.{number + 10}"), PortBe = Be16.FromHost(53), Proto = 17 };
}
