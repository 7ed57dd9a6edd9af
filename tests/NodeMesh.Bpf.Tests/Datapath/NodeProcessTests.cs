using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using NodeMesh.Datapath;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Bpf.Tests.Datapath;

/// <summary>Processes of the node itself have no gate that could hand them over to the proxy.</summary>
public sealed class NodeProcessTests
{
    private const string Vip = "10.96.0.1";
    private const string Backend = "10.244.1.1";

    private Box _box = null!;

    [SetUp]
    public void SetUp() => _box = new Box();

    [TearDown]
    public void TearDown() => _box.Dispose();

    private DatapathOptions Options => _box.Options;

    [Test]
    public void A_process_of_the_node_reaches_a_backend_of_a_service_for_the_proxy()
    {
        Box.Sh($"ip -n {_box.Host} addr add {Backend}/32 dev lo");
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(Options, Images.Built);
            Assert.That(reconciler.Reconcile(Plan(backends: 1), removals: true).IsConverged);
            using var backend = new TcpListener(IPAddress.Parse(Backend), 8080);
            backend.Start();
            Assert.That(Dial(_box.Host), Is.EqualTo("connected"));
        });
    }

    [Test]
    public void Without_backends_a_process_of_the_node_is_refused_and_a_pod_is_left_to_its_gate()
    {
        var pod = _box.AddPod("a", "10.244.0.2");
        _box.InHost(() =>
        {
            using var reconciler = DatapathReconciler.Start(Options, Images.Built);
            Assert.That(reconciler.Reconcile(Plan(backends: 0), removals: true).IsConverged);
            Assert.That(Dial(_box.Host), Does.Contain("refused"));
            Assert.That(Dial(pod), Does.Contain("unreachable"), "it has no route to the service address, which therefore stayed");
        });
    }

    // The shell goes into the box's cgroup before it changes namespaces (after which /sys is another), and out of it by ending.
    private string Dial(string netns) => Box.Sh(
        $"echo $$ > {_box.Cgroup}/cgroup.procs && ip netns exec {netns} bash -c '(exec 3<>/dev/tcp/{Vip}/80) 2>&1 && echo connected; exit 0'").Trim();

    private static MeshPlan Plan(int backends)
    {
        var key = new FrontendKey { Addr = Addr.From(IpAddr.Parse(Vip)), PortBe = Be16.FromHost(80), Proto = 6 };
        var kernel = KernelPlan.Empty with
        {
            Frontends = ImmutableDictionary<FrontendKey, FrontendEntry>.Empty.Add(key, new FrontendEntry { Service = 1, Inside = new Group { Id = 1, Slots = (uint)backends }, Flags = (uint)FrontendFlag.L7 }),
        };
        if (backends > 0)
        {
            kernel = kernel with
            {
                Backends = ImmutableDictionary<BackendKey, BackendEntry>.Empty.Add(
                    new BackendKey { Backend = 1 }, new BackendEntry { Addr = Addr.From(IpAddr.Parse(Backend)), PortBe = Be16.FromHost(8080), Proto = 6 }),
                Slots = ImmutableDictionary<SlotKey, SlotEntry>.Empty.Add(new SlotKey { Group = 1 }, new SlotEntry { Backend = 1 }),
            };
        }

        return MeshPlan.Empty with { Revision = 1, Kernel = kernel };
    }
}
