using System.Collections.Immutable;
using NodeMesh.Compiler;
using NodeMesh.Model;
using NodeMesh.Plan;
using NodeMesh.Plan.Abi;

namespace NodeMesh.Unit.Tests.Compiler;

public sealed class ServicePropertyTests
{
    private static readonly IpAddr[] s_loopbacks = [IpAddr.Parse("127.0.0.1"), IpAddr.Parse("::1")];

    [Test]
    public void Every_frontend_leads_where_the_plain_model_says([Range(1, 60)] int seed)
    {
        var random = new RandomServices(new Random(seed));
        var node = random.Node();
        var mesh = random.Next(12);
        var plan = MeshCompiler.Compile(mesh, node);
        var zone = mesh.Nodes.Single(n => n.Name == "here").Labels.GetValueOrDefault("topology.kubernetes.io/zone", "");
        var count = 0;
        foreach (var service in mesh.Services)
        {
            foreach (var port in service.Ports)
            {
                foreach (var (address, number, isClusterIp) in Addresses(service, port))
                {
                    count++;
                    var key = new FrontendKey { Addr = Addr.From(address), PortBe = Be16.FromHost(number), Proto = (byte)port.Protocol };
                    Assert.That(plan.Kernel.Frontends.ContainsKey(key), $"{service.Name} at {address}:{number}");
                    var isOnNode = s_loopbacks.Contains(address);
                    foreach (var caller in isOnNode ? [Caller.Inside] : Enum.GetValues<Caller>())
                    {
                        var expected = PlainServiceModel.Of(service, port, address.IsIPv4, isClusterIp, caller, "here", zone);
                        Assert.That(Actual(plan, plan.Kernel.Frontends[key], caller).ToString(), Is.EqualTo(expected.ToString()),
                            $"seed {seed}, {service.Name}:{port.Port} at {address}:{number} from {caller}\n{PlanText.Of(plan)}");
                    }
                }
            }
        }

        Assert.That(plan.Kernel.Frontends, Has.Count.EqualTo(count), "no frontend but these");
    }

    /// <summary>Compiled step by step or at once, in any order of changes: the same rows and the same text.</summary>
    [Test]
    public void Any_sequence_of_changes_gives_the_plan_of_compiling_at_once([Range(1, 25)] int seed)
    {
        var random = new Random(seed);
        var services = new RandomServices(random);
        var node = services.Node();
        var mesh = services.Next(10);
        var plan = MeshCompiler.Compile(mesh, node);
        for (var step = 0; step < 12; step++)
        {
            mesh = Change(mesh, services, random);
            node = random.Next(6) == 0 ? node with { BusyPorts = [new BusyPort(Protocol.Tcp, IpAddr.FromIPv4(0), (ushort)(30000 + random.Next(30)))] } : node;
            plan = MeshCompiler.Compile(mesh, node, plan);
            AssertSame(MeshCompiler.Compile(mesh, node), plan, $"seed {seed}, step {step}");
        }
    }

    [Test]
    public void What_a_change_does_not_touch_is_the_same_object()
    {
        var services = new RandomServices(new Random(5));
        var mesh = services.Next(10);
        var node = services.Node();
        var plan = MeshCompiler.Compile(mesh, node);
        var again = MeshCompiler.Compile(mesh with { Revision = 9 }, node, plan);
        Assert.That(again.Kernel, Is.SameAs(plan.Kernel));

        var other = MeshCompiler.Compile(mesh with { Services = mesh.Services.SetItem(3, services.Service(3) with { Name = mesh.Services[3].Name }) }, node, plan);
        Assert.That(other.Kernel.Identities, Is.SameAs(plan.Kernel.Identities));
        Assert.That(other.Proxy.Policy, Is.SameAs(plan.Proxy.Policy));
        var changed = new List<FrontendKey>();
        RowTable<FrontendKey, FrontendEntry>.AddDifference(plan.Kernel.Frontends, other.Kernel.Frontends, changed);
        Assert.That(changed.Count, Is.LessThan(20));
    }

    private static MeshSnapshot Change(MeshSnapshot mesh, RandomServices services, Random random)
    {
        var number = random.Next(14);
        var next = services.Service(number);

        // Now and then two want the same addresses.
        if (random.Next(4) == 0)
            next = next with { ClusterIps = mesh.Services[random.Next(mesh.Services.Length)].ClusterIps, CreatedAt = DateTimeOffset.UnixEpoch.AddDays(random.Next(3)) };
        var others = mesh.Services.Where(s => s.Name != next.Name);
        return mesh with
        {
            Revision = mesh.Revision + 1,
            Services = random.Next(4) == 0 && mesh.Services.Length > 3 ? [.. others] : [.. others.Append(next).OrderBy(s => s.Name)],
        };
    }

    private static IEnumerable<(IpAddr Address, ushort Port, bool IsClusterIp)> Addresses(Service service, ServicePort port)
    {
        bool IsServed(IpAddr address) => service.ClusterIps.Any(c => c.IsIPv4 == address.IsIPv4);
        foreach (var ip in service.ClusterIps)
            yield return (ip, port.Port, true);
        foreach (var ip in service.ExternalIps.Concat(service.LoadBalancerIps).Where(IsServed))
            yield return (ip, port.Port, false);
        if (port.NodePort != 0)
            foreach (var ip in RandomServices.NodeAddresses.Concat(s_loopbacks).Where(IsServed))
                yield return (ip, port.NodePort, false);
    }

    private static Fate Actual(MeshPlan plan, FrontendEntry entry, Caller caller)
    {
        var flags = (FrontendFlag)entry.Flags;
        var group = caller == Caller.Inside ? entry.Inside : entry.Outside;
        var backends = Enumerable.Range(0, (int)group.Slots)
            .Select(slot => plan.Kernel.Slots[new SlotKey { Group = group.Id, Slot = (uint)slot }])
            .Select(slot => plan.Kernel.Backends[new BackendKey { Backend = slot.Backend }])
            .Select(b => b.Addr.ToIpAddr() + ":" + b.PortBe.ToHost());
        return new Fate(
            new SortedSet<string>(backends, StringComparer.Ordinal),
            flags.HasFlag(caller == Caller.Inside ? FrontendFlag.DropInside : FrontendFlag.DropOutside),
            caller == Caller.Outside && flags.HasFlag(FrontendFlag.KeepSource));
    }

    private static void AssertSame(MeshPlan expected, MeshPlan actual, string when) => Assert.Multiple(() =>
    {
        Assert.That(actual.Kernel.Backends, Is.EquivalentTo(expected.Kernel.Backends), when);
        Assert.That(actual.Kernel.Slots, Is.EquivalentTo(expected.Kernel.Slots), when);
        Assert.That(actual.Kernel.Members, Is.EquivalentTo(expected.Kernel.Members), when);
        Assert.That(actual.Kernel.SourceRanges, Is.EquivalentTo(expected.Kernel.SourceRanges), when);
        Assert.That(actual.Kernel.Frontends, Is.EquivalentTo(expected.Kernel.Frontends), when);
        Assert.That(PlanText.Of(actual), Is.EqualTo(PlanText.Of(expected)), when);
    });
}
