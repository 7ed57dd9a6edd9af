using System.Globalization;
using NodeMesh.Datapath;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests.Datapath;

/// <summary>Real sockets: the world on one side of a node, its pod and another node's on the other.</summary>
public sealed class NodePortPathTests
{
    private Box _box = null!;
    private string _world = "", _pod = "", _far = "";

    [SetUp]
    public void SetUp()
    {
        _box = new Box();
        _world = Beside("w", 1);
        _far = Beside("f", 2);
        _pod = _box.AddPod("a", "10.244.0.2");
        Box.Sh($"ip -n {_box.Host} addr add 10.244.0.1/32 dev lo && ip -n {_box.Host} route add 10.244.0.2/32 dev va");
        Box.Sh($"ip -n {_pod} route add 10.244.0.1 dev eth0 && ip -n {_pod} route add default via 10.244.0.1");
        Box.Sh($"ip -n {_pod} addr add fd44::2/128 dev eth0 nodad && ip -n {_pod} -6 route add fe80::1 dev eth0 && ip -n {_pod} -6 route add default via fe80::1 dev eth0");
        Box.Sh($"ip -n {_box.Host} addr add fe80::1/64 dev va nodad && ip -n {_box.Host} -6 route add fd44::2/128 dev va");
        Box.Sh($"ip netns exec {_box.Host} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=1");
    }

    [TearDown]
    public void TearDown() => _box.Dispose();

    [TestCase("10.1.1.1", "10.1.1.9", "10.244.0.2", true)]
    [TestCase("10.1.1.1", "10.1.2.1", "10.1.2.9", false)]
    [TestCase("fd01:1::1", "fd01:1::9", "fd44::2", true)]
    [TestCase("fd01:1::1", "fd01:2::1", "fd01:2::9", false)]
    public void The_world_reaches_a_backend_by_the_nodes_port(string node, string seen, string backend, bool local)
    {
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(_box.Options, Images.Built);
            Assert.That(reconciler.Reconcile(Plan(node, backend), removals: true).Problems, Is.Empty);
            using var servers = new Servers(_box, local ? _pod : _far);
            foreach (var kind in (string[])["STREAM", "DGRAM"])
            {
                foreach (var size in (int[])[10, 1200, 5000, 60000])
                    Assert.That(Ask(_world, node, kind, size), Is.EqualTo($"{seen} {size} {node} 30080"), $"{kind} {size}");
            }
        });
    }

    [Test]
    public void A_service_that_nobody_serves_refuses_at_once()
    {
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(_box.Options, Images.Built);
            reconciler.Reconcile(Plan("10.1.1.1", ""), removals: true);
            Assert.That(Ask(_world, "10.1.1.1", "STREAM", 1), Is.EqualTo("ECONNREFUSED"));
            Assert.That(Ask(_world, "10.1.1.1", "DGRAM", 1), Is.EqualTo("ECONNREFUSED"));
        });
    }

    [TestCase("10.1.1.1", "10.244.0.2")]
    [TestCase("fd01:1::1", "fd44::2")]
    public void A_pod_outside_the_cgroup_reaches_itself_and_others(string node, string backend)
    {
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(_box.Options, Images.Built);
            reconciler.Reconcile(Plan(node, backend), removals: true);
            using (new Servers(_box, _pod))
            {
                Assert.That(Ask(_pod, node, "STREAM", 5000), Is.EqualTo($"{node} 5000 {node} 30080"));
                Assert.That(Ask(_pod, node, "DGRAM", 1000), Is.EqualTo($"{node} 1000 {node} 30080"));
            }

            var far = node.Contains(':', StringComparison.Ordinal) ? "fd01:2::9" : "10.1.2.9";
            reconciler.Reconcile(Plan(node, far), removals: true);
            using var servers = new Servers(_box, _far);
            Assert.That(Ask(_pod, node, "STREAM", 5000), Is.EqualTo($"{backend} 5000 {node} 30080"));
            Assert.That(Ask(_pod, node, "DGRAM", 5000), Is.EqualTo($"{backend} 5000 {node} 30080"));
        });
    }

    private string Beside(string name, int network)
    {
        var netns = _box.AddNamespace(name);
        Box.Sh($"ip -n {_box.Host} link add d{name} type veth peer name eth0 netns {netns} && ip -n {_box.Host} link set d{name} up && ip -n {netns} link set eth0 up");
        Box.Sh($"ip -n {_box.Host} addr add 10.1.{network}.1/24 dev d{name} && ip -n {_box.Host} addr add fd01:{network}::1/64 dev d{name} nodad");
        Box.Sh($"ip -n {netns} addr add 10.1.{network}.9/24 dev eth0 && ip -n {netns} addr add fd01:{network}::9/64 dev eth0 nodad");
        Box.Sh($"ip -n {netns} route add default via 10.1.{network}.1 && ip -n {netns} -6 route add default via fd01:{network}::1");
        return netns;
    }

    /// <summary>What the server saw of the client, how much came back, and from whom: or the errno.</summary>
    private static string Ask(string netns, string address, string kind, int size) => Box.Sh($"ip netns exec {netns} python3 -c '" + $"""
        import socket, errno
        s = socket.socket(socket.AF_INET6 if ":" in "{address}" else socket.AF_INET, socket.SOCK_{kind})
        s.settimeout(60)
        try:
            s.connect(("{address}", 30080))
            peer = s.getpeername()[:2]
            s.sendall(b"x" * {size})
            if "{kind}" == "STREAM":
                s.shutdown(socket.SHUT_WR)
                data = b"".join(iter(lambda: s.recv(65536), b""))
            else:
                data = s.recv(65536)
            who, _, rest = data.partition(b" ")
            print(who.decode(), len(rest), *peer)
        except OSError as e:
            print(errno.errorcode.get(e.errno, str(e)))
        """ + "'").Trim();

    private static MeshPlan Plan(string node, string backend)
    {
        var group = new Group { Id = 1, Slots = backend.Length > 0 ? 1u : 0 };
        var frontends = new Dictionary<FrontendKey, FrontendEntry>();
        var backends = new Dictionary<BackendKey, BackendEntry>();
        foreach (var proto in (byte[])[6, 17])
        {
            frontends[new FrontendKey { Addr = Gate.AddrOf(node), PortBe = Be16.FromHost(30080), Proto = proto }] =
                new FrontendEntry { Service = proto, Flags = (uint)FrontendFlag.NodePort, Inside = group with { Id = proto }, Outside = group with { Id = proto } };
            if (backend.Length > 0)
                backends[new BackendKey { Backend = proto }] = new BackendEntry { Addr = Gate.AddrOf(backend), PortBe = Be16.FromHost(8080), Proto = proto };
        }

        var identities = new Dictionary<IdentityKey, IdentityEntry>();
        foreach (var address in (string[])["10.1.1.1", "10.1.2.1", "10.244.0.1", "fd01:1::1", "fd01:2::1"])
            identities[new IdentityKey { PrefixBits = 128, Addr = Gate.AddrOf(address) }] = new IdentityEntry { Identity = (uint)IdentityId.Host };
        return MeshPlan.Empty with
        {
            Revision = 1,
            Kernel = KernelPlan.Empty with
            {
                Endpoints = [new EndpointPlan(new ObjectName("default", "a"), new Attachment { HostInterface = "va" }, [IpAddr.Parse("10.244.0.2"), IpAddr.Parse("fd44::2")], 300, 0)],
                Identities = RowTable<IdentityKey, IdentityEntry>.From(identities),
                Frontends = RowTable<FrontendKey, FrontendEntry>.From(frontends),
                Backends = RowTable<BackendKey, BackendEntry>.From(backends),
                Slots = RowTable<SlotKey, SlotEntry>.From(backends.Keys.ToDictionary(b => new SlotKey { Group = b.Backend }, b => new SlotEntry { Backend = b.Backend })),
            },
        };
    }

    /// <summary>Echoes with the client's address before it, both protocols and families, at port 8080.</summary>
    private sealed class Servers : IDisposable
    {
        private readonly System.Diagnostics.Process _process;

        public Servers(Box box, string netns)
        {
            _ = box;
            _process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("ip", ["netns", "exec", netns, "python3", "-c", """
                import socket, threading
                t = socket.create_server(("::", 8080), family=socket.AF_INET6, dualstack_ipv6=True)
                u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
                u.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                u.bind(("::", 8080))
                def name(a): return a[0].replace("::ffff:", "").encode() + b" "
                def datagrams():
                    while True:
                        data, who = u.recvfrom(65536)
                        u.sendto(name(who) + data, who)
                threading.Thread(target=datagrams, daemon=True).start()
                print("up", flush=True)
                while True:
                    c, who = t.accept()
                    c.sendall(name(who) + b"".join(iter(lambda: c.recv(65536), b"")))
                    c.close()
                """]) { RedirectStandardOutput = true })!;
            Assert.That(_process.StandardOutput.ReadLine(), Is.EqualTo("up"), string.Create(CultureInfo.InvariantCulture, $"server in {netns}"));
        }

        public void Dispose()
        {
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
        }
    }
}
